"""Describes kinds of resource: a kind is one row; keeping, listing, permissions, gRPC and REST follow from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.resources.item_problem import Problem
from clarifai_emulator.store import Key, Kind, Store

if TYPE_CHECKING:
    from clarifai_emulator.resources.resource import Resources

Match = Callable[[Key, Any], bool]
VERBS = ("Post", "Get", "List", "Patch", "Delete")


@dataclass(frozen=True, slots=True)
class Draft:
    """Holds an item on its way into the store.

    ``given``: as the request had it. ``message``: as it will be stored. ``old``: what it replaces, in a change.
    ``is_patch``: a client asked for that change, and no value at zero can be seen in what was given.
    """

    key: Key
    message: Any
    given: Any
    old: Any | None = None
    is_patch: bool = False

    @property
    def owner(self) -> str:
        """Return the user whose resource it is."""
        return self.key[0]


@dataclass(frozen=True, slots=True)
class ParentField:
    """Names what a resource lies in: where requests say it, and where an item itself may."""

    kind: Kind
    in_request: str
    in_item: str = ""


IN_APP = ParentField(Kind.APP, "user_app_id.app_id", "app_id")


def _nothing(*_: Any) -> None:
    return None


def _no_problems(*_: Any) -> Iterable[Problem]:
    return ()


def _always(_store: Store, _key: Key) -> bool:
    return True


def _newest_first(_request: Any, items: Iterable[tuple[Key, Any]]) -> Iterable[tuple[Key, Any]]:
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Describes a kind of what the store holds, and how it is kept.

    ``message``: a protobuf message, or a class with ``as_record`` and ``of_record``, as ``ModelSource`` has.
    ``is_kept``: whether one of them outlives the process. ``listed_by_change``: a change brings it to the front of
    listings, where the platform lists by ``modified_at`` what asks for no order (request comments in the proto).
    """

    kind: Kind
    message: type[Any]
    is_kept: Callable[[Store, Key], bool] = _always
    listed_by_change: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Record):
    """Describes a kind of resource that the platform's API serves.

    ``stem`` names the RPCs (``Nodepool`` → ``PostNodepools``…), ``name`` the field of answers (plural with an
    ``s``), ``in_request`` the field of Get requests that holds the id, ``does_not_exist`` and ``invalid_argument``
    the platform's codes: left out, they are read off the message's descriptor and the status codes.
    ``not_found_text`` is all that is said of one that is not there, ``not_found`` is followed by help; in both,
    ``{user}`` and ``{id}`` are its own. ``unknown_ids``: the code where a deletion names such. ``verbs``: those of
    the kind that are served, where the platform has them.

    Hooks: ``prepare`` fills what the server fills, ``validate`` lists what is wrong, ``saved`` makes what comes
    with one that was stored or changed, ``show`` changes the copy that goes out to a viewer (never the stored one),
    ``before_delete`` removes what cannot stay (what lies in the resource goes anyhow), ``matches`` and ``order``
    are List's own filters and sorting, ``make`` creates one of the caller that is only mentioned (apps). Each is
    given the ``Resources`` it works on, but for ``order``.
    """

    stem: str = ""
    name: str = ""
    in_request: str = ""
    does_not_exist: int = 0
    invalid_argument: int = 0
    parents: tuple[ParentField, ...] = ()
    verbs: tuple[str, ...] = VERBS
    assigns_id: bool = False
    inherits_visibility: bool = False
    hides_id: bool = False
    read_only: tuple[str, ...] = ()
    actions: tuple[str, ...] = ("overwrite",)
    filters: tuple[str, ...] = ()
    ignored_filters: tuple[str, ...] = ()
    not_found_text: str = ""
    not_found: str = ""
    unknown_ids: int = 0
    prepare: Callable[[Resources, Draft], None] = _nothing
    validate: Callable[[Resources, Draft], Iterable[Problem]] = _no_problems
    saved: Callable[[Resources, Draft], None] = _nothing
    show: Callable[[Resources, Key, Any, str], None] = _nothing
    before_delete: Callable[[Resources, Key], None] = _nothing
    matches: Callable[[Resources, Any], Match | None] = _nothing
    order: Callable[[Any, Iterable[tuple[Key, Any]]], Iterable[tuple[Key, Any]]] = _newest_first
    make: Callable[[Resources, Key], None] | None = None

    def __post_init__(self) -> None:
        stem = self.stem or self.message.DESCRIPTOR.name
        name = self.name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()
        derived = {
            "stem": stem,
            "name": name,
            "in_request": self.in_request or f"{name}_id",
            "does_not_exist": self.does_not_exist or _code(f"{name}_DOES_NOT_EXIST", "CONN_DOES_NOT_EXIST"),
            "invalid_argument": self.invalid_argument or _code(f"{name}_INVALID_ARGUMENT", "CONN_INVALID_REQUEST"),
        }
        for field_name, value in derived.items():
            object.__setattr__(self, field_name, value)

    @property
    def noun(self) -> str:
        """Return the resource as a sentence names it, ``compute cluster``."""
        return self.name.replace("_", " ")

    @property
    def names(self) -> str:
        """Return the plural field of answers, ``compute_clusters``."""
        return f"{self.name}s"

    @property
    def is_in_app(self) -> bool:
        """Tell whether the message says which app it lies in: the server fills that, and no change sets it."""
        return self.has("app_id") and bool(self.parents) and self.parents[0].kind == Kind.APP

    def quoted(self, draft: Draft) -> str:
        """Return the id of a draft as an error may show it."""
        return "(not shown)" if self.hides_id else repr(draft.key[-1])

    def has(self, field_name: str) -> bool:
        """Tell whether the platform's message has this field."""
        return field_name in self.message.DESCRIPTOR.fields_by_name


def _code(name: str, else_name: str) -> int:
    codes = StatusCode.DESCRIPTOR.values_by_name
    return codes[name.upper() if name.upper() in codes else else_name].number
