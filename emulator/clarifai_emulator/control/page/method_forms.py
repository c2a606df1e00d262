"""Describes the methods of a model version as a form needs them: what each takes, its bounds, and what it gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField, RunnerMethodType

from clarifai_emulator.contracts.signatures.shapes import UNSET, MethodShape, Shape, method_shape
from clarifai_emulator.messages.openai_paths import STREAM_TRANSPORT, TRANSPORT

UNARY, SERVER_STREAM, STREAM = "unary", "server_stream", "stream"


def kind_of_call(shape: MethodShape) -> str:
    """Return by which of the three RPCs a method is called."""
    if shape.kind in (RunnerMethodType.STREAMING_STREAMING, RunnerMethodType.STREAMING_UNARY):
        return STREAM
    return SERVER_STREAM if shape.kind == RunnerMethodType.UNARY_STREAMING else UNARY


def method_forms(signatures: Iterable[MethodSignature]) -> list[dict[str, Any]]:
    """Describe each method as JSON."""
    return [_method_form(each) for each in signatures]


def chat_method(signatures: Iterable[MethodSignature]) -> str:
    """Return the method of conversations, the one that streams where there is one; empty for a model that does not
    speak OpenAI's API."""
    names = {each.name for each in signatures}
    return next((name for name in (STREAM_TRANSPORT, TRANSPORT) if name in names), "")


def _method_form(signature: MethodSignature) -> dict[str, Any]:
    shape = method_shape(signature)
    words = {field.name: field.description for field in signature.input_fields}
    return {
        "name": shape.name,
        "kind": kind_of_call(shape),
        "description": signature.description,
        "arguments": [{**_field(each), "description": words[each.name]} for each in shape.inputs.values()],
        "stream": shape.stream,
        "result": _field(shape.result) if shape.result is not None else None,
    }


def _field(shape: Shape) -> dict[str, Any]:
    form: dict[str, Any] = {
        "name": shape.name,
        "type": ModelTypeField.DataType.Name(shape.type).lower(),  # pyright: ignore[reportArgumentType]
        "label": shape.label,
        "required": shape.required,
        "stream": shape.iterator,
        "low": shape.low,
        "high": shape.high,
        "choices": list(shape.choices),
        "parts": [_field(each) for each in shape.args],
    }
    return form if shape.default is UNSET else {**form, "default": shape.default}
