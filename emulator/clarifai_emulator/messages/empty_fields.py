"""Adds the empty fields that the platform writes to the JSON of a message: lists without items, zeros.

Most are marked in the platform's protos: "we will return this field with it's zero value even if not set"
(``extensions.proto``, ``cl_show_if_empty``). The others stand in every answer of the platform that holds a model
(Clarifai/docs ``code_snippets/api-guide``, ``rest-outputs.json`` among them) and have no mark.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from clarifai_grpc.grpc.api.utils.extensions_pb2 import cl_show_if_empty
from google.protobuf.descriptor import FieldDescriptor

from clarifai_emulator.messages.descriptors import is_repeated

_UNMARKED: dict[str, dict[str, Any]] = {
    "clarifai.api.Model": {
        "toolkits": [],
        "use_cases": [],
        "languages": [],
        "languages_full": [],
        "check_consents": [],
        "workflow_recommended": False,
    },
    "clarifai.api.ModelVersion": {"metadata": {}},
}


def add_empty_fields(message: Any, content: dict[str, Any]) -> None:
    """Add to the JSON of a message, and to all that is in it, what is written also when it is empty."""
    descriptor = message.DESCRIPTOR
    for name, value in _written_empty(descriptor).items():
        if name not in content:
            content[name] = value.copy() if hasattr(value, "copy") else value
    for name in _leading_on(descriptor):
        if name in content:
            _add_within(descriptor.fields_by_name[name], getattr(message, name), content[name])


def _add_within(field: Any, value: Any, content: Any) -> None:
    if field.message_type.GetOptions().map_entry:
        for key, each in value.items():
            add_empty_fields(each, content[str(key)])
    elif is_repeated(field):
        for each, inner in zip(value, content, strict=True):
            add_empty_fields(each, inner)
    else:
        add_empty_fields(value, content)


@cache
def _written_empty(descriptor: Any) -> dict[str, Any]:
    """Return what the fields of a message are written as when they are empty, by their names."""
    marked = {
        field.name: [] if is_repeated(field) else _zero(field)
        for field in descriptor.fields
        if field.GetOptions().Extensions[cl_show_if_empty]
        and (is_repeated(field) or (field.message_type is None and field.containing_oneof is None))
    }
    return marked | _UNMARKED.get(descriptor.full_name, {})


def _zero(field: FieldDescriptor) -> Any:
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return "0"  # JSON's numbers do not hold all of these, so that every one of them is written as text
    return 0 if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT else field.default_value


@cache
def _leading_on(descriptor: Any) -> tuple[str, ...]:
    """Return the fields whose messages hold, at any depth, fields that are written empty."""
    return tuple(
        field.name
        for field in descriptor.fields
        for inner in (_message_of(field),)
        if inner is not None and any(_written_empty(each) for each in _reachable(inner))
    )


@cache
def _reachable(descriptor: Any) -> frozenset[Any]:
    """Return a message's type and those of everything that it can hold."""
    found, waiting = {descriptor}, [descriptor]
    while waiting:
        for field in waiting.pop().fields:
            inner = _message_of(field)
            if inner is not None and inner not in found:
                found.add(inner)
                waiting.append(inner)
    return frozenset(found)


def _message_of(field: Any) -> Any | None:
    """Return the type of the messages in a field; None where it holds none, or one that JSON has a form of its own
    for."""
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        inner = inner.fields_by_name["value"].message_type
    return None if inner is None or inner.full_name.startswith("google.protobuf.") else inner
