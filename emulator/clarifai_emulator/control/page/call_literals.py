"""Writes values of messages as Python expressions that the Clarifai SDK takes, as the method's signature says.

What is long, or no text, is a file that stands beside the program: ``files`` says where it is to be had.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField

from clarifai_emulator.control.page.array_values import as_npy, few_numbers
from clarifai_emulator.control.page.json_beginning import json_content
from clarifai_emulator.control.page.media_types import ending_of, media_type

_MOST_OF_TEXT = 2_000
_MOST_BYTES = 100
_MOST_NUMBERS = 24
_TYPE = ModelTypeField.DataType
_FIELDS: dict[int, str] = {
    _TYPE.TEXT: "text",
    _TYPE.JSON_DATA: "struct_value",
    _TYPE.NDARRAY: "ndarray",
    _TYPE.IMAGE: "image",
    _TYPE.AUDIO: "audio",
    _TYPE.VIDEO: "video",
}
_LISTED: dict[int, str] = {_TYPE.CONCEPT: "concepts", _TYPE.REGION: "regions", _TYPE.FRAME: "frames"}


class CannotWrite(Exception):
    """Says why a call cannot be written in some form."""


class SnippetFiles:
    """Collects the files that a program needs beside it."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}

    def add(self, name: str, ending: str, address: str) -> str:
        """Return the name of a file with what is at an address of the page."""
        plain = "".join(each if each.isalnum() and each.isascii() else "_" for each in name)[:40] or "value"
        number, file = 1, f"{plain}.{ending}"
        while self._addresses.get(file, address) != address:
            number += 1
            file = f"{plain}_{number}.{ending}"
        self._addresses[file] = address
        return file

    def as_list(self) -> list[dict[str, str]]:
        """Return the files by name, each with its address."""
        return [{"name": name, "address": address} for name, address in self._addresses.items()]


class CallLiterals:
    """Writes values. ``address_of`` gives the address of the file of a value, by its path in the message.
    ``names``: what the expressions use. ``is_compared``: they are compared with what came over the wire."""

    def __init__(self, files: SnippetFiles, address_of: Callable[[str], str], is_compared: bool = False) -> None:
        self._is_compared = is_compared
        self._files = files
        self._address_of = address_of
        self.names: set[str] = set()

    def arguments(self, data: Any, fields: Sequence[Any]) -> dict[str, str]:
        """Return the values of a message by name. Raises ``CannotWrite``."""
        types = {each.name: each for each in fields}
        if not data.parts and any(each.name != "metadata" for each, _ in data.ListFields()):
            raise CannotWrite("The request is in the form of older clients, without names of arguments.")
        written: dict[str, str] = {}
        for index, part in enumerate(data.parts):
            if part.id not in types:
                raise CannotWrite(f"The method has no argument '{part.id[:50]}'.")
            written[part.id] = self.value(part.data, types[part.id], f"parts.{index}", part.id)
        return written

    def value(self, data: Any, kind: Any, path: str, name: str) -> str:
        """Return one value. Raises ``CannotWrite``."""
        if kind.type == _TYPE.STR:
            return self._text(data.string_value, f"{path}.string_value", name)
        if kind.type == _TYPE.BYTES:
            return self._bytes(data.bytes_value, f"{path}.bytes_value", name)
        if kind.type in (_TYPE.INT, _TYPE.BOOL):
            return repr(data.int_value if kind.type == _TYPE.INT else data.bool_value)
        if kind.type == _TYPE.FLOAT:
            return _number(data.float_value)
        if kind.type in (_TYPE.LIST, _TYPE.TUPLE, _TYPE.NAMED_FIELDS):
            return self._container(data, kind, path, name)
        return self._message(data, kind.type, path, name)

    def _message(self, data: Any, kind: int, path: str, name: str) -> str:
        if kind in _LISTED:
            items = getattr(data, _LISTED[kind])
            return self._one(items[0], kind, path) if len(items) == 1 else "None"
        field = _FIELDS.get(kind)
        if field is None:
            raise CannotWrite(f"'{name}' has a type that is not known.")
        if not data.HasField(field):
            return "None"
        value, where = getattr(data, field), f"{path}.{field}"
        if kind == _TYPE.TEXT:
            return self._uses("Text", self._text(value.raw, where, name), *_url(value))
        if kind == _TYPE.JSON_DATA:
            return self._json(value, where, name)
        return self._array(value, where, name) if kind == _TYPE.NDARRAY else self._media(value, field, where, name)

    def _container(self, data: Any, kind: Any, path: str, name: str) -> str:
        inner = list(kind.type_args)
        if kind.type == _TYPE.LIST and inner and inner[0].type in _LISTED:
            items = getattr(data, _LISTED[inner[0].type])
            return f"[{', '.join(self._one(each, inner[0].type, path) for each in items)}]"
        if kind.type == _TYPE.LIST:
            inner = inner * len(data.parts)
        if len(inner) < len(data.parts):
            raise CannotWrite(f"'{name}' holds more than its type says.")
        if kind.type == _TYPE.NAMED_FIELDS:
            inner_of = {each.name: each for each in inner}
            if not all(part.id in inner_of for part in data.parts):
                raise CannotWrite(f"'{name}' has fields that its type does not name.")
            inner = [inner_of[part.id] for part in data.parts]
        items = [
            self.value(part.data, each, f"{path}.parts.{index}", part.id or name)
            for index, (part, each) in enumerate(zip(data.parts, inner, strict=False))
        ]
        if kind.type == _TYPE.NAMED_FIELDS:
            named = [f"{part.id}={each}" for part, each in zip(data.parts, items, strict=True)]
            return self._uses("NamedFields", *named)
        if kind.type == _TYPE.LIST:
            return f"[{', '.join(items)}]"
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"

    def _uses(self, name: str, *arguments: str) -> str:
        self.names.add(name)
        return f"{name}({', '.join(arguments)})"

    def _text(self, text: str, where: str, name: str) -> str:
        if len(text) <= _MOST_OF_TEXT:
            return repr(text)
        self.names.add("Path")
        return f"Path({self._files.add(name, 'txt', self._address_of(where))!r}).read_bytes().decode()"

    def _bytes(self, data: bytes, where: str, name: str) -> str:
        return repr(data) if len(data) <= _MOST_BYTES else self._read(data, "", where, name)

    def _read(self, data: bytes, wanted: str, where: str, name: str) -> str:
        self.names.add("Path")
        file = self._files.add(name, ending_of(media_type(data, wanted)), self._address_of(where))
        return f"Path({file!r}).read_bytes()"

    def _json(self, content: Any, where: str, name: str) -> str:
        if content.ByteSize() > 2 * _MOST_OF_TEXT:
            self.names.update(("Path", "json"))
            return f"json.loads(Path({self._files.add(name, 'json', self._address_of(where))!r}).read_bytes())"
        return json_literal(json_content(content))

    def _array(self, array: Any, where: str, name: str) -> str:
        self.names.add("np")
        numbers = few_numbers(array, _MOST_NUMBERS)
        if numbers is not None:
            shape = ", ".join(map(str, array.shape))
            reshaped = f".reshape({shape})" if len(array.shape) != 1 and shape else ""
            content = repr(numbers if array.shape else numbers[0]) if numbers or not array.shape else "[]"
            return f"np.array({content}, dtype={array.dtype!r}){reshaped}"
        if as_npy(array) is None:
            raise CannotWrite(
                f"'{name}' is an array of a type that numpy has not, or of another size than its shape."
            )
        return f"np.load({self._files.add(name, 'npy', self._address_of(where))!r})"

    def _media(self, value: Any, field: str, where: str, name: str) -> str:
        given = _url(value)
        if value.base64:
            given = (*given, f"bytes={self._read(value.base64, field, where, name)}")
        return self._uses(field.capitalize(), *given)

    def _one(self, value: Any, kind: int, path: str) -> str:
        """Return a concept, a region or a frame. Raises ``CannotWrite`` for one that holds more than is written."""
        if kind == _TYPE.CONCEPT:
            _allow(value, "id", "name", "value")
            amount = repr(value.value) if self._is_compared else _float32(value.value)
            return self._uses("Concept", repr(value.name), f"value={amount}", f"id={value.id!r}")
        if kind == _TYPE.FRAME:
            raise CannotWrite("Frames are not written.")
        _allow(value, "id", "region_info", "data")
        _allow(value.region_info, "bounding_box")
        _allow(value.data, "concepts", "text")
        box = value.region_info.bounding_box
        given = [f"id={value.id!r}"]
        if value.region_info.HasField("bounding_box"):
            corners = (box.left_col, box.top_row, box.right_col, box.bottom_row)
            given.append(f"box=[{', '.join(map(_float32, corners))}]")
        if value.data.concepts:
            concepts = [self._one(each, _TYPE.CONCEPT, path) for each in value.data.concepts]
            given.append(f"concepts=[{', '.join(concepts)}]")
        if value.data.text.raw:
            given.append(f"text={value.data.text.raw!r}")
        return self._uses("Region", *given)


def json_literal(value: Any) -> str:
    """Return a ``Struct``, ``ListValue`` or ``Value`` as Python writes it."""
    kind = value.DESCRIPTOR.name
    if kind == "Struct":
        return f"{{{', '.join(f'{name!r}: {json_literal(value.fields[name])}' for name in sorted(value.fields))}}}"
    if kind == "ListValue":
        return f"[{', '.join(map(json_literal, value.values))}]"
    which = value.WhichOneof("kind")
    if which in ("struct_value", "list_value"):
        return json_literal(getattr(value, which))
    if which == "number_value":
        return _number(value.number_value, is_json=True)
    return repr(getattr(value, which)) if which in ("string_value", "bool_value") else "None"


def _number(number: float, is_json: bool = False) -> str:
    if not math.isfinite(number):
        return f'float("{number}")'
    return str(int(number)) if is_json and number.is_integer() and abs(number) < 2**53 else repr(number)


def _float32(number: float) -> str:
    """Return the shortest number that is the same in 32 bits."""

    def is_same(text: str) -> bool:
        return struct.unpack("<f", struct.pack("<f", float(text)))[0] == number

    return next(filter(is_same, (f"{number:.{digits}g}" for digits in (6, 7, 8))), f"{number:.9g}")


def _url(value: Any) -> tuple[str, ...]:
    return (f"url={value.url!r}",) if value.url else ()


def _allow(message: Any, *names: str) -> None:
    strange: Iterable[str] = (field.name for field, _ in message.ListFields() if field.name not in names)
    if found := next(iter(strange), ""):
        raise CannotWrite(f"It holds a {message.DESCRIPTOR.name} with '{found}'.")
