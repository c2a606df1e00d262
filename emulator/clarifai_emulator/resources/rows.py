"""A row of the resource table: what a resource is called, where it lies, and what differs about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.store import Key, Kind

Match = Callable[[Key, Any], bool]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an item. ``where``: its field. ``code``: 0 takes the resource's own."""

    where: str
    text: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """An item on its way into the store. ``given``: as the request had it. ``message``: as it will be stored.
    ``old``: what it replaces, in a change.
    ``is_patch``: a client asked for that change, and no value at zero can be seen in what was given."""

    key: Key
    message: Any
    given: Any
    old: Any | None = None
    is_patch: bool = False

    @property
    def owner(self) -> str:
        """The user whose resource it is."""
        return self.key[0]


@dataclass(frozen=True, slots=True)
class Parent:
    """What a resource lies in: where requests name it, and where an item itself may."""

    kind: Kind
    in_request: str
    in_item: str = ""


def _nothing(*_: Any) -> None:
    return None


def _no_problems(_: Draft) -> Iterable[Problem]:
    return ()


def _newest_first(_request: Any, items: Iterable[tuple[Key, Any]]) -> Iterable[tuple[Key, Any]]:
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One row of the table. ``stem`` names the RPCs (``Nodepool`` → ``PostNodepools``…), ``name`` the field of
    answers (plural with an ``s``), ``in_request`` the field of Get requests that holds the id.

    Hooks: ``prepare`` fills what the server fills, ``validate`` lists what is wrong, ``show`` changes the copy
    that goes out to a viewer (never the stored one), ``before_delete`` removes what cannot stay, ``matches`` and
    ``order`` are List's own filters and sorting, ``make`` creates one of the caller that is only mentioned (apps).
    """

    kind: Kind
    stem: str
    name: str
    message: type[Any]
    in_request: str
    does_not_exist: int
    invalid_argument: int
    parents: tuple[Parent, ...] = ()
    assigns_id: bool = False
    inherits_visibility: bool = False
    hides_id: bool = False
    read_only: tuple[str, ...] = ()
    actions: tuple[str, ...] = ("overwrite",)
    filters: tuple[str, ...] = ()
    ignored_filters: tuple[str, ...] = ()
    not_found_text: str = ""
    prepare: Callable[[Draft], None] = _nothing
    validate: Callable[[Draft], Iterable[Problem]] = _no_problems
    show: Callable[[Key, Any, str], None] = _nothing
    before_delete: Callable[[Key], None] = _nothing
    matches: Callable[[Any], Match | None] = _nothing
    order: Callable[[Any, Iterable[tuple[Key, Any]]], Iterable[tuple[Key, Any]]] = _newest_first
    make: Callable[[Key], None] | None = None

    @property
    def noun(self) -> str:
        """The resource in a sentence, ``compute cluster``."""
        return self.name.replace("_", " ")

    @property
    def names(self) -> str:
        """The plural field of answers, ``compute_clusters``."""
        return f"{self.name}s"

    def quoted(self, draft: Draft) -> str:
        """The id of a draft as an error may show it."""
        return "(not shown)" if self.hides_id else repr(draft.key[-1])

    def has(self, field_name: str) -> bool:
        """Whether the platform's message has this field."""
        return field_name in self.message.DESCRIPTOR.fields_by_name
