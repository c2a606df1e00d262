"""Writes values of messages as `clarifai-emulator predict` takes them: ``NAME=VALUE``, files as ``@path``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField

from clarifai_emulator.control.page.array_values import as_npy
from clarifai_emulator.control.page.call_literals import CannotWrite, SnippetFiles
from clarifai_emulator.control.page.json_beginning import json_content, json_pieces
from clarifai_emulator.control.page.media_types import ending_of, media_type

# Linux takes no longer word.
_LONGEST = 100_000
_TYPE = ModelTypeField.DataType
_MEDIA: dict[int, str] = {_TYPE.IMAGE: "image", _TYPE.AUDIO: "audio", _TYPE.VIDEO: "video"}
_ATOMS: dict[int, str] = {_TYPE.INT: "int_value", _TYPE.FLOAT: "float_value", _TYPE.BOOL: "bool_value"}


class CommandWords:
    """Writes values. ``address_of`` gives the address of the file of a value, by its path in the message."""

    def __init__(self, files: SnippetFiles, address_of: Callable[[str], str]) -> None:
        self._files = files
        self._address_of = address_of

    def arguments(self, data: Any, fields: Sequence[Any]) -> list[str]:
        """Return the values of a message. Raises ``CannotWrite``."""
        types = {each.name: each for each in fields}
        if not data.parts and any(each.name != "metadata" for each, _ in data.ListFields()):
            raise CannotWrite("The request is in the form of older clients, without names of arguments.")
        words = list[str]()
        for index, part in enumerate(data.parts):
            if part.id not in types:
                raise CannotWrite(f"The method has no argument '{part.id[:50]}'.")
            value = self._value(part.data, types[part.id], f"parts.{index}", part.id)
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            if len(text) > _LONGEST or "\0" in text:
                raise CannotWrite(f"'{part.id}' is too long, or no text, for a command line.")
            words.append(f"{part.id}={text}")
        return words

    def _value(self, data: Any, kind: Any, path: str, name: str) -> Any:
        if kind.type == _TYPE.STR:
            return data.string_value
        if kind.type in _ATOMS:
            return getattr(data, _ATOMS[kind.type])
        if kind.type == _TYPE.BYTES:
            return self._bytes(data.bytes_value, f"{path}.bytes_value", name)
        if kind.type == _TYPE.TEXT and not data.text.url:
            return data.text.raw
        if kind.type == _TYPE.JSON_DATA and data.HasField("struct_value"):
            return json.loads("".join(json_pieces(json_content(data.struct_value), str)))
        if kind.type in _MEDIA and data.HasField(_MEDIA[kind.type]):
            return self._media(getattr(data, _MEDIA[kind.type]), _MEDIA[kind.type], path, name)
        if kind.type == _TYPE.NDARRAY and as_npy(data.ndarray) is not None:
            return f"@{self._files.add(name, 'npy', self._address_of(f'{path}.ndarray'))}"
        if kind.type == _TYPE.CONCEPT and len(data.concepts) == 1:
            concept = data.concepts[0]
            return {"name": concept.name, "value": concept.value, "id": concept.id}
        return self._container(data, kind, path, name)

    def _container(self, data: Any, kind: Any, path: str, name: str) -> Any:
        if kind.type not in (_TYPE.LIST, _TYPE.TUPLE, _TYPE.NAMED_FIELDS) or (_is_of_fields(data)):
            raise CannotWrite(f"'{name}' is of a type that the command line does not take.")
        inner = [*kind.type_args] * (len(data.parts) if kind.type == _TYPE.LIST else 1)
        by_name = {each.name: each for each in inner}
        is_named = kind.type == _TYPE.NAMED_FIELDS
        if len(inner) < len(data.parts) or (is_named and not all(part.id in by_name for part in data.parts)):
            raise CannotWrite(f"'{name}' holds more than its type says.")
        items = [
            self._value(part.data, by_name[part.id] if is_named else each, f"{path}.parts.{index}", part.id or name)
            for index, (part, each) in enumerate(zip(data.parts, inner, strict=False))
        ]
        return {part.id: item for part, item in zip(data.parts, items, strict=True)} if is_named else items

    def _bytes(self, data: bytes, where: str, name: str) -> str:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = "@"
        if len(text) <= _LONGEST and not text.startswith("@") and "\0" not in text:
            return text
        return self._file(data, "", where, name)

    def _media(self, value: Any, field: str, path: str, name: str) -> str:
        if value.base64:
            return self._file(value.base64, field, f"{path}.{field}", name)
        if "://" in value.url:
            return str(value.url)
        raise CannotWrite(f"'{name}' is empty.")

    def _file(self, data: bytes, wanted: str, where: str, name: str) -> str:
        return f"@{self._files.add(name, ending_of(media_type(data, wanted)), self._address_of(where))}"


def _is_of_fields(data: Any) -> bool:
    """Tell whether the items of a list are fields of the message: concepts, regions, frames."""
    return not data.parts and bool(data.concepts or data.regions or data.frames)
