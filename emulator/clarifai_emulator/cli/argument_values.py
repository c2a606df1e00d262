"""Reads argument values from the command line: ``NAME=VALUE`` becomes what the method's signature asks for.

Text is taken as it is, everything else as JSON, files as ``@path``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature
from google.protobuf.json_format import ParseDict

from clarifai_emulator.cli.output import USAGE, Failure
from clarifai_emulator.cli.signatures import Field, Signature, example_call
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.spelling import did_you_mean

_MEDIA = {"IMAGE": "Image", "AUDIO": "Audio", "VIDEO": "Video"}


def chosen_method(signatures: Sequence[Signature], name: str) -> Signature:
    """Choose the method of that name; without a name ``predict``, or the only one. Raises ``Failure``."""
    wanted = name or "predict"
    for signature in signatures:
        if signature["name"] == wanted or (not name and len(signatures) == 1):
            return signature
    listed = "\n".join(f"  {example_call(each)}" for each in signatures)
    what = (
        f"The model has no method '{wanted}'." if name else "The model has no method 'predict'; say which to call."
    )
    guess = did_you_mean(wanted, [str(each["name"]) for each in signatures])
    hint = f"{guess}{' ' if guess else ''}`clarifai-emulator predict MODEL METHOD NAME=VALUE`"
    raise Failure(f"{what} It has:\n{listed}", hint=hint, code=USAGE)


def read_arguments(signature: Signature, words: Sequence[str], stdin: Iterable[str]) -> dict[str, Any]:
    """Read the keyword arguments of a call. ``-`` reads the streamed argument from ``stdin``, a value a line."""
    fields: dict[str, Field] = {field["name"]: field for field in signature.get("input_fields", ())}
    streamed = next((name for name, field in fields.items() if field.get("iterator")), None)
    values: dict[str, Any] = {}
    chunks: list[Any] = []
    for word in words:
        if word == "-":
            if streamed is None:
                raise _misuse(signature, f"'-' reads a stream from stdin, and '{signature['name']}' takes none.")
            values[streamed] = (_parse(fields[streamed], line.rstrip("\n")) for line in stdin)
            continue
        name, equals, text = word.partition("=")
        if not equals or name not in fields:
            known = ", ".join(fields) or "no arguments"
            guess = did_you_mean(name, fields, lead=" ")
            what = f"'{word}' is not an argument of '{signature['name']}', which takes {known}.{guess}"
            raise _misuse(signature, what)
        if name == streamed:
            chunks.append(_parse(fields[name], text))
        else:
            values[name] = _parse(fields[name], text)
    if streamed is not None and streamed not in values:
        values[streamed] = iter(chunks)
    missing = [name for name, field in fields.items() if field.get("required") and name not in values]
    if missing or (streamed is not None and not chunks and "-" not in words):
        raise _misuse(signature, f"'{signature['name']}' needs {', '.join(missing or [str(streamed)])}.")
    return values


def _misuse(signature: Signature, what: str) -> Failure:
    from clarifai_emulator.cli.signatures import command_line

    shape = method_shape(ParseDict(dict(signature), MethodSignature(), ignore_unknown_fields=True))
    hint = f"Signature: {shape}\nFor example: {command_line(signature, 'MODEL')}"
    return Failure(what, hint=hint, code=USAGE)


def _parse(field: Field, text: str) -> Any:
    """Parse one value. Raises ``Failure`` that names the argument and the type it should have."""
    kind, name = str(field.get("type")), str(field["name"])
    if kind == "STR":
        return text
    if kind in ("TEXT", "BYTES", "FRAME", *_MEDIA):
        return _build(field, text)
    if kind in ("NDARRAY", "CONCEPT") and not text.startswith(("[", "{", '"')) and not _is_number(text):
        return _build(field, text)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Failure(
            f"{name}={text}: this is not JSON ({error}), and {name} is {kind}.",
            hint="Write numbers as 1.5, truth as true or false, text in double quotes, lists as [1, 2].",
            code=USAGE,
        ) from None
    return _build(field, value)


def _build(field: Field, value: Any) -> Any:
    """Convert a JSON value to the object that the SDK takes for this type."""
    kind, name = str(field.get("type")), str(field["name"])
    try:
        return _BUILDERS.get(kind, _plain)(field, value)
    except (TypeError, ValueError, KeyError) as error:
        raise Failure(
            f"{name}={value}: this cannot be {kind}: {error}.",
            hint="`clarifai-emulator predict MODEL METHOD` without arguments shows an example.",
            code=USAGE,
        ) from None


def _plain(field: Field, value: Any) -> Any:
    expected: dict[str, tuple[type, ...]] = {"INT": (int,), "FLOAT": (int, float), "BOOL": (bool,), "STR": (str,)}
    types = expected.get(str(field.get("type")))
    if types is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
        raise TypeError(f"it is {type(value).__name__}")
    return float(value) if types == (int, float) else value


def _bytes(_: Field, value: Any) -> bytes:
    return _file(value).read_bytes() if str(value).startswith("@") else str(value).encode()


def _file(value: Any) -> Path:
    path = Path(str(value)[1:])
    if not path.is_file():
        raise Failure(f"There is no file {path}.", hint="Write @ and the path of the file.", code=USAGE)
    return path


def _media(field: Field, value: Any) -> Any:
    from clarifai.runners.utils import data_types

    kind: Any = getattr(data_types, _MEDIA.get(str(field.get("type")), "Image"))
    if str(value).startswith("@"):
        return kind(bytes=_file(value).read_bytes())
    if "://" in str(value):
        return kind(url=value)
    raise ValueError("give a file as @path, or a URL")


def _text(_: Field, value: Any) -> Any:
    from clarifai.runners.utils.data_types import Text

    return Text(value)


def _ndarray(_: Field, value: Any) -> Any:
    import numpy

    return numpy.load(_file(value)) if isinstance(value, str) else numpy.array(value)


def _frame(field: Field, value: Any) -> Any:
    from clarifai.runners.utils.data_types import Frame

    return Frame(image=_media(field, value))


def _concept(_: Field, value: Any) -> Any:
    from clarifai.runners.utils.data_types import Concept

    return Concept(**value) if isinstance(value, Mapping) else Concept(value)


def _region(_: Field, value: Any) -> Any:
    from clarifai.runners.utils.data_types import Region

    parts: dict[str, Any] = dict(value)
    if "concepts" in parts:
        parts["concepts"] = [_concept({}, each) for each in parts["concepts"]]
    return Region(**parts)


def _list(field: Field, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("it is not a list")
    return [_build(field["type_args"][0], each) for each in value]


def _tuple(field: Field, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) != len(field["type_args"]):
        raise TypeError(f"it is not a list of {len(field['type_args'])}")
    return tuple(_build(part, each) for part, each in zip(field["type_args"], value, strict=True))


def _named_fields(field: Field, value: Any) -> Any:
    from clarifai.runners.utils.data_types import NamedFields

    if not isinstance(value, Mapping):
        raise TypeError("it is not an object")
    return NamedFields(**{part["name"]: _build(part, value[part["name"]]) for part in field["type_args"]})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_BUILDERS: dict[str, Any] = {
    "BYTES": _bytes,
    "TEXT": _text,
    "IMAGE": _media,
    "AUDIO": _media,
    "VIDEO": _media,
    "FRAME": _frame,
    "NDARRAY": _ndarray,
    "CONCEPT": _concept,
    "REGION": _region,
    "LIST": _list,
    "TUPLE": _tuple,
    "NAMED_FIELDS": _named_fields,
}
