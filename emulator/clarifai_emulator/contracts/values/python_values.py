"""Checks values against a method's signature: what the SDK refuses, and what goes wrong silently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument
from clarifai_emulator.contracts.signatures.shapes import MethodShape, Shape, Type, method_shape
from clarifai_emulator.messages.data_values import written
from clarifai_emulator.spelling import did_you_mean, nearest


class _Unknown:
    def __repr__(self) -> str:
        return "(unknown)"


UNKNOWN = _Unknown()
# What the client takes for itself.
_RESERVED = ("with_proto",)
_BOUND = 2**63
_EXACT = 2**53
_NO_ARRAY = (bool, str, bytes, dict, set)


def check_arguments(signature: MethodSignature, given: Mapping[str, object]) -> list[Finding]:
    """Return what is wrong with calling this method with these arguments, by name. Empty when nothing is."""
    return list(argument_findings(method_shape(signature), given))


def check_result(signature: MethodSignature, value: object) -> list[Finding]:
    """Return what is wrong with this value as the method's result, or as one item of its stream."""
    shape = method_shape(signature)
    if shape.result is None:
        return []
    problems = problems_of(shape.result, value, "the result")
    return [_as_result(problem, shape.name) for problem in problems]


def _as_result(problem: Finding, method: str) -> Finding:
    rule = "result-missing" if problem.rule == "none-argument" else "result-type"
    return found(rule, f"{method}(): {problem.message}", method=method)


def argument_findings(method: MethodShape, given: Mapping[str, object]) -> Iterator[Finding]:
    """Check arguments against a shape that was made ready before. A required argument whose name is misspelt is not
    missing, too."""
    unknown = [name for name in given if name not in method.inputs and name not in _RESERVED]
    for name in unknown:
        yield _about(method, unknown_argument(name, method.inputs))
    meant = {nearest(name, method.inputs) for name in unknown}
    for name in method.required:
        if name not in given and name not in meant:
            yield _about(method, missing_argument(name, method.inputs[name].label))
    for name, value in given.items():
        shape = method.inputs.get(name)
        if shape is not None and value is not UNKNOWN:
            check = _stream_problems if shape.iterator else problems_of
            for problem in check(shape, value, f"argument '{name}'"):
                yield _about(method, problem)


def _about(method: MethodShape, problem: Finding) -> Finding:
    message = f"{method.name}(): {problem.message}"
    return found(problem.rule, message, severity=problem.severity, hint=problem.hint, method=method.name)


def problems_of(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    """Yield what is wrong with one value. ``what`` names it in the message: ``argument 'prompt'``."""
    if value is UNKNOWN:
        return
    if value is None:
        if shape.default is not None:
            yield found("none-argument", f"{what} is None, and {shape.label} is expected.")
        return
    yield from _CHECKS.get(shape.type, _opaque)(shape, value, what)


def limit_problems(shape: Shape, value: float | str, what: str) -> Iterator[Finding]:
    """Range and choices, which neither the SDK nor the runner looks at."""
    if isinstance(value, (int, float)) and _is_beyond(shape, value):
        yield found("out-of-range", f"{what} is {value!r}, and {shape.limits} is declared.")
    if shape.choices and str(value) not in shape.choices:
        guess = did_you_mean(str(value), shape.choices, lead=" ")
        declared = ", ".join(map(repr, shape.choices))
        yield found("not-a-choice", f"{what} is {shown(value)}, and the choices are {declared}.{guess}")


def _is_beyond(shape: Shape, value: float) -> bool:
    if shape.low is None:
        return False
    return value < shape.low or (shape.high is not None and value > shape.high)


def shown(value: object) -> str:
    """Return a value as it would be written, cut short."""
    text = written(value[:60] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _wrong(shape: Shape, value: object, what: str) -> Finding:
    kind = type(value).__name__
    return found("wrong-type", f"{what} is {shown(value)} ({kind}), and {shape.item} is expected.")


def _text(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from limit_problems(shape, value, what)
    elif isinstance(value, (bytes, bytearray)):
        yield found("bytes-for-text", f"{what} is {shown(value)} ({type(value).__name__}), and str is expected.")
    else:
        yield _wrong(shape, value, what)


def _bytes(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if not isinstance(value, bytes):
        yield _wrong(shape, value, what)


def _integer(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, bool):
        yield found("bool-for-number", f"{what} is {value} (bool), and int is expected.")
    elif not isinstance(value, int):
        if not _is_number(value, "__index__"):
            yield _wrong(shape, value, what)
    elif not -_BOUND <= value < _BOUND:
        yield found("integer-range", f"{what} is {value}, and int holds 64 bits.")
    else:
        yield from limit_problems(shape, value, what)


def _float(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, bool):
        from clarifai_emulator.contracts.rules.rule import Severity

        message = f"{what} is {value} (bool), and float is expected: the model gets {float(value)}."
        yield found("bool-for-number", message, severity=Severity.WARNING)
    elif isinstance(value, (int, float)):
        yield from limit_problems(shape, value, what)
    elif not _is_number(value, "__float__"):
        yield _wrong(shape, value, what)


def _boolean(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, bool):
        return
    if isinstance(value, int) and not -_BOUND <= value < _BOUND:
        yield _wrong(shape, value, what)
    elif isinstance(value, int) or _is_number(value, "__index__"):
        message = f"{what} is {shown(value)}, and bool is expected: the model gets {bool(value)}."
        yield found("int-for-bool", message)
    elif type(value).__name__ not in ("bool_", "bool"):
        yield _wrong(shape, value, what)


def _is_number(value: object, method: str) -> bool:
    """Tell whether a value can be taken for a number; an array has the methods too, and is no number."""
    return hasattr(value, method) and not getattr(value, "shape", ())


def _is_numeric(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_numeric, cast("Sequence[object]", value)))
    return value is not None and not isinstance(value, _NO_ARRAY)


def _array(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, _NO_ARRAY):
        yield _wrong(shape, value, what)
    elif isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        if not items:
            yield found("empty-array", f"{what} is empty: the model gets None.")
        elif not all(map(_is_numeric, items)):
            yield _wrong(shape, value, what)
    elif getattr(value, "size", None) == 0:
        yield found("empty-array", f"{what} is empty: the model gets None.")
    elif not hasattr(value, "__array__") and not isinstance(value, (int, float)):
        yield _wrong(shape, value, what)


def _json(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if not isinstance(value, (dict, list)) and not hasattr(value, "items"):
        yield _wrong(shape, value, what)
        return
    kind, usual = type(cast("object", value)), type(shape.default)
    if usual in (dict, list) and kind in (dict, list) and kind is not usual:
        message = f"{what} is a {kind.__name__}, and its default is a {usual.__name__}."
        yield found("json-shape", message)
    yield from _json_value(value, what)


def _json_value(value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, Mapping):
        for key, each in cast("Mapping[object, object]", value).items():
            if not isinstance(key, str):
                message = f"{what} has the key {shown(key)} ({type(key).__name__}), and JSON has text as keys."
                yield found("json-value", message)
            else:
                yield from _json_value(each, f"{what}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(cast("Sequence[object]", value)):
            yield from _json_value(each, f"{what}[{index}]")
    elif isinstance(value, (bytes, bytearray, set, frozenset, complex)):
        yield found("json-value", f"{what} is {shown(cast('object', value))}, which JSON does not know.")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        yield found("large-integer", f"{what} is {value}: beyond 2**53 the model gets {float(value):.0f}.")


def _list(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if isinstance(value, str):
        message = f"{what} is {shown(value)} (str), and {shape.item} is expected: the model gets its letters."
        yield found("text-for-list", message)
    elif isinstance(value, Mapping):
        yield found("dict-for-list", f"{what} is a dict, and {shape.item} is expected: the model gets its keys.")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(cast("Sequence[object]", value)):
            yield from problems_of(shape.args[0], each, f"{what}[{index}]")
    elif not hasattr(value, "__iter__") or isinstance(value, (bytes, bytearray)):
        yield _wrong(shape, value, what)
    elif getattr(value, "shape", ()):
        # Its items are all of one type: the first speaks for all.
        for each in cast("Sequence[object]", value)[:1]:
            yield from problems_of(shape.args[0], each, f"{what}[0]")


def _tuple(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if not isinstance(value, (tuple, list)):
        yield _wrong(shape, value, what)
        return
    items = cast("Sequence[object]", value)
    if len(items) != len(shape.args):
        message = f"{what} has {len(items)} values, and {shape.item} has {len(shape.args)}."
        yield found("tuple-length", message)
        return
    for index, (inner, each) in enumerate(zip(shape.args, items, strict=True)):
        yield from problems_of(inner, each, f"{what}[{index}]")


def _fields(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    values = _named(value)
    if values is None:
        yield _wrong(shape, value, what)
        return
    declared = {each.name: each for each in shape.args}
    for name in values:
        if name not in declared:
            guess = did_you_mean(str(name), declared, lead=" ")
            message = f"{what} has a field '{name}' that {shape.item} does not have: it is dropped.{guess}"
            yield found("unknown-field", message)
    for name, inner in declared.items():
        if name not in values:
            yield found("missing-field", f"{what} lacks the field '{name}' of {shape.item}.")
        else:
            yield from problems_of(inner, values[name], f"{what}.{name}")


def _named(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    items = getattr(value, "items", None)
    if callable(items) and not isinstance(value, type):
        return dict(cast("Iterable[tuple[str, object]]", items()))
    return None


def _opaque(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    """Media and concepts, by the name of their class: the SDK is not imported here."""
    if isinstance(value, str) and shape.type in (Type.TEXT, Type.CONCEPT):
        return  # the SDK makes one of it
    if isinstance(value, dict) and shape.type == Type.TEXT:
        return
    # PIL's class has the same name as the SDK's, and so has the platform's message, which the SDK does not take.
    names = {each.__name__ for each in type(value).__mro__ if not each.__module__.startswith("clarifai_grpc")}
    if shape.item not in names:
        yield _wrong(shape, value, what)


def _stream_problems(shape: Shape, value: object, what: str) -> Iterator[Finding]:
    if not hasattr(value, "__next__"):
        kind = type(value).__name__
        message = f"{what} is a {kind}, and {shape.label} is expected: something that next() takes."
        yield found("stream-not-iterator", message)
        if isinstance(value, (list, tuple)):
            for index, each in enumerate(cast("Sequence[object]", value)):
                yield from problems_of(shape, each, f"{what}[{index}]")


_CHECKS: dict[int, Callable[[Shape, Any, str], Iterator[Finding]]] = {
    Type.STR: _text,
    Type.BYTES: _bytes,
    Type.INT: _integer,
    Type.FLOAT: _float,
    Type.BOOL: _boolean,
    Type.NDARRAY: _array,
    Type.JSON_DATA: _json,
    Type.LIST: _list,
    Type.TUPLE: _tuple,
    Type.NAMED_FIELDS: _fields,
}
