"""Prepares what a method takes and gives from its ``MethodSignature``, once: for checks of values and of changes.

A range is published with two numbers and no sign of which of them was declared. A maximum of 0 stands for none:
``Param(-1, min_value=-1)`` would else allow nothing above 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField, RunnerMethodType

Type = ModelTypeField.DataType

NAMES: Mapping[int, str] = {
    Type.STR: "str",
    Type.BYTES: "bytes",
    Type.INT: "int",
    Type.FLOAT: "float",
    Type.BOOL: "bool",
    Type.NDARRAY: "numpy.ndarray",
    Type.JSON_DATA: "dict or list (JSON)",
    Type.TEXT: "Text",
    Type.IMAGE: "Image",
    Type.CONCEPT: "Concept",
    Type.REGION: "Region",
    Type.FRAME: "Frame",
    Type.AUDIO: "Audio",
    Type.VIDEO: "Video",
}
KINDS: Mapping[int, str] = {
    RunnerMethodType.UNARY_UNARY: "one input, one output",
    RunnerMethodType.UNARY_STREAMING: "one input, a stream of outputs",
    RunnerMethodType.STREAMING_UNARY: "a stream of inputs, one output",
    RunnerMethodType.STREAMING_STREAMING: "a stream of inputs, a stream of outputs",
}


class _Unset:
    def __repr__(self) -> str:
        return "(no default)"


UNSET = _Unset()


@dataclass(frozen=True, slots=True)
class Shape:
    """A parameter, a part of a container, or a result. ``type`` is a ``ModelTypeField.DataType``; ``args`` are what
    a container holds; ``default`` is UNSET for a required parameter; ``low``, ``high``, ``choices``: as declared
    with Param, None and empty where nothing was."""

    name: str
    type: int
    args: tuple[Shape, ...] = ()
    required: bool = False
    iterator: bool = False
    default: object = UNSET
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def item(self) -> str:
        """Return the type in Python's words, without the stream around it."""
        inner = ", ".join(each.item for each in self.args)
        if self.type == Type.LIST:
            return f"List[{inner}]"
        if self.type == Type.TUPLE:
            return f"Tuple[{inner}]"
        if self.type == Type.NAMED_FIELDS:
            return f"NamedFields({', '.join(f'{each.name}={each.item}' for each in self.args)})"
        return NAMES.get(self.type, f"type {self.type}")

    @property
    def label(self) -> str:
        """Return the type in Python's words."""
        return f"Iterator[{self.item}]" if self.iterator else self.item

    @property
    def limits(self) -> str:
        """Return the range in words; empty when there is none."""
        if self.low is None:
            return ""
        return f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class MethodShape:
    """The shape of a method. ``kind`` is a ``RunnerMethodType``; ``result`` is None for a signature without one."""

    name: str
    kind: int
    inputs: Mapping[str, Shape]
    result: Shape | None
    stream: str = ""
    required: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(_parameter, self.inputs.values()))}) -> {_label(self.result)}"


def _parameter(shape: Shape) -> str:
    default = "" if shape.default is UNSET else f" = {shape.default!r}"
    return f"{shape.name}: {shape.label}{default}"


def _label(shape: Shape | None) -> str:
    return shape.label if shape is not None else "nothing"


def method_shape(signature: MethodSignature) -> MethodShape:
    """Return the shape of a method."""
    inputs = {each.name: _input_shape(each) for each in signature.input_fields}
    return MethodShape(
        signature.name,
        signature.method_type,
        inputs,
        shape_of(signature.output_fields[0]) if signature.output_fields else None,
        next((name for name, each in inputs.items() if each.iterator), ""),
        tuple(name for name, each in inputs.items() if each.required),
    )


def _input_shape(field_: ModelTypeField) -> Shape:
    """Return the shape of a parameter. An empty default is none on the wire, but makes the parameter optional."""
    shape = shape_of(field_)
    is_empty_text = field_.type == Type.STR and not field_.required and not field_.iterator
    return replace(shape, default="") if is_empty_text and shape.default is UNSET else shape


def shape_of(field_: ModelTypeField) -> Shape:
    """Return the shape of one field, with what it holds."""
    low, high = _range(field_)
    return Shape(
        field_.name,
        field_.type,
        tuple(shape_of(each) for each in field_.type_args),
        field_.required,
        field_.iterator,
        UNSET if field_.required or (not field_.default and not field_.is_param) else _default(field_),
        low,
        high,
        tuple(option.id for option in field_.model_type_enum_options),
    )


def _range(field_: ModelTypeField) -> tuple[float | None, float | None]:
    if not field_.HasField("model_type_range_info"):
        return None, None
    declared = field_.model_type_range_info
    return declared.min, (None if declared.max == 0 else declared.max)


def _default(field_: ModelTypeField) -> object:
    """Read a default, which travels as JSON, that of a str as it is."""
    try:
        value = json.loads(field_.default)
    except ValueError:
        return field_.default
    if field_.type == Type.STR and value is not None and not isinstance(value, str):
        return field_.default
    return value
