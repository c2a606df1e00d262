"""Makes the platform's own messages of what a form gives: texts, media, concepts, regions, frames and arrays."""

from __future__ import annotations

import re
import struct
from itertools import chain
from typing import Any, cast

from clarifai_emulator.contracts.signatures.shapes import Shape, Type
from clarifai_emulator.control.page.given_values import (
    WrongArgument,
    as_number,
    as_text,
    from_base64,
    list_of,
    object_of,
)
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.unique_ids import unique_id

_MEDIA_FIELDS: dict[int, str] = {Type.IMAGE: "image", Type.AUDIO: "audio", Type.VIDEO: "video"}
_DTYPES = {
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


def write_text(data: Any, shape: Shape, value: Any, what: str) -> None:
    given = {"text": value} if isinstance(value, str) else object_of(value, what, ("text", "url"), "text")
    data.text.raw = as_text(given.get("text", ""), what, "text")
    data.text.url = as_text(given.get("url", ""), what, "an address")


def write_media(data: Any, shape: Shape, value: Any, what: str) -> None:
    _fill_media(getattr(data, _MEDIA_FIELDS[shape.type]), value, what, shape.item.lower())


def _fill_media(message: Any, value: Any, what: str, kind: str) -> None:
    expected = f'the file of the {kind} as {{"base64": …}}, or its address as {{"url": …}}'
    given = object_of(value, what, ("url", "base64"), expected)
    if not (given.get("url") or given.get("base64")):
        raise WrongArgument(what, expected, None)
    if given.get("base64"):
        message.base64 = from_base64(given["base64"], what)
    if given.get("url"):
        message.url = as_text(given["url"], what, "an address")


def write_concept(data: Any, shape: Shape, value: Any, what: str) -> None:
    _fill_concept(data.concepts.add(), value, what)


def _fill_concept(message: Any, value: Any, what: str) -> None:
    expected = 'the name of a concept, or {"name": …, "value": …}'
    given = {"name": value} if isinstance(value, str) else object_of(value, what, ("id", "name", "value"), expected)
    name = as_text(given.get("name"), what, expected)
    message.name = name
    # The SDK makes the id of the name.
    message.id = as_text(given.get("id") or re.sub(r"[^a-zA-Z0-9\s]", "", name).replace(" ", "-"), what, "an id")
    message.value = _within_float(given.get("value", 1.0), f"{what}: 'value'")


def write_region(data: Any, shape: Shape, value: Any, what: str) -> None:
    _fill_region(data.regions.add(), value, what)


def _fill_region(message: Any, value: Any, what: str) -> None:
    names = ("box", "concepts", "text", "point", "mask", "track_id", "id")
    given = object_of(value, what, names, 'a region, as {"box": [left, top, right, bottom], "concepts": […]}')
    message.id = as_text(given.get("id") or unique_id(), f"{what}: 'id'", "text")
    info = message.region_info
    if "box" in given:
        left, top, right, bottom = _numbers(given["box"], 4, f"{what}: 'box'")
        box = info.bounding_box
        box.left_col, box.top_row, box.right_col, box.bottom_row = left, top, right, bottom
    if "point" in given:
        info.point.col, info.point.row, info.point.z = _numbers(given["point"], 3, f"{what}: 'point'")
    if "mask" in given:
        _fill_media(info.mask.image, given["mask"], f"{what}: 'mask'", "image")
    if "track_id" in given:
        message.track_id = as_text(given["track_id"], f"{what}: 'track_id'", "text")
    if "text" in given:
        message.data.text.raw = as_text(given["text"], f"{what}: 'text'", "text")
    for each in list_of(given.get("concepts", []), f"{what}: 'concepts'"):
        _fill_concept(message.data.concepts.add(), each, f"{what}: 'concepts'")


def write_frame(data: Any, shape: Shape, value: Any, what: str) -> None:
    _fill_frame(data.frames.add(), value, what)


def _fill_frame(message: Any, value: Any, what: str) -> None:
    names = ("image", "regions", "time", "index", "url", "base64")
    given = object_of(value, what, names, 'a frame, as {"image": {"url": …}, "time": seconds}')
    image = given.get("image") or {name: given[name] for name in ("url", "base64") if name in given}
    if image:
        _fill_media(message.data.image, image, f"{what}: 'image'", "image")
    for each in list_of(given.get("regions", []), f"{what}: 'regions'"):
        _fill_region(message.data.regions.add(), each, f"{what}: 'regions'")
    if "time" in given:
        message.frame_info.time = _count(as_number(given["time"], f"{what}: 'time'") * 1000, f"{what}: 'time'")
    if "index" in given:
        message.frame_info.index = _count(as_number(given["index"], f"{what}: 'index'"), f"{what}: 'index'")


def _count(number: float, what: str) -> int:
    if not 0 <= number < 2**32:
        raise WrongArgument(what, "a number from 0 to 2**32", number)
    return int(number)


def _numbers(value: Any, count: int, what: str) -> list[float]:
    if not isinstance(value, list) or len(cast("list[Any]", value)) != count:
        raise WrongArgument(what, f"a list of {count} numbers", value)
    return [_within_float(each, what) for each in cast("list[Any]", value)]


def _within_float(value: Any, what: str) -> float:
    number = as_number(value, what)
    try:
        struct.pack("<f", number)
    except OverflowError:
        raise WrongArgument(what, "a number that a 32-bit float can hold", value) from None
    return number


def write_array(data: Any, shape: Shape, value: Any, what: str) -> None:
    expected = 'numbers in lists of the same length, or {"values": […], "dtype": "float32"}'
    given = object_of(value, what, ("values", "dtype"), expected) if isinstance(value, dict) else {"values": value}
    flat, lengths = _flattened(given.get("values"), what, expected)
    # What numpy makes of such numbers.
    usual = "float64" if not flat or any(isinstance(each, float) for each in flat) else "int64"
    dtype = given.get("dtype") or usual
    code = _DTYPES.get(dtype) if isinstance(dtype, str) else None
    if code is None:
        raise WrongArgument(what, f"one of the dtypes {', '.join(_DTYPES)}", dtype)
    try:
        wanted = flat if code in "efd" else [_whole(each) for each in flat]
        data.ndarray.buffer = struct.pack(f"<{len(wanted)}{code}", *wanted)
    except (struct.error, OverflowError, ValueError):
        raise EmulatorError(f"{what} has a number that {dtype} cannot hold.") from None
    data.ndarray.shape.extend(lengths)
    data.ndarray.dtype = dtype


def _whole(number: float) -> float:
    """Return 3 for 3.0; a number with a fraction stays one, and is refused."""
    return int(number) if number == int(number) else number


def _flattened(value: Any, what: str, expected: str) -> tuple[list[float], list[int]]:
    """Return the numbers of nested lists, and the length of the lists at each depth."""
    lengths: list[int] = []
    level: list[Any] = [value]
    while level and isinstance(level[0], list):
        inner = [len(each) if isinstance(each, list) else -1 for each in level]
        if len(set(inner)) > 1 or len(lengths) == 32:
            raise WrongArgument(what, expected, value)
        lengths.append(inner[0])
        level = list(chain.from_iterable(level))
    if any(isinstance(each, bool) or not isinstance(each, (int, float)) for each in level):
        raise WrongArgument(what, expected, value)
    return level, lengths
