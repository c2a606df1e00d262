"""Makes the input of an inference request out of the values of a form, as JSON has them, by the method's signature.

    {"prompt": "hi", "image": {"base64": "…"}}  ─►  Data(parts=[…]), the parts that the SDK would make

JSON has no form for some types: these are objects. Media are {"url": …} or {"base64": …}, bytes {"text": …} or
{"base64": …}, arrays lists of numbers or {"values": …, "dtype": …}. Numbers may come as text, which keeps all of
their digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, cast

from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument
from clarifai_emulator.contracts.signatures.shapes import MethodShape, Shape, Type
from clarifai_emulator.control.page.argument_messages import (
    write_array,
    write_concept,
    write_frame,
    write_media,
    write_region,
    write_text,
)
from clarifai_emulator.control.page.given_values import (
    WrongArgument,
    as_number,
    as_text,
    from_base64,
    list_of,
    object_of,
)
from clarifai_emulator.errors import EmulatorError

# The protobuf library reads messages 100 deep; each object in an object takes three.
_DEEPEST = 30
_DIGITS = re.compile(r"\s*[+-]?\d{1,40}\s*", re.ASCII)
Write = Callable[[Any, Shape, Any, str], None]


def write_arguments(data: Any, shape: MethodShape, given: Mapping[str, Any]) -> None:
    """Put the arguments of a call into the ``Data`` of its input. Raises ``EmulatorError``."""
    for name in given:
        if name not in shape.inputs:
            raise EmulatorError(f"{shape.name}: {unknown_argument(name, shape.inputs).message}")
    for name, each in shape.inputs.items():
        if name in given:
            _write_argument(data, each, given[name])
        elif each.required:
            raise EmulatorError(f"{shape.name}: {missing_argument(name, each.label).message}")


def write_stream_item(data: Any, shape: MethodShape, value: Any) -> None:
    """Put one further item of a method's input stream into the ``Data`` of its input. Raises ``EmulatorError``."""
    _write_argument(data, shape.inputs[shape.stream], value)


def _write_argument(data: Any, shape: Shape, value: Any) -> None:
    part = data.parts.add(id=shape.name)
    _write(part.data, shape, value, f"Argument '{shape.name}'")


def _write(data: Any, shape: Shape, value: Any, what: str) -> None:
    write = _WRITERS.get(shape.type)
    if write is None:
        raise EmulatorError(f"{what} has a type that cannot be given here ({shape.item}).")
    write(data, shape, value, what)


# ── plain values ────────────────────────────────────────────────────────────────────────────────────────


def _text(data: Any, shape: Shape, value: Any, what: str) -> None:
    data.string_value = as_text(value, what, "text")


def _whole_number(data: Any, shape: Shape, value: Any, what: str) -> None:
    number = _whole(value)
    if number is None:
        raise WrongArgument(what, "a whole number", value)
    if not -(2**63) <= number < 2**63:
        raise WrongArgument(what, "a whole number of 64 bits (-2**63 to 2**63-1)", value)
    data.int_value = number


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(data: Any, shape: Shape, value: Any, what: str) -> None:
    data.float_value = as_number(value, what)


def _truth(data: Any, shape: Shape, value: Any, what: str) -> None:
    if not isinstance(value, bool):
        raise WrongArgument(what, "true or false", value)
    data.bool_value = value


def _some_bytes(data: Any, shape: Shape, value: Any, what: str) -> None:
    if isinstance(value, str):
        value = {"text": value}
    given = object_of(value, what, ("text", "base64"), 'text, or a file as {"base64": …}')
    if "base64" in given:
        data.bytes_value = from_base64(given["base64"], what)
    else:
        data.bytes_value = as_text(given.get("text"), what, "text").encode()


def _json(data: Any, shape: Shape, value: Any, what: str) -> None:
    if not isinstance(value, (dict, list)):
        raise WrongArgument(what, "JSON: an object {…} or a list […]", value)
    if _depth(value) > _DEEPEST:
        raise EmulatorError(f"{what} is nested too deeply: {_DEEPEST} levels can be sent.")
    _require_sendable(value, what)
    # A list travels in an object, as the SDK sends it.
    data.struct_value.SetInParent()
    data.struct_value.update({"_list": value} if isinstance(value, list) else value)


def _depth(value: Any) -> int:
    """Return how deep JSON is nested, as far as matters."""
    deep, level = 0, [value]
    while level and deep <= _DEEPEST:
        inner = (
            each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list))
        )
        level, deep = list(chain.from_iterable(inner)), deep + 1
    return deep


def _require_sendable(value: Any, what: str) -> None:
    if isinstance(value, str):
        as_text(value, what, "text")
    elif isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            as_text(name, what, "text")
            _require_sendable(each, what)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            _require_sendable(each, what)
    elif isinstance(value, int):
        as_number(int(value), what)


# ── containers ──────────────────────────────────────────────────────────────────────────────────────────


def _list(data: Any, shape: Shape, value: Any, what: str) -> None:
    inner = shape.args[0]
    for index, each in enumerate(list_of(value, what)):
        # Of these, the SDK puts all into one repeated field.
        target = data if inner.type in _REPEATED else data.parts.add().data
        _write(target, inner, each, f"{what}, item {index + 1},")


def _tuple(data: Any, shape: Shape, value: Any, what: str) -> None:
    values = list_of(value, what)
    if len(values) != len(shape.args):
        raise WrongArgument(what, f"{len(shape.args)} values ({shape.item})", value)
    for index, (inner, each) in enumerate(zip(shape.args, values, strict=True)):
        _write(data.parts.add(id=str(index)).data, inner, each, f"{what}, item {index + 1},")


def _named_fields(data: Any, shape: Shape, value: Any, what: str) -> None:
    names = tuple(each.name for each in shape.args)
    given = object_of(value, what, names, f"an object with the fields {', '.join(names)}")
    for inner in shape.args:
        if inner.name not in given:
            raise EmulatorError(f"{what} lacks the field '{inner.name}' ({inner.item}).")
        _write(data.parts.add(id=inner.name).data, inner, given[inner.name], f"{what}, field '{inner.name}',")


_REPEATED = (Type.CONCEPT, Type.REGION, Type.FRAME)
_WRITERS: Mapping[int, Write] = {
    Type.STR: _text,
    Type.BYTES: _some_bytes,
    Type.INT: _whole_number,
    Type.FLOAT: _number,
    Type.BOOL: _truth,
    Type.NDARRAY: write_array,
    Type.JSON_DATA: _json,
    Type.TEXT: write_text,
    Type.IMAGE: write_media,
    Type.AUDIO: write_media,
    Type.VIDEO: write_media,
    Type.CONCEPT: write_concept,
    Type.REGION: write_region,
    Type.FRAME: write_frame,
    Type.LIST: _list,
    Type.TUPLE: _tuple,
    Type.NAMED_FIELDS: _named_fields,
}
