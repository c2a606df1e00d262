"""Pages, filters and order of a listing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.timestamp_pb2 import Timestamp

from clarifai_emulator.errors import CallerError
from clarifai_emulator.store import Key

DEFAULT_PER_PAGE = 128
MAX_PER_PAGE = 1000
_PAGING = ("user_app_id", "page", "per_page")
_SORT_KEYS = {
    "sort_by_name": "name",
    "sort_by_id": "id",
    "sort_by_description": "description",
    "sort_by_status_code": "status",
    "sort_by_created_at": "created_at",
    "sort_by_modified_at": "modified_at",
}

Item = TypeVar("Item")


def page_of(request: Any, items: Iterable[Item]) -> list[Item]:
    """The page of ``items`` that a request asks for; ``page`` counts from 1, past the end is empty.

    Clients stop at the first answer with nothing but a status, so a page past the end must hold nothing.
    Source: request comments in the proto (default 128) and the pagination page of the docs (at most 1,000).
    """
    size = min(request.per_page or DEFAULT_PER_PAGE, MAX_PER_PAGE)
    start = (max(request.page, 1) - 1) * size
    return list(islice(items, start, start + size))


def refuse_unknown_filters(request: Any, *, known: Collection[str], ignored: Collection[str]) -> None:
    """Raise ``CallerError`` 10040 for a filter that would silently not be applied.

    ``ignored``: fields that change only how much an answer holds, not which items.
    """
    unknown = [field.name for field, _ in request.ListFields() if field.name not in (*known, *ignored)]
    if unknown:
        supported = sorted(name for name in known if name not in _PAGING and "." not in name)
        raise CallerError(
            StatusCode.NOT_IMPLEMENTED,
            f"The emulator does not know the filter {', '.join(unknown)} of {type(request).__name__}.",
            hint=f"Leave it out; supported: {', '.join(supported) or 'none'}.",
        )


def text_matches(request: Any, item: Any) -> bool:
    """Whether an item has the request's ``name`` (``*`` stands for anything), ``query`` and ``search`` texts."""
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
