"""Shows the values of a message to a browser: arguments and results by name, as the method's signature says.

    Data, fields of the signature ─► shown_values ─► [{"name", "type", "kind": text | number | json | media | …, …}]

Long values are cut and say so; ``whole`` is then the address at which all of one is (``value_files.py``). No secret
is in what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField
from google.protobuf.struct_pb2 import Struct

from clarifai_emulator.api.secret_texts import SecretTexts, is_secret_name
from clarifai_emulator.contracts.signatures.shapes import shape_of
from clarifai_emulator.control.page.array_values import first_values
from clarifai_emulator.control.page.json_beginning import json_content, json_pieces, number_text
from clarifai_emulator.control.page.media_types import UNKNOWN, media_type
from clarifai_emulator.messages.data_values import ATOM_FIELDS
from clarifai_emulator.messages.json import as_dict

# So much of one text is shown, and of all texts of one answer together; afterwards, so much of each that follows.
MOST_OF_TEXT = 64 * 1024
MOST_IN_ALL = 2 * 1024 * 1024
_MOST_OF_FURTHER = 200
# A secret that begins in what is shown, and ends after it, is hidden, too.
_LONGEST_SECRET = 8 * 1024
_MOST_ITEMS = 100
_MOST_DEPTH = 12
_MOST_NUMBERS = 24
_FIRST_BYTES = 64
_MEDIA = ("image", "audio", "video")
_TYPE = ModelTypeField.DataType
_BY_TYPE = {
    **ATOM_FIELDS,
    _TYPE.TEXT: "text",
    _TYPE.IMAGE: "image",
    _TYPE.AUDIO: "audio",
    _TYPE.VIDEO: "video",
    _TYPE.JSON_DATA: "struct_value",
    _TYPE.NDARRAY: "ndarray",
}
Shown = dict[str, Any]


def _nowhere(path: str) -> str:
    return ""


class ValueRoom:
    """Holds how many characters of one answer may still be shown."""

    def __init__(self, left: int = MOST_IN_ALL) -> None:
        self._left = left

    @property
    def most(self) -> int:
        """Return how much of the next text is shown."""
        return min(MOST_OF_TEXT, max(self._left, _MOST_OF_FURTHER))

    def take(self, characters: int) -> None:
        """Note that so many characters are shown."""
        self._left -= characters


@dataclass(frozen=True, slots=True)
class ValueView:
    """Holds how values are shown. ``address_of`` gives the address of the whole of a value, by its path in the
    message, or an empty text. ``room``: of the answer in which they are."""

    secrets: SecretTexts = field(default_factory=SecretTexts)
    address_of: Callable[[str], str] = _nowhere
    room: ValueRoom = field(default_factory=ValueRoom)

    def at(self, address_of: Callable[[str], str]) -> ValueView:
        """Return the view of other values in the same answer."""
        return ValueView(self.secrets, address_of, self.room)

    def beginning(self, text: str) -> tuple[str, bool]:
        """Return what is shown of a text, and whether that is all of it."""
        most = self.room.most
        shown = self.secrets.hide(text[: most + _LONGEST_SECRET])[:most]
        self.room.take(len(shown))
        return shown, len(text) <= most


def shown_values(data: Any, fields: Sequence[Any], view: ValueView) -> list[Shown]:
    """Return the values of a ``Data`` message by name. ``fields``: those of the method's signature, if there is
    one: a message of older clients has its only value without a name."""
    types = {each.name: each for each in fields}
    if data.parts:
        found = [
            _named(part.id, types.get(part.id), _value(part.data, types.get(part.id), f"parts.{index}", view))
            for index, part in enumerate(data.parts[:_MOST_ITEMS])
        ]
        left_out = len(data.parts) - len(found)
        return [*found, {"name": "", "kind": "left_out", "count": left_out}] if left_out else found
    present = list(_present(data))
    # Of a text, the SDK's runner sets two fields for older clients, which a call without arguments looks like.
    typed = _BY_TYPE.get(fields[0].type, "") if len(fields) == 1 else ""
    present = [typed] if typed in present else present
    if len(present) == 1:
        name = fields[0].name if fields else ""
        return [_named(name, types.get(name), _of_field(data, present[0], "", view))]
    return [_named(each, None, _of_field(data, each, "", view)) for each in present]


def _named(name: str, kind: Any | None, value: Shown) -> Shown:
    if is_secret_name(name) and value["kind"] not in ("number", "bool", "none"):
        value = {"kind": "hidden"}
    return {"name": name, "type": shape_of(kind).item if kind is not None else "", **value}


def _value(data: Any, kind: Any | None, path: str, view: ValueView, depth: int = 0) -> Shown:
    """Return one value. ``path``: of the ``Data`` message that holds it; ``kind``: its type, if that is known."""
    if depth > _MOST_DEPTH:
        return {"kind": "too_deep"}
    if kind is not None and kind.type in _BY_TYPE:
        name = _BY_TYPE[kind.type]
        if kind.type in ATOM_FIELDS or data.HasField(name):
            return _of_field(data, name, path, view)
    if data.parts or (kind is not None and kind.type in (_TYPE.LIST, _TYPE.TUPLE, _TYPE.NAMED_FIELDS)):
        return _container(data, kind, path, view, depth)
    present = list(_present(data))
    if not present:
        return {"kind": "none"}
    if len(present) == 1:
        return _of_field(data, present[0], path, view)
    return {"kind": "fields", "fields": [_named(each, None, _of_field(data, each, path, view)) for each in present]}


def _container(data: Any, kind: Any | None, path: str, view: ValueView, depth: int) -> Shown:
    """Return a list, a tuple, or named fields; the items of some lists are fields of the message itself."""
    if not data.parts:
        present = list(_present(data))
        return _of_field(data, present[0], path, view) if present else {"kind": "list", "items": [], "count": 0}
    is_list = all(not part.id or part.id.isdecimal() for part in data.parts)
    inner = list(kind.type_args) if kind is not None else []
    if kind is not None and kind.type == _TYPE.LIST:
        inner = inner * len(data.parts)
    by_name = {each.name: each for each in inner}
    items = list[Shown]()
    for index, part in enumerate(data.parts[:_MOST_ITEMS]):
        known = inner[index] if is_list and index < len(inner) else by_name.get(part.id)
        value = _value(part.data, known, f"{path}.parts.{index}", view, depth + 1)
        items.append(value if is_list else _named(part.id, known, value))
    return {
        "kind": "list" if is_list else "fields",
        "items" if is_list else "fields": items,
        "count": len(data.parts),
    }


def _present(data: Any) -> Iterator[str]:
    """Give the fields of a message that hold something; not what says which method is called."""
    return (each.name for each, _ in data.ListFields() if each.name not in ("metadata", "parts"))


def _of_field(data: Any, name: str, path: str, view: ValueView) -> Shown:
    value = getattr(data, name)
    where = f"{path}.{name}".lstrip(".")
    if name in ("string_value", "text"):
        return _text(
            value if name == "string_value" else value.raw, where, view, "" if name == "string_value" else value.url
        )
    if name == "bytes_value":
        return _bytes(value, where, view)
    if name == "bool_value":
        return {"kind": "bool", "text": "True" if value else "False"}
    if name in ("int_value", "float_value"):
        return {"kind": "number", "text": str(value) if name == "int_value" else number_text(value)}
    if name in _MEDIA:
        return _media(value, name, where, view)
    if name == "struct_value":
        return _json(value, where, view)
    if name == "ndarray":
        return _array(value, where, view)
    if name == "frames":
        return _frames(value, path, view)
    return _message(value, where, view)


def _text(text: str, where: str, view: ValueView, url: str = "") -> Shown:
    shown, is_all = view.beginning(text)
    found: Shown = {"kind": "text", "text": shown, "characters": len(text)}
    if url:
        found["elsewhere"] = url.partition("?")[0]  # what follows may be a signature
    if not is_all:
        found["whole"] = view.address_of(where)
    return found


def _bytes(data: bytes, where: str, view: ValueView) -> Shown:
    kind = media_type(data)
    found: Shown = {"kind": "bytes", "size": len(data), "whole": view.address_of(where) if data else ""}
    if kind.startswith("image/"):
        found["file_type"] = kind
    try:
        text = data[: _FIRST_BYTES * 8].decode()
    except UnicodeDecodeError as error:  # of a longer value, the cut may be within a letter
        text = (
            data[: error.start].decode() if len(data) > _FIRST_BYTES * 8 and error.start > _FIRST_BYTES * 7 else ""
        )
    if text and all(each.isprintable() or each in "\n\t\r" for each in text):
        found["text"] = view.secrets.hide(text)
    else:
        found["hex"] = data[:_FIRST_BYTES].hex(" ")
    return found


def _media(value: Any, name: str, where: str, view: ValueView) -> Shown:
    if not value.base64:
        return {"kind": "media", "media": name, "size": 0, "elsewhere": value.url.partition("?")[0]}
    kind = media_type(value.base64, name)
    found: Shown = {"kind": "media", "media": name, "size": len(value.base64), "whole": view.address_of(where)}
    if kind != UNKNOWN:
        found["file_type"] = kind
    return found


def _json(struct: Any, where: str, view: ValueView) -> Shown:
    return _json_text(json_pieces(json_content(struct), view.secrets.hide), struct.ByteSize(), where, view)


def _json_text(pieces: Iterable[str], size: int, where: str, view: ValueView) -> Shown:
    most = view.room.most
    written, characters, is_all = list[str](), 0, True
    for piece in pieces:
        if characters + len(piece) > most:
            written.append(piece[: most - characters])
            is_all = False
            break
        written.append(piece)
        characters += len(piece)
    text = "".join(written)
    view.room.take(len(text))
    found: Shown = {"kind": "json", "text": text, "size": size, "is_cut": not is_all}
    if not is_all:
        found["whole"] = view.address_of(where)
    return found


def _array(array: Any, where: str, view: ValueView) -> Shown:
    found: Shown = {
        "kind": "array",
        "dtype": array.dtype[:40],
        "shape": list(array.shape),
        "size": len(array.buffer),
    }
    first = first_values(array, _MOST_NUMBERS)
    return {**found, "first": first, "whole": view.address_of(where) if array.buffer else ""}


def _frames(frames: Any, path: str, view: ValueView) -> Shown:
    items = list[Shown]()
    for index, frame in enumerate(islice(frames, _MOST_ITEMS)):
        about = as_dict(frame.frame_info)
        inner = shown_values(frame.data, (), view.at(_below(view, f"{path}.frames.{index}")))
        fields = [_plain("frame_info", about, view), *inner] if about else inner
        items.append({"kind": "fields", "fields": fields})
    return {"kind": "list", "items": items, "count": len(frames)}


def _below(view: ValueView, path: str) -> Callable[[str], str]:
    return lambda rest: view.address_of(f"{path}.{rest}".lstrip("."))


def _plain(name: str, content: Any, view: ValueView) -> Shown:
    struct = Struct()
    struct.update({"_list": content} if isinstance(content, list) else content)
    return _named(
        name, None, _json_text(json_pieces(json_content(struct), view.secrets.hide), struct.ByteSize(), "", view)
    )


def _message(value: Any, where: str, view: ValueView) -> Shown:
    """Return concepts, regions and what else has no form of its own, as JSON; bytes in them by their size."""
    if hasattr(value, "ListFields"):
        return {
            key: each
            for key, each in _plain("", _described(as_dict(value)), view).items()
            if key not in ("name", "type")
        }
    items = [_described(as_dict(each)) for each in islice(value, _MOST_ITEMS)]
    found = {key: each for key, each in _plain("", items, view).items() if key not in ("name", "type")}
    return {**found, "left_out": len(value) - len(items)} if len(value) > len(items) else found


def _described(content: Any) -> Any:
    """Return a message as JSON without the bytes of media: those are told by their size."""
    if isinstance(content, dict):
        return {
            name: f"<{len(each) * 3 // 4} bytes>"
            if name == "base64" and isinstance(each, str)
            else _described(each)
            for name, each in content.items()
        }
    return [_described(each) for each in content] if isinstance(content, list) else content
