"""Reads arrays as they come over the wire: their first values, and all of one as a file that numpy loads."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

# By the names that numpy gives: the kind of number, and its size in bytes.
_NAMED = re.compile(r"(bool|int|uint|float|complex)(\d*)")
_SHORT = re.compile(r"([<>=|]?)([biufc?])(\d*)")
_KINDS = {"bool": "b", "int": "i", "uint": "u", "float": "f", "complex": "c", "?": "b"}
_LETTERS = {
    ("b", 1): "?",
    **{("i", size): letter for size, letter in ((1, "b"), (2, "h"), (4, "i"), (8, "q"))},
    **{("u", size): letter for size, letter in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))},
    **{("f", size): letter for size, letter in ((2, "e"), (4, "f"), (8, "d"))},
    **{("c", size): 2 * letter for size, letter in ((8, "f"), (16, "d"))},
}


def first_values(array: Any, most: int) -> list[str] | None:
    """Return the first values of an ``NDArray`` message, in words; None for a type that is not known."""
    form = _form(array.dtype)
    if form is None:
        return None
    order, kind, size = form
    count = min(most, len(array.buffer) // size)
    numbers = struct.unpack(f"{order}{count * _LETTERS[kind, size]}", array.buffer[: count * size])
    if kind == "c":
        return [str(complex(*numbers[at : at + 2])) for at in range(0, len(numbers), 2)]
    return [_written(each) for each in numbers]


def few_numbers(array: Any, most: int) -> list[int | float] | None:
    """Return all numbers of a small array as they are; None for a larger one, and for what is no plain number."""
    form = _form(array.dtype)
    if form is None or form[1] not in "iuf" or not is_whole(array) or len(array.buffer) > most * form[2]:
        return None
    order, kind, size = form
    count = len(array.buffer) // size
    numbers = list(struct.unpack(f"{order}{count * _LETTERS[kind, size]}", array.buffer))
    return numbers if all(math.isfinite(each) for each in numbers) else None


def is_whole(array: Any) -> bool:
    """Tell whether the bytes of an array are those that its shape asks for."""
    form = _form(array.dtype)
    return form is not None and len(array.buffer) == math.prod(array.shape) * form[2]


def as_npy(array: Any) -> bytes | None:
    """Return an ``NDArray`` message as a file that ``numpy.load`` reads; None for a type that is not known."""
    form = _form(array.dtype)
    if form is None or not is_whole(array):
        return None
    order, kind, size = form
    shape = tuple(int(each) for each in array.shape)
    text = f"{{'descr': '{order if size > 1 else '|'}{kind}{size}', 'fortran_order': False, 'shape': {shape}, }}"
    padded = text.ljust(-(len(text) + 11) % 64 + len(text)) + "\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded.encode() + array.buffer


def _form(dtype: str) -> tuple[str, str, int] | None:
    """Return the order of bytes, the kind of number and its size; None for a type that is not known."""
    if named := _NAMED.fullmatch(dtype):
        order, kind, size = "<", _KINDS[named[1]], int(named[2] or 8) // 8
    elif short := _SHORT.fullmatch(dtype):
        order, size = ">" if short[1] == ">" else "<", int(short[3] or 1)
        kind = _KINDS.get(short[2], short[2])
    else:
        return None
    return (order, kind, size) if (kind, size) in _LETTERS else None


def _written(number: Any) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)
