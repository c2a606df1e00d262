"""Reads the JSON that a browser sends, and writes what it reads: neither side gets what it cannot take."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from clarifai_emulator.api.rest.transcoding import read_json
from clarifai_emulator.control.page.loop_turns import LoopTurns
from clarifai_emulator.control.page.page_topics import bad_request

# Deeper than any value that a form makes, and less deep than what walks through values may recurse.
_MOST_LEVELS = 100
# Of a large answer: how deep it is taken to pieces, and how much of a list is a piece.
_PIECES_LEVELS = 3
_MOST_AT_ONCE = 50
NO_JSON = "What the page sends is a JSON object, with content-type: application/json."
TOO_DEEP = f"What the page sends may be nested {_MOST_LEVELS} levels deep at most."
NO_TEXT = "A text that was sent holds half a character: an unpaired surrogate."
SHOWN_TOO_DEEP = "This is nested too deeply to be shown on the page."
_ENCODER = json.JSONEncoder(allow_nan=False, default=str)


def json_object(name: str, body: bytes) -> dict[str, Any]:
    """Return the object that a browser sent, for what ``name`` says. Raises ``CallerError`` for what is no JSON,
    ``HttpProblem`` for what is no object, or holds what no form makes."""
    given = read_json(name, body)
    if not isinstance(given, dict):
        raise bad_request(NO_JSON)
    if not _is_flat(given):
        raise bad_request(TOO_DEEP)
    if b"\\u" in body and not _is_text(given):
        raise bad_request(NO_TEXT)
    return given


def json_bytes(data: Any) -> bytes:
    """Return data as JSON. Numbers that JSON has not become texts: a browser would refuse all of it for one."""
    try:
        try:
            return _ENCODER.encode(data).encode()
        except ValueError:
            return _ENCODER.encode(_with_finite_numbers(data)).encode()
    except RecursionError:
        raise bad_request(SHOWN_TOO_DEEP) from None


async def json_in_turns(data: Any) -> bytes:
    """Return the same, made in pieces, so that a large answer does not hold up the event loop."""
    return b"".join([piece async for piece in LoopTurns().through(_json_pieces(data, _PIECES_LEVELS))])


def with_lists(data: Any) -> Any:
    """Return data in which a list may be an iterator, as a read may give it, with lists. Bytes in it are JSON."""
    if isinstance(data, dict):
        return {name: with_lists(value) for name, value in data.items()}
    if isinstance(data, Iterator):
        return [json.loads(each) if isinstance(each, bytes) else each for each in data]
    return data


def _json_pieces(data: Any, levels: int) -> Iterator[bytes]:
    if levels and isinstance(data, dict) and data:
        opening = b"{"
        for name, value in data.items():
            yield opening + json_bytes(str(name)) + b": "
            yield from _json_pieces(value, levels - 1)
            opening = b", "
        yield b"}"
    elif isinstance(data, Iterator) or (levels and isinstance(data, list) and len(data) > _MOST_AT_ONCE):
        items = iter(data)
        opening = b"["
        # What is a piece already is let go: kept whole, it would be gone through by the garbage collection.
        while some := list(islice(items, _MOST_AT_ONCE)):
            is_json = isinstance(some[0], bytes)
            yield opening + (b", ".join(some) if is_json else json_bytes(some)[1:-1])
            opening = b", "
        yield b"]" if opening == b", " else b"[]"
    else:
        yield json_bytes(data)


def _with_finite_numbers(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"
    if isinstance(data, dict):
        return {key: _with_finite_numbers(each) for key, each in data.items()}
    if isinstance(data, (list, tuple)):
        return [_with_finite_numbers(each) for each in data]
    return data


def _is_flat(given: dict[str, Any]) -> bool:
    level: list[Any] = [given]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False


def _is_text(given: dict[str, Any]) -> bool:
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
