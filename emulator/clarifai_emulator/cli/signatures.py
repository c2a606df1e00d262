"""Writes example calls of a model's methods from its method signatures: for Python, and for the command line.

A signature is a ``MethodSignature`` as protobuf JSON with the proto's own field names, as ``Deploy`` answers it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Signature = Mapping[str, Any]
Field = Mapping[str, Any]

_KINDS = ("UNARY_UNARY", "UNARY_STREAMING", "STREAMING_STREAMING")
_USUAL_NAMES = ("predict", "generate", "stream")
_IMAGE = 'Image.from_pil(PIL.Image.new("RGB", (8, 8)))'
_PLAIN: dict[str, str] = {
    "STR": '"Hello"',
    "BYTES": 'b"Hello"',
    "INT": "1",
    "FLOAT": "0.5",
    "BOOL": "True",
    "NDARRAY": "np.zeros((2, 2))",
    "JSON_DATA": '{"key": "value"}',
    "TEXT": 'Text("Hello")',
    "IMAGE": _IMAGE,
    "CONCEPT": 'Concept("cat", value=0.9)',
    "REGION": "Region(box=[0.1, 0.1, 0.9, 0.9])",
    "FRAME": f"Frame(image={_IMAGE})",
    "AUDIO": 'Audio(bytes=b"...")',
    "VIDEO": 'Video(bytes=b"...")',
}
_DEFAULTS: dict[str, Callable[[str], str]] = {
    "STR": repr,
    "INT": lambda text: repr(int(text)),
    "FLOAT": lambda text: repr(float(text)),
    "BOOL": lambda text: repr(text.lower() == "true"),
}
_DATA_TYPES = ("Audio", "Concept", "Frame", "Image", "NamedFields", "Region", "Text", "Video")


def example_value(field: Field) -> str:
    """Return a Python expression for one value of the field's type, its iterator left aside."""
    kind, parts = str(field.get("type", "NOT_SET")), list(field.get("type_args", ()))
    if kind == "LIST":
        return f"[{', '.join(map(example_value, parts))}]"
    if kind == "TUPLE":
        inner = ", ".join(map(example_value, parts))
        return f"({inner},)" if len(parts) == 1 else f"({inner})"
    if kind == "NAMED_FIELDS":
        named = (f"{part['name']}={example_value(part)}" for part in parts)
        return f"NamedFields({', '.join(named)})"
    return _PLAIN.get(kind, "...")


def example_call(signature: Signature, model: str = "model") -> str:
    """Return a call with an argument for each field that is required or has a plain default."""
    arguments = [f"{field['name']}={value}" for field, value in _arguments(signature)]
    return f"{model}.{signature['name']}({', '.join(arguments)})"


def _arguments(signature: Signature) -> Iterable[tuple[Field, str]]:
    for field in signature.get("input_fields", ()):
        value = example_value(field)
        if field.get("iterator"):
            yield field, f"iter([{value}, {value}])"
        elif field.get("required"):
            yield field, value
        else:
            default = _default(field)
            if default is not None:
                yield field, default


def _default(field: Field) -> str | None:
    """Return the default as Python; None if there is none, or if it is too long for an example."""
    text, convert = field.get("default"), _DEFAULTS.get(str(field.get("type")))
    if text in (None, "", "None", "null") or convert is None:
        return None
    try:
        return convert(str(text))
    except ValueError:
        return None


def example_lines(signature: Signature) -> list[str]:
    """Return the call and what to do with its answer."""
    call = example_call(signature)
    if signature.get("method_type") in ("UNARY_STREAMING", "STREAMING_STREAMING"):
        return [f"for chunk in {call}:", "    print(chunk)"]
    return [f"print({call})"]


def chosen_methods(signatures: Sequence[Signature]) -> list[Signature]:
    """Choose one method of each kind: the one with the usual name, else the first."""
    chosen: list[Signature] = []
    for kind, usual in zip(_KINDS, _USUAL_NAMES, strict=True):
        of_kind = [each for each in signatures if each.get("method_type") == kind]
        chosen += [each for each in of_kind if each["name"] == usual][:1] or of_kind[:1]
    return chosen


def snippet(signatures: Sequence[Signature], *, model_url: str, deployment_id: str = "") -> str:
    """Return a Python program that calls these methods with the Clarifai SDK."""
    calls = [line for signature in signatures for line in example_lines(signature)]
    text = "\n".join(calls)
    target = f'"{model_url}"' + (f', deployment_id="{deployment_id}"' if deployment_id else "")
    return "\n".join([*_imports(text), "", f"model = Model({target})", *calls])


def _imports(text: str) -> list[str]:
    types = [name for name in _DATA_TYPES if f"{name}(" in text or f"{name}." in text.replace("PIL.Image.", "")]
    lines = ["import numpy as np"] if "np." in text else []
    lines += ["import PIL.Image"] if "PIL." in text else []
    lines.append("from clarifai.client import Model")
    if types:
        lines.append(f"from clarifai.runners.utils.data_types import {', '.join(types)}")
    return lines


def command_line(signature: Signature, model: str) -> str:
    """Return the ``clarifai-emulator predict`` command that calls the method."""
    parts = ["clarifai-emulator", "predict", model]
    if signature["name"] != "predict":
        parts.append(str(signature["name"]))
    for field in signature.get("input_fields", ()):
        if field.get("required"):
            value = f"{field['name']}={_command_value(field)}"
            parts += [value, value] if field.get("iterator") else [value]
    return shlex.join(parts)


def _command_value(field: Field) -> str:
    kind = str(field.get("type"))
    if kind in ("STR", "TEXT", "BYTES"):
        return "Hello"
    if kind in ("IMAGE", "AUDIO", "VIDEO", "FRAME"):
        return f"@{kind.lower()}-file"
    return json.dumps(_json_value(field))


def _json_value(field: Field) -> Any:
    parts = list(field.get("type_args", ()))
    kind = str(field.get("type"))
    if kind in ("LIST", "TUPLE"):
        return [_json_value(part) for part in parts]
    if kind == "NAMED_FIELDS":
        return {part["name"]: _json_value(part) for part in parts}
    plain: dict[str, Any] = {
        "INT": 1,
        "FLOAT": 0.5,
        "BOOL": True,
        "NDARRAY": [[0.0, 0.0], [0.0, 0.0]],
        "JSON_DATA": {"key": "value"},
        "CONCEPT": {"name": "cat", "value": 0.9},
        "REGION": {"box": [0.1, 0.1, 0.9, 0.9]},
    }
    return plain.get(kind, "Hello")
