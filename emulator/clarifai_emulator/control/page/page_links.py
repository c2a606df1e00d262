"""Finds which fields of a resource name other resources that exist, by the table of resources.

A nested message of a kind's type names one of that kind (``worker.model``), a field ``KIND_ID`` one by its id; what
else its key needs is in the message itself, in what it is nested in, or in the resource's own key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Resource
from clarifai_emulator.store import Key, Kind

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FieldLink:
    """A field, by its path in the resource's JSON, and the resource that it names."""

    path: Path
    kind: Kind
    key: Key


@dataclass(frozen=True, slots=True)
class _Around:
    """Holds what is known at a place of a message: the owner there, and the ids by kind."""

    user: str
    ids: dict[Kind, str]


class FieldLinks:
    """Finds the links of the resources of one emulator."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._of_type = {row.message.DESCRIPTOR.full_name: row for row in resources.served}
        self._of_field = {f"{row.kind}_id": row for row in resources.served}

    def find(self, row: Resource, key: Key, message: Any) -> Iterator[FieldLink]:
        """Yield the links of one resource, but those to itself."""
        kinds = [*(parent.kind for parent in row.parents), row.kind]
        around = _Around(key[0], dict(zip(kinds, key[1:], strict=False)))
        for link in self._inside(message, around, ()):
            if (link.kind, link.key) != (row.kind, key):
                yield link

    def _inside(self, message: Any, around: _Around, path: Path) -> Iterator[FieldLink]:
        for field, value in message.ListFields():
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                continue
            many = list(value) if is_repeated(field) else [value]
            for index, each in enumerate(many):
                where = (*path, field.name, index) if is_repeated(field) else (*path, field.name)
                if field.message_type is not None:
                    yield from self._nested(each, around, where)
                elif field.type == FieldDescriptor.TYPE_STRING:
                    yield from self._named(field.name, each, around, where)

    def _nested(self, message: Any, around: _Around, path: Path) -> Iterator[FieldLink]:
        row = self._of_type.get(message.DESCRIPTOR.full_name)
        here = self._around(message, around)
        if row is not None and getattr(message, "id", ""):
            here = replace(here, ids={**here.ids, row.kind: message.id})
            yield from self._link(row, message.id, here, (*path, "id"))
        yield from self._inside(message, here, path)

    def _named(self, name: str, value: str, around: _Around, path: Path) -> Iterator[FieldLink]:
        if name == "user_id":
            if value and self._resources.store.get(Kind.USER, (value,)) is not None:
                yield FieldLink(path, Kind.USER, (value,))
        elif value and (row := self._of_field.get(name)) is not None:
            yield from self._link(row, value, around, path)

    def _around(self, message: Any, around: _Around) -> _Around:
        """Return what is known inside a nested message: its own ids, else those around it."""
        user, ids = around.user, dict(around.ids)
        fields = message.DESCRIPTOR.fields_by_name
        if "user_id" in fields and message.user_id:
            user = message.user_id
        for row in self._resources.served:
            if f"{row.kind}_id" in fields and (found := getattr(message, f"{row.kind}_id")):
                ids[row.kind] = found
            elif row.kind in fields and not is_repeated(fields[row.kind]):
                part = getattr(message, row.kind)
                if fields[row.kind].message_type is row.message.DESCRIPTOR and part.id:
                    ids[row.kind] = part.id
                    is_parent = row.kind in self._parents_of(message)
                    user = part.user_id if is_parent and getattr(part, "user_id", "") else user
        return _Around(user, ids)

    def _parents_of(self, message: Any) -> list[Kind]:
        row = self._of_type.get(message.DESCRIPTOR.full_name)
        return [parent.kind for parent in row.parents] if row is not None else []

    def _link(self, row: Resource, resource_id: str, around: _Around, path: Path) -> Iterator[FieldLink]:
        parents = [around.ids.get(parent.kind, "") for parent in row.parents]
        key = (around.user, *parents, resource_id)
        if self._resources.store.get(row.kind, key) is not None:
            yield FieldLink(path, row.kind, key)
