"""Cuts pages out of a listing, and refuses filters that are not known."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError

DEFAULT_PER_PAGE = 128
MAX_PER_PAGE = 1000
_PAGING = ("user_app_id", "page", "per_page")

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
            row="listing.unknown-filter",
        )
