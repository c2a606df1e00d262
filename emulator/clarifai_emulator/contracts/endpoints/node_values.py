"""Checks the values that clarifai-nodejs is given against a method's parameters.

Its client looks at values before it sends them, in its own way, which is not that of the Python SDK; measured with
version 0.4.0, and the same in each since 0.1.0, the first that names methods:

    str, Text            a string
    int                  a whole number            float    a number that is not whole: 1 and 1.0 are refused
    bool                 a boolean
    dict, NamedFields    an object                 list, Tuple    an array
    Image, Audio, Video  an object, of which the fields of the message are sent: { url: … }
    Concept, Region …    an object, or an array of them
    bytes, ndarray       anything, and the model gets nothing of it

What it passes unseen and the model does not get (a string for an Image) is told, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clarifai_grpc.grpc.api import resources_pb2
from google.protobuf.message import Message

from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument
from clarifai_emulator.contracts.signatures.shapes import MethodShape, Shape, Type
from clarifai_emulator.contracts.values.python_values import limit_problems
from clarifai_emulator.spelling import did_you_mean, nearest

_WORDS: Mapping[int, str] = {
    Type.STR: "a string",
    Type.TEXT: "a string",
    Type.INT: "a whole number",
    Type.FLOAT: "a number",
    Type.BOOL: "a boolean",
    Type.JSON_DATA: "an object",
    Type.NAMED_FIELDS: "an object",
    Type.LIST: "an array",
    Type.TUPLE: "an array",
}
_MESSAGES: Mapping[int, type[Message]] = {
    Type.IMAGE: resources_pb2.Image,
    Type.AUDIO: resources_pb2.Audio,
    Type.VIDEO: resources_pb2.Video,
}
_SEVERAL = (Type.CONCEPT, Type.REGION, Type.FRAME)
_NOT_SENT = (Type.BYTES, Type.NDARRAY)
_NOT_WHOLE = "Give a number with a fraction, as `1 + Number.EPSILON`, or leave it out where it has a default."


def node_findings(
    method: MethodShape, given: Mapping[str, WrittenValue]
) -> Iterator[tuple[Finding, WrittenValue | None]]:
    """Yield what is wrong with calling a method with these arguments, each with the argument that it is about. What
    is not known of them is not looked at."""
    unknown = [name for name in given if name not in method.inputs]
    for name in unknown:
        yield _about(method, unknown_argument(name, method.inputs)), given[name]
    meant = {nearest(name, method.inputs) for name in unknown}
    for name in method.required:
        if name not in given and name not in meant:
            yield _about(method, missing_argument(name, method.inputs[name].label)), None
    for name, value in given.items():
        shape = method.inputs.get(name)
        for problem in _problems(shape, value, f"argument '{name}'") if shape is not None else ():
            yield _about(method, problem), value


def _about(method: MethodShape, problem: Finding) -> Finding:
    message = f"{method.name}(): {problem.message}"
    return found(problem.rule, message, severity=problem.severity, hint=problem.hint, method=method.name)


def _problems(shape: Shape, value: WrittenValue, what: str) -> Iterator[Finding]:
    kind = _kind(value)
    if not kind:
        return
    if shape.type in _NOT_SENT:
        message = f"{what} is {shape.item}, which clarifai-nodejs cannot send: the model gets nothing."
        yield found("wrong-type", message, hint="Call this method with another client, over gRPC or REST.")
    elif shape.type in _MESSAGES or shape.type in _SEVERAL:
        yield from _media(shape, value, kind, what)
    elif shape.type == Type.FLOAT and kind == "a whole number":
        message = f"{what} is {value.shown}, a whole number: clarifai-nodejs refuses those for a float."
        yield found("wrong-type", message, hint=_NOT_WHOLE)
    elif kind != _WORDS.get(shape.type, kind):
        yield _wrong(shape, value, kind, what, _WORDS[shape.type])
    elif value.is_known and isinstance(value.value, int | float | str) and not isinstance(value.value, bool):
        yield from limit_problems(shape, value.value, what)


def _kind(value: WrittenValue) -> str:
    """Return the kind of a value in JavaScript's words; empty where it is not known."""
    if value.items is not None:
        return "an object"
    if value.elements is not None:
        return "an array"
    if value.texts:
        return "a string" if all(each.strip(UNSEEN) for each in value.texts) else ""
    if not value.is_known:
        return ""
    if value.value is None:
        return "null"
    if isinstance(value.value, bool):
        return "a boolean"
    if isinstance(value.value, int | float):
        return "a whole number" if float(value.value).is_integer() else "a number"
    return ""


def _wrong(shape: Shape, value: WrittenValue, kind: str, what: str, expected: str) -> Finding:
    is_said = kind in ("an object", "an array", "null")
    given = kind if is_said else f"{value.shown} ({kind.split()[-1]})"
    return found("wrong-type", f"{what} is {given}, and {expected} is expected ({shape.item}).")


def _media(shape: Shape, value: WrittenValue, kind: str, what: str) -> Iterator[Finding]:
    if kind in ("null", "an object") or (kind == "an array" and shape.type in _SEVERAL):
        message = _MESSAGES.get(shape.type)
        if message is not None and value.items is not None:
            names = [str(each.camelcase_name) for each in message.DESCRIPTOR.fields]
            yield from _dropped(shape, value, names, what)
        return
    expected = "an object, as { url: … }," if shape.type in _MESSAGES else "an object"
    yield _wrong(shape, value, kind, what, expected)


def _dropped(shape: Shape, value: WrittenValue, names: Sequence[str], what: str) -> Iterator[Finding]:
    """Report fields of an object that its message does not have. ``names``: those that it has."""
    for name in value.items or ():
        if name not in names and not name.endswith(("List", "Map")):
            guess = did_you_mean(name, names, lead=" ")
            message = f"{what} has a field '{name}' that {shape.item} does not have: it is dropped.{guess}"
            yield found("unknown-field", message)
