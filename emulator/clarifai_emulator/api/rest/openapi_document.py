"""Writes the OpenAPI 3.1 document of the REST API from the RPC table and the descriptors of its messages."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from clarifai_emulator.api.rest.paths import Bound
from clarifai_emulator.api.rpc import Auth
from clarifai_emulator.messages.descriptors import is_repeated

_INTEGER_32 = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_UNSIGNED_32 = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: _INTEGER_32,
    FieldDescriptor.CPPTYPE_UINT32: _UNSIGNED_32,
    # 64 bits do not fit a number of JSON: read as text or number, written as text.
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,18}$"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,18}$"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
}
# Messages that JSON has a form of its own for.
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.Empty": {"type": "object"},
}
_WRAPPERS = {"BoolValue": "boolean", "StringValue": "string", "BytesValue": "string"}


def openapi_document(forms: Iterable[Bound], served: frozenset[str]) -> bytes:
    """Return the document as JSON. ``served``: names of the RPCs that are there; others answer 501 and say so
    here."""
    return json.dumps(_Document(served).build(forms), separators=(",", ":")).encode()


class _Document:
    def __init__(self, served: frozenset[str]) -> None:
        self._served = served
        self._schemas: dict[str, Any] = {}
        self._waiting: list[Any] = []

    def build(self, forms: Iterable[Bound]) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        spellings: dict[str, str] = {}
        for bound in sorted(forms, key=lambda form: form.binding.path):
            # Two forms whose variables have different names are one path to OpenAPI.
            shape = "/".join("{}" if part.startswith("{") else part for part in bound.binding.path.split("/"))
            # Tools that fill templates take a dot for an attribute.
            path = spellings.setdefault(shape, bound.binding.path.replace(".", "_"))
            names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
            paths.setdefault(path, {})[bound.binding.method.lower()] = self._operation(bound, names)
        while self._waiting:
            self._describe(self._waiting.pop())
        return {
            "openapi": "3.1.0",
            "info": {"title": "Clarifai platform API, emulated", "version": "2"},
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "securitySchemes": {
                    "key": {
                        "type": "apiKey",
                        "in": "header",
                        "name": "Authorization",
                        "description": "`Key <PAT>` or `Bearer <PAT>`",
                    }
                },
            },
        }

    def _operation(self, bound: Bound, names: list[str]) -> dict[str, Any]:
        rpc = bound.rpc
        verb = bound.binding.method.lower()
        content = "application/x-ndjson" if rpc.server_streaming else "application/json"
        answer = {"description": "The answer", "content": {content: {"schema": self._ref(rpc.response_type)}}}
        failure = {
            "description": "A refusal, with its reason in `status`",
            "content": {"application/json": {"schema": self._ref(rpc.response_type)}},
        }
        operation: dict[str, Any] = {
            "operationId": f"{rpc.name}-{verb}-{zlib.crc32(bound.binding.path.encode()):08x}",
            "summary": rpc.name,
            "tags": ["served" if rpc.name in self._served else "not served: answers 501"],
            "parameters": [*self._path_parameters(bound, names), *self._query_parameters(bound)],
            "responses": {"200": answer, "default": failure},
        }
        if bound.binding.body:
            kind = "application/x-ndjson" if rpc.client_streaming else "application/json"
            operation["requestBody"] = {"content": {kind: {"schema": self._ref(rpc.request_type)}}}
        if rpc.auth is not Auth.NONE:
            operation["security"] = [{"key": []}]
        return operation

    def _path_parameters(self, bound: Bound, names: list[str]) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = []
        for variable, name in zip(bound.variables, names, strict=True):
            descriptor = bound.rpc.request_type.DESCRIPTOR
            *parents, last = variable.split(".")
            for part in parents:
                descriptor = descriptor.fields_by_name[part].message_type
            is_text = descriptor.fields_by_name[last].cpp_type == FieldDescriptor.CPPTYPE_STRING
            schema = {"type": "string", "minLength": 1} if is_text else {"type": "integer", "minimum": 0}
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
        return parameters

    def _query_parameters(self, bound: Bound) -> list[dict[str, Any]]:
        if bound.binding.body:
            return []
        return [
            {"name": field.name, "in": "query", "schema": self._field(field)}
            for field in bound.rpc.request_type.DESCRIPTOR.fields
            if field.message_type is None and field.name not in bound.variables
        ]

    def _ref(self, message_type: Any) -> dict[str, Any]:
        return self._message(message_type.DESCRIPTOR)

    def _message(self, descriptor: Any) -> dict[str, Any]:
        name = descriptor.full_name
        if name in _WELL_KNOWN:
            return _WELL_KNOWN[name]
        if name.startswith("google.protobuf."):
            return {"type": _WRAPPERS.get(descriptor.name, "number")}
        if name not in self._schemas:
            self._schemas[name] = {}
            self._waiting.append(descriptor)
        return {"$ref": f"#/components/schemas/{name}"}

    def _describe(self, descriptor: Any) -> None:
        self._schemas[descriptor.full_name] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {field.name: self._field(field) for field in descriptor.fields},
        }

    def _field(self, field: Any) -> dict[str, Any]:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            return {
                "type": "object",
                "additionalProperties": self._value(field.message_type.fields_by_name["value"]),
            }
        value = self._value(field)
        return {"type": "array", "items": value} if is_repeated(field) else value

    def _value(self, field: Any) -> dict[str, Any]:
        if field.message_type is not None:
            return self._message(field.message_type)
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            values = field.enum_type.values
            names = ", ".join(f"{value.number} {value.name}" for value in values[:40])
            return {"type": "integer", "enum": sorted({value.number for value in values}), "description": names}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*$"}
        return _SCALARS[field.cpp_type]
