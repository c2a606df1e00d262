"""Does with a kind of resource what every kind lets be done: keep it, carry it, and call all its RPCs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.resources.rows import Record, Resource
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.state.transfer import export_state, import_state
from clarifai_emulator.store import Key, Kind, Store


def kept_and_carried(
    rows: Sequence[Record], items: dict[tuple[Kind, Key], Any], directory: Path
) -> Iterator[dict[tuple[Kind, Key], Any]]:
    """Put items into a store; give what is found of them on the disk, and in another store after an export."""
    table = {each.kind: each for each in rows}
    for first in (True, False):
        store = Store()
        for each in rows:
            store.add_kind(each.kind)
        file = StateFile(directory, store, table)
        file.open()
        if first:
            for (kind, key), item in items.items():
                store.put(kind, key, item)
        else:
            yield {each: store.get(*each) for each in items}
            other = Store()
            import_state(other, table, json.loads(json.dumps(export_state(store, table))))
            yield {each: other.get(*each) for each in items}
        file.close()


def requests(row: Resource, key: Key, item: Any) -> Iterator[tuple[str, str, Any]]:
    """Return each verb of a kind that the platform has, with its RPC and a request, in the order of a life."""
    for verb in row.verbs:
        names = (f"{verb}{row.stem}s", f"{verb}{row.stem}")
        name = next((each for each in names if each in rpc_table()), None)
        if name is None:
            continue
        request = rpc_table()[name].request_type()
        request.user_app_id.user_id = key[0]
        for parent, parent_id in zip(row.parents, key[1:], strict=False):
            _set(request, parent.in_request, parent_id)
        fields = request.DESCRIPTOR.fields_by_name
        if verb in ("Post", "Patch"):
            field = fields[row.names if row.names in fields else row.name]
            if is_repeated(field):
                getattr(request, field.name).append(item)
            else:
                getattr(request, field.name).CopyFrom(item)
        elif verb == "Get" or (verb == "Delete" and not {"ids", f"{row.name}_ids"} & {*fields}):
            _set(request, row.in_request, key[-1])
        elif verb == "Delete":
            getattr(request, "ids" if "ids" in fields else f"{row.name}_ids").append(key[-1])
        if verb == "Patch":
            request.action = "overwrite"
        yield verb, name, request


def ids_of(row: Resource, answer: Any) -> list[str]:
    """Return the ids of the resources in an answer."""
    if row.names in answer.DESCRIPTOR.fields_by_name:
        return [each.id for each in getattr(answer, row.names)]
    return [getattr(answer, row.name).id]


def _set(request: Any, path: str, value: str) -> None:
    *names, last = path.split(".")
    for name in names:
        request = getattr(request, name)
    setattr(request, last, value)
