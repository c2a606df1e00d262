"""Writes resources as bytes for the state file and as JSON for people, and reads them, as their rows say.

A record of a kind that no row describes, which a newer version has written, stays the bytes that it is.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message

from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.store import Key, Kind, Store

Table = Mapping[Kind, Record]
_UNREAD = "unread_bytes"


class BadRecord(Exception):
    """Says that a record is none of the store's."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Holds a record of a kind that this version does not know."""

    data: bytes


def is_kept(store: Store, table: Table, kind: Kind, key: Key) -> bool:
    """Tell whether a resource outlives the process."""
    row = table.get(kind)
    return row is None or row.is_kept(store, key)


def kept(store: Store, table: Table) -> Iterator[tuple[Kind, Key, Any]]:
    """Return everything that outlives the process, oldest first within its kind."""
    for kind in store.kinds:
        for key in reversed(list(store.keys(kind))):
            if is_kept(store, table, kind, key):
                yield kind, key, store.get(kind, key)


def to_bytes(item: Any) -> bytes:
    """Return a resource as the state file holds it."""
    if isinstance(item, Unread):
        return item.data
    return item.SerializeToString() if isinstance(item, Message) else json.dumps(item.as_record()).encode()


def from_bytes(row: Record | None, data: bytes) -> Any:
    """Return the resource that ``to_bytes`` wrote; ``Unread`` without a row. Raises ``BadRecord``."""
    if row is None:
        return Unread(data)
    try:
        is_message = issubclass(row.message, Message)
        return row.message.FromString(data) if is_message else row.message.of_record(json.loads(data))
    except (DecodeError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(row, error) from None


def to_json(item: Any) -> Any:
    """Return a resource as people and other machines read it."""
    if isinstance(item, Unread):
        return {_UNREAD: base64.b64encode(item.data).decode()}
    return as_dict(item) if isinstance(item, Message) else item.as_record()


def from_json(row: Record | None, content: Any, name: str = "") -> Any:
    """Return the resource that ``to_json`` wrote; ``Unread`` without a row. Raises ``BadRecord``."""
    if isinstance(content, dict) and set(content) == {_UNREAD}:
        return from_bytes(row, _unread(content[_UNREAD]))
    if row is None:
        raise BadRecord(f"this version does not know the kind {name!r}")
    try:
        is_message = issubclass(row.message, Message)
        return ParseDict(content, row.message()) if is_message else row.message.of_record(content)
    except (ParseError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(row, error) from None


def _unread(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise BadRecord(f"its `{_UNREAD}` is not base64") from None


def _unreadable(row: Record, error: Exception) -> BadRecord:
    return BadRecord(f"a {row.kind} that cannot be read: {error}")


def why_it_cannot_run(source: ModelSource) -> str:
    """Name what of a version's code is gone since it was deployed; return nothing when all is there."""
    if not source.path.is_dir():
        return f"its directory {source.path} is gone"
    # A container brings its own; its image is built again where it is gone.
    return "" if source.image or source.python.exists() else f"its Python environment {source.python} is gone"


def cannot_run(key: Key, source: ModelSource) -> str:
    """Say in a sentence about the version what is gone, with what to do."""
    why = why_it_cannot_run(source)
    return f"Version {key[3][:8]} of model {'/'.join(key[:3])} cannot run: {why}. Deploy it again."
