"""Reads inference data as Python values, for people: reports, recordings, assertions.

With the method's signature a value is read as its type says. Without one the wire does not tell a list from a
tuple, nor an empty text from nothing at all: what is read then is what a reader would write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField

from clarifai_emulator.messages.json import as_dict

METHOD_NAME = "_method_name"
_SHOWN = 80
_TYPE = ModelTypeField.DataType
ATOM_FIELDS: Mapping[int, str] = {
    _TYPE.STR: "string_value",
    _TYPE.BYTES: "bytes_value",
    _TYPE.INT: "int_value",
    _TYPE.FLOAT: "float_value",
    _TYPE.BOOL: "bool_value",
}
_ATOMS = tuple(ATOM_FIELDS.values())


def method_of(request: Any) -> str:
    """Return the method of the model that an inference request calls."""
    if not request.inputs:
        return ""
    metadata = request.inputs[0].data.metadata
    return str(metadata[METHOD_NAME]) if METHOD_NAME in metadata else "predict"


def signature_of(signatures: Iterable[Any], method: str) -> Any | None:
    """Return the signature of a method among those of its model version."""
    return next((each for each in signatures if each.name == method), None)


def arguments_of(request: Any, signature: Any | None = None, index: int = 0) -> dict[str, Any]:
    """Return the arguments of an inference request, by name; of one with several inputs, those of the one at
    ``index``."""
    if len(request.inputs) <= index:
        return {}
    return _parts(request.inputs[index].data, signature.input_fields if signature is not None else ())


def results_of(response: Any, signature: Any | None = None) -> list[Any]:
    """Return what the outputs of an inference response hold."""
    fields = signature.output_fields if signature is not None else ()
    return [_result_of(output.data, fields) for output in response.outputs]


def _result_of(data: Any, fields: Iterable[Any]) -> Any:
    """Return one output: its value, or a mapping where it has several named ones."""
    parts = _parts(data, fields)
    if set(parts) in ({"return"}, {""}):
        return next(iter(parts.values()))
    return parts or value_of(data)


def _parts(data: Any, fields: Iterable[Any] = ()) -> dict[str, Any]:
    types = {field.name: field for field in fields}
    return {part.id: value_of(part.data, types.get(part.id)) for part in data.parts}


def value_of(data: Any, field: Any | None = None) -> Any:
    """Return what a ``Data`` message holds, read as ``field`` (a ``ModelTypeField``) says; None for an empty
    one."""
    if field is not None:
        if field.type in ATOM_FIELDS:
            return getattr(data, ATOM_FIELDS[field.type])
        if field.type in (_TYPE.LIST, _TYPE.TUPLE) and data.parts:
            inner = list(field.type_args) if field.type == _TYPE.TUPLE else [*field.type_args] * len(data.parts)
            return [value_of(part.data, each) for part, each in zip(data.parts, inner, strict=False)]
        if field.type == _TYPE.NAMED_FIELDS:
            return _parts(data, field.type_args)
    return _untyped(data)


def _untyped(data: Any) -> Any:
    for name in _ATOMS:
        if getattr(data, name):
            return getattr(data, name)
    for name, read in _READERS.items():
        if data.HasField(name):
            return read(getattr(data, name))
    for name in _LISTS:
        if getattr(data, name):
            return [as_dict(each) for each in getattr(data, name)]
    if not data.parts:
        return None
    # Items of a list have numbers, or nothing, for names.
    is_list = all(not part.id or part.id.isdecimal() for part in data.parts)
    return [value_of(part.data) for part in data.parts] if is_list else _parts(data)


def _struct(struct: Any) -> Any:
    value = as_dict(struct)
    return value["_list"] if set(value) == {"_list"} else value


def _media(value: Any) -> Any:
    return value.url or bytes(value.base64)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "text": lambda text: text.raw or text.url,
    "image": _media,
    "audio": _media,
    "video": _media,
    "struct_value": _struct,
    "ndarray": lambda array: f"<ndarray {array.dtype} {'×'.join(map(str, array.shape)) or 'scalar'}>",
}
_LISTS = ("concepts", "regions", "frames")


def shown(value: Any) -> str:
    """Return a value for a line of text: long ones shortened."""
    if isinstance(value, bytes) and len(value) > 32:
        return f"<{len(value)} bytes>"
    text = written(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 20]}… ({len(text)} characters)"


def written(value: object) -> str:
    """Return a value as Python writes it; only its class where that fails, as the value's own code can."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def shown_call(method: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as one would write it: ``predict(prompt='Hello', n=2)``."""
    return f"{method}({', '.join(f'{name}={shown(value)}' for name, value in arguments.items())})"
