"""Takes down the platform's protocol and SDK, as the interpreter has them that runs this.

python snapshot.py [MODULE:NAME …] prints one JSON object. Imports nothing of the emulator: it runs in environments
that have another SDK.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

MISSING = "missing"
_PROTOS = ("service_pb2", "resources_pb2", "status.status_pb2", "status.status_code_pb2")
# Whose names hide methods of a model that are called alike.
_CLIENTS = ("clarifai.client.model:Model", "clarifai.client.model_client:ModelClient")
_PACKAGES = ("clarifai", "clarifai-grpc", "clarifai-protocol", "grpcio", "protobuf")


def take(inside: list[str]) -> dict[str, dict[str, Any]]:
    """Return RPCs, fields, enum values and what is at each place ``module:name`` of the SDK."""
    files = [importlib.import_module(f"clarifai_grpc.grpc.api.{name}").DESCRIPTOR for name in _PROTOS]
    messages = {
        name: fields for file in files for each in file.message_types_by_name.values() for name, fields in _of(each)
    }
    enums = {each.name: _values(each) for file in files for each in file.enum_types_by_name.values()}
    return {
        "versions": {name: _version(name) for name in _PACKAGES},
        "rpcs": {
            method.name: _rpc(method)
            for file in files
            for service in file.services_by_name.values()
            for method in service.methods
        },
        "messages": messages,
        "enums": enums,
        "inside": {place: _at(place) for place in inside},
        "clients": {place: _public(place) for place in _CLIENTS},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return MISSING


def _rpc(method: Any) -> str:
    from google.protobuf.json_format import MessageToDict

    told = MessageToDict(method.GetOptions())
    paths = sorted(_paths(told.get("[google.api.http]", {})))
    given, back = (
        ("stream " if flag else "") + name
        for flag, name in (
            (method.client_streaming, method.input_type.name),
            (method.server_streaming, method.output_type.name),
        )
    )
    return f"{given} -> {back} at {', '.join(paths) or 'no address'}"


def _paths(http: dict[str, Any]) -> Iterator[str]:
    for verb in ("get", "post", "put", "patch", "delete"):
        if verb in http:
            yield f"{verb.upper()} {http[verb]}"
    for each in http.get("additionalBindings", ()):
        yield from _paths(each)


def _of(message: Any, prefix: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    name = f"{prefix}{message.name}"
    yield name, {field.name: _field(field) for field in message.fields}
    for each in message.nested_types:
        yield from _of(each, f"{name}.")


def _field(field: Any) -> str:
    kind = field.message_type or field.enum_type
    try:
        is_repeated = field.is_repeated
    except AttributeError:
        is_repeated = field.label == field.LABEL_REPEATED
    words = ["repeated"] if is_repeated else []
    return " ".join([*words, kind.name if kind is not None else _scalar(field.type), f"= {field.number}"])


def _scalar(number: int) -> str:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    return FieldDescriptorProto.Type.Name(number).removeprefix("TYPE_").lower()  # pyright: ignore[reportArgumentType]


def _values(enum: Any) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}


def _at(place: str) -> str:
    """Say what is at ``module:name.name``: the signature of what can be called, else its kind."""
    module, _, path = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in filter(None, path.split(".")):
            found = inspect.getattr_static(found, name) if inspect.isclass(found) else getattr(found, name)
    except Exception as error:
        is_gone = isinstance(error, (AttributeError, ModuleNotFoundError))
        return MISSING if is_gone else f"cannot be imported: {type(error).__name__}: {error}"
    found = getattr(found, "__func__", found)
    if inspect.ismodule(found):
        return "a module"
    if not callable(found):
        return f"a value of {type(found).__name__}"
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return "something that can be called"
    # Without types and the values of defaults: neither keeps a call from working.
    parameters = [
        str(each.replace(annotation=each.empty, default=each.empty if each.default is each.empty else _GIVEN))
        for each in signature.parameters.values()
    ]
    return f"({', '.join(parameters)})"


def _public(place: str) -> dict[str, str]:
    """Return the public names of a class."""
    module, _, name = place.partition(":")
    found = getattr(importlib.import_module(module), name)
    return {each: "a name" for each in dir(found) if not each.startswith("_")}


class _Given:
    def __repr__(self) -> str:
        return "…"


_GIVEN = _Given()

if __name__ == "__main__":
    json.dump(take(sys.argv[1:]), sys.stdout)
