"""Writes the JSON Schema of topology files from what the parser reads: the platform's messages and our own keys."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from clarifai_grpc.grpc.api.resources_pb2 import Model, WorkflowNode
from google.protobuf.descriptor import FieldDescriptor

from clarifai_emulator.backend_table import BACKENDS
from clarifai_emulator.faults import Fault
from clarifai_emulator.faults.fault import NAMES as FAULT_NAMES
from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.topology.files import (
    DEPLOY_KEYS,
    FAULTS,
    MODEL_KEYS,
    NODEPOOL_KEYS,
    PLURAL,
    SINGULAR,
    STAND_INS,
)
from clarifai_emulator.topology.stand_ins.entry import KEYS, WAYS
from clarifai_emulator.topology.stand_ins.scripted_answers import ANSWER_KEYS, CALL_KEYS
from clarifai_emulator.topology.workflow_form import SDK_KEYS

SCHEMA_FILE = "topology.schema.json"

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_OTHER_TYPES: dict[int, _Schema] = {
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_INT32: {**_COUNT, "maximum": 2**31 - 1},
    FieldDescriptor.CPPTYPE_UINT32: {**_COUNT, "maximum": 2**32 - 1},
    FieldDescriptor.CPPTYPE_INT64: _COUNT,
    FieldDescriptor.CPPTYPE_UINT64: _COUNT,
}
# Messages that YAML has a form of its own for.
_WELL_KNOWN: dict[str, _Schema] = {
    "Timestamp": {"type": "string", "format": "date-time"},
    "Duration": {"type": ["string", "integer"]},
    "Struct": {"type": "object"},
    "ListValue": {"type": "array"},
}
_PYTHON_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
# Keys of our own, inside a resource, a stand-in or ``deploy``.
_ABOUT = {
    "path": "The model's directory, relative to this file.",
    "deploy": "Deploy it: true, or where and how often. Without it the model is there, and runs nowhere.",
    "backend": "Where replicas of this nodepool run; as `up --backend` says where it is left out.",
    "share_accelerators": "Let several replicas use one accelerator.",
    "nodepool": "The nodepool to run it in, cpu where it is left out.",
    "instance": "An instance type to run it on, whose nodepool is made: t3a.medium, A10G, cpu …",
    "compute_cluster": "The nodepool's compute cluster, where several have such a nodepool.",
    "deployment_id": "The deployment's id, deploy-<model id> where it is left out.",
    "min_replicas": "Replicas that always run; 0 starts one with the first request.",
    "max_replicas": "The most replicas that run.",
    "model": "The address of the hosted model, as clients give it: https://clarifai.com/USER/APP/models/ID.",
    "model_id": "The model's id, as the SDK's files write it.",
    "model_version_id": "The version to stay with, the newest where it is left out.",
    "answers": "Canned answers, of which the first that fits is given.",
    "script": "Answers in the order of a conversation, or a list of scripts, one for each kind of conversation.",
    "calls": "Several calls of tools at once, each with tool and arguments.",
    "tool": "The name of a tool to call, which the request must offer.",
    "arguments": "The tool's arguments; a text is given as it is, whatever it is.",
    "unchecked": "Call the tool also where the request does not offer it, or it takes other arguments.",
    "cassette": "A file of recorded calls to play back, relative to this file.",
    "contains": "What the last message must contain, in any case; else another answer is given; a script fails.",
    "text": "What is answered.",
}
# What stands at the top of a file.
_TITLES = {
    "user": "A user or organisation",
    "app": "An app",
    "secret": "A secret that models may be given",
    "compute_cluster": "A compute cluster, as the SDK's create_compute_cluster takes it",
    "nodepool": "A nodepool, as the SDK's create_nodepool takes it",
    "model": "A model: code of this machine (path), or one that is only named",
    "deployment": "A deployment, as the SDK's create_deployment takes it",
    "workflow": "A workflow; its nodes as the SDK's create_workflow takes them, or with the platform's names",
    FAULTS: "What goes wrong on purpose",
    STAND_INS: "What serves models that Clarifai or others host",
}


def topology_schema() -> dict[str, Any]:
    """Return the schema of one document of a topology file."""
    return _Schemas().build()


class _Schemas:
    def __init__(self) -> None:
        self._known: dict[str, _Schema] = {}
        self._waiting: list[Any] = []

    def build(self) -> dict[str, Any]:
        items = {name: self._resource(name) for name in SINGULAR}
        items |= {FAULTS: _fault(), STAND_INS: _stand_in()}
        properties = {name: {"description": _TITLES[name], **_reference(name)} for name in SINGULAR}
        for plural, name in {**PLURAL, FAULTS: FAULTS, STAND_INS: STAND_INS}.items():
            properties[plural] = {"description": _TITLES[name], "type": "array", "items": _reference(name)}
        while self._waiting:
            self._describe(self._waiting.pop())
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Topology of a Clarifai emulator",
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "$defs": {**items, **dict(sorted(self._known.items()))},
        }

    def _resource(self, name: str) -> _Schema:
        schema = self._fields(SINGULAR[name].DESCRIPTOR)
        if name == "workflow":
            self._take_sdk_keys(schema)
        if name == "nodepool":
            schema["properties"] |= {each: _nodepool_key(each) for each in NODEPOOL_KEYS}
        if name == "model":
            schema["properties"] |= {
                each: _named(each, _deploy() if each == "deploy" else _TEXT) for each in MODEL_KEYS
            }
            schema["anyOf"] = [{"required": ["path"]}, {"required": ["id", "app_id"]}]
            schema["dependentRequired"] = {"deploy": ["path"]}
        else:
            schema["required"] = ["id", "app_id"] if name == "workflow" else ["id"]
        return schema

    def _take_sdk_keys(self, schema: _Schema) -> None:
        """Let the models of nodes have the names of the SDK's files, too."""
        node = self._fields(WorkflowNode.DESCRIPTOR)
        model = self._fields(Model.DESCRIPTOR)
        model["properties"] |= {each: _named(each, _TEXT) for each in SDK_KEYS}
        node["properties"]["model"] = model
        schema["properties"]["nodes"] = {"type": "array", "items": node}

    def _describe(self, descriptor: Any) -> None:
        self._known[descriptor.full_name] = self._fields(descriptor)

    def _fields(self, descriptor: Any) -> _Schema:
        fields = {each.name: self._field(each) for each in descriptor.fields if _can_be_said(each)}
        return {"type": "object", "additionalProperties": False, "properties": fields}

    def _field(self, field: Any) -> _Schema:
        value = self._value(field)
        return {"type": "array", "items": value} if is_repeated(field) else value

    def _value(self, field: Any) -> _Schema:
        if field.enum_type is not None:
            values = field.enum_type.values
            return {"enum": [*(each.name for each in values), *sorted({each.number for each in values})]}
        if field.message_type is None:
            return _OTHER_TYPES[field.cpp_type]
        name = field.message_type.full_name
        if name.startswith("google.protobuf."):
            return _WELL_KNOWN.get(field.message_type.name, {})
        if name not in self._known:
            self._known[name] = {}
            self._waiting.append(field.message_type)
        return _reference(name)


def _can_be_said(field: Any) -> bool:
    """Tell whether the parser reads such a field: it does not read bytes and maps."""
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    return not is_map and field.type != FieldDescriptor.TYPE_BYTES


def _nodepool_key(name: str) -> _Schema:
    kinds = {"backend": {"enum": list(BACKENDS)}, "docker_host": _TEXT}
    return _named(name, kinds.get(name, {"type": "boolean"}))


def _deploy() -> _Schema:
    keys = {name: _named(name, _COUNT if name.endswith("_replicas") else _TEXT) for name in DEPLOY_KEYS}
    return {"oneOf": [{"type": "boolean"}, _object(keys)]}


def _stand_in() -> _Schema:
    call = {**_object({name: _answer_key(name) for name in CALL_KEYS}), "required": ["tool"]}
    calls: _Schema = {"type": "array", "minItems": 1, "items": call}
    keys = {name: _named(name, calls) if name == "calls" else _answer_key(name) for name in ANSWER_KEYS}
    needed: Sequence[_Schema] = [{"required": [name]} for name in ("text", "tool", "calls")]
    answer: _Schema = {"oneOf": [_TEXT, {**_object(keys), "anyOf": list(needed)}]}
    answers: _Schema = {"type": "array", "minItems": 1, "items": answer}
    script: _Schema = {"oneOf": [answers, {"type": "array", "minItems": 1, "items": answers}]}
    ways = {"answers": answers, "script": script}
    one_way: Sequence[_Schema] = [{"required": [way]} for way in WAYS]
    keys = {name: _named(name, ways.get(name, _TEXT)) for name in KEYS}
    return {**_object(keys), "required": ["model"], "oneOf": list(one_way)}


def _answer_key(name: str) -> _Schema:
    types: dict[str, _Schema] = {"arguments": {"type": ["object", "string"]}, "unchecked": {"type": "boolean"}}
    return _named(name, types.get(name, _TEXT))


def _fault() -> _Schema:
    hints = get_type_hints(Fault)
    return {**_object({name: _of_annotation(hints[name]) for name in FAULT_NAMES}), "minProperties": 1}


def _of_annotation(annotation: Any) -> _Schema:
    if get_origin(annotation) is Literal:
        return {"enum": [each for each in get_args(annotation) if each]}
    options = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    names = [_PYTHON_TYPES[each] for each in options if each is not types.NoneType]
    return {"type": names[0] if len(names) == 1 else names}


def _object(properties: _Schema) -> _Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _reference(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def _named(name: str, schema: _Schema) -> _Schema:
    """Add the description of one of our own keys, which editors show."""
    return {"description": _ABOUT[name], **schema} if name in _ABOUT else schema
