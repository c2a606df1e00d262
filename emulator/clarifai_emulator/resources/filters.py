"""Filters and sorts a listing by the fields that several kinds of resource have."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from clarifai_emulator.store import Key

_SORT_KEYS = {
    "sort_by_name": "name",
    "sort_by_id": "id",
    "sort_by_description": "description",
    "sort_by_status_code": "status",
    "sort_by_created_at": "created_at",
    "sort_by_modified_at": "modified_at",
}


def text_matches(request: Any, item: Any) -> bool:
    """Tell whether an item has the request's ``name`` (``*`` stands for anything), ``query`` and ``search``
    texts."""
    if request.name and not fnmatchcase(item.name.lower(), request.name.lower()):
        return False
    text = f"{item.id}\n{item.name}\n{item.description}".lower()
    return all(wanted.lower() in text for wanted in (request.query, request.search))


def sorted_as_asked(request: Any, items: Iterable[tuple[Key, Any]]) -> Iterable[tuple[Key, Any]]:
    """Items in the order that ``sort_by_…`` and ``sort_ascending`` name; newest first when nothing is asked."""
    names = [field.name for field, _ in request.ListFields()]
    field = next((_SORT_KEYS[name] for name in names if name in _SORT_KEYS), None)
    ascending = request.sort_ascending
    if field is None:
        return reversed(list(items)) if ascending else items
    return sorted(items, key=lambda each: _sortable(getattr(each[1], field)), reverse=not ascending)


def _sortable(value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.seconds, value.nanos
    return value.code if hasattr(value, "code") else value
