"""Checks messages against a method's signature: the ``Data`` of a request's input, or of an output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.name_findings import missing_argument, unknown_argument
from clarifai_emulator.contracts.signatures.shapes import MethodShape, Shape, Type
from clarifai_emulator.contracts.values.python_values import limit_problems
from clarifai_emulator.spelling import did_you_mean

_LOOK_AT = 256
# So many findings about one input are enough.
_MOST = 20
_EXACT = 2**53
_NOTHING: tuple[Finding, ...] = ()

# Gives what is wrong with a part, by the words that name it; an empty tuple when nothing is.
Check = Callable[[Any, str], "tuple[Finding, ...]"]

_FIELDS: dict[int, str] = {
    Type.STR: "string_value",
    Type.BYTES: "bytes_value",
    Type.INT: "int_value",
    Type.FLOAT: "float_value",
    Type.BOOL: "bool_value",
    Type.NDARRAY: "ndarray",
    Type.JSON_DATA: "struct_value",
    Type.TEXT: "text",
    Type.IMAGE: "image",
    Type.CONCEPT: "concepts",
    Type.REGION: "regions",
    Type.FRAME: "frames",
    Type.AUDIO: "audio",
    Type.VIDEO: "video",
    Type.LIST: "parts",
    Type.TUPLE: "parts",
    Type.NAMED_FIELDS: "parts",
}
# Values of which the form of older clients keeps nothing, as they are written. Out of nothing the SDK's client
# reads 0.0 and an empty list where they are declared, and {} in place of these.
_LOST: dict[int, str] = {
    Type.STR: "''",
    Type.BYTES: "b''",
    Type.INT: "0",
    Type.BOOL: "False",
    Type.NDARRAY: "an empty array",
}
_REPEATED = (Type.CONCEPT, Type.REGION, Type.FRAME)


class WireMethod:
    """The checks of one method."""

    __slots__ = ("_inputs", "_required", "_result", "shape")

    def __init__(self, shape: MethodShape) -> None:
        self.shape = shape
        self._inputs = {name: compile_check(each) for name, each in shape.inputs.items()}
        self._required = frozenset(shape.required)
        self._result = compile_check(shape.result) if shape.result is not None else None

    def is_inlined(self, data: Any) -> bool:
        """Tell whether the input is in the form of older clients: values in the fields themselves, not parts."""
        return not data.parts and any(field.name != "metadata" for field, _ in data.ListFields())

    def input_problems(self, data: Any, *, first: bool = True) -> tuple[Finding, ...]:
        """Return what is wrong with an input. ``first`` of a stream: the others carry the stream's items only."""
        problems = _NOTHING
        seen: set[str] = set()
        for part in data.parts:
            if len(problems) >= _MOST:
                return problems
            name = part.id
            check = self._inputs.get(name)
            if check is None:
                problems += (unknown_argument(name, self.shape.inputs),)
                continue
            seen.add(name)
            problems += check(part.data, name)
        if first and not self._required <= seen:
            missing = [name for name in self.shape.required if name not in seen]
            problems += tuple(missing_argument(name, self.shape.inputs[name].label) for name in missing)
        return problems

    def output_problems(self, data: Any, *, inlined: bool = False) -> tuple[Finding, ...]:
        """Return what is wrong with an output. Its value is in the part ``return``; with ``inlined``, in the fields
        themselves, as the runner answers an input without parts."""
        if self._result is None:
            return _NOTHING
        for part in data.parts:
            if part.id == "return":
                return tuple(map(_of_result, self._result(part.data, "")))
        if inlined:
            if self._is_lost(data):
                return (lost_result(self.shape),)
            return tuple(map(_of_result, self._result(_without_copied_text(data), "")))
        assert self.shape.result is not None
        return (found("result-missing", f"the result is missing, and {self.shape.result.item} is declared."),)

    def _is_lost(self, data: Any) -> bool:
        """Tell whether nothing arrives of an inlined output."""
        fields = [field.name for field, _ in data.ListFields()]
        is_nothing = not fields or (fields == ["ndarray"] and not data.ndarray.buffer)
        return is_nothing and may_be_lost(self.shape)


def may_be_lost(shape: MethodShape) -> bool:
    """Tell whether a method has results of which nothing arrives when it is called without arguments."""
    return shape.result is not None and shape.result.type in _LOST


def lost_result(shape: MethodShape) -> Finding:
    """Return the finding about such a result."""
    assert shape.result is not None
    value = _LOST[shape.result.type]
    said = f"the result of a call without arguments is {value}: the SDK's client gets {{}} in its place."
    return found("result-lost", said)


def _without_copied_text(data: Any) -> Any:
    """Return an inlined output as the method gave it: the runner copies a string into ``text`` too."""
    if not data.string_value or not data.HasField("text"):
        return data
    plain = type(data)()
    plain.CopyFrom(data)
    plain.ClearField("text")
    return plain


def _of_result(problem: Finding) -> Finding:
    if problem.rule in ("result-missing", "large-integer"):
        return problem
    return found("result-type", problem.message, severity=problem.severity)


def compile_check(shape: Shape) -> Check:
    """Make the check of one value."""
    # A list of concepts is the repeated field itself, not parts.
    is_repeated = shape.type == Type.LIST and shape.args[0].type in _REPEATED
    expected = _FIELDS.get(shape.args[0].type if is_repeated else shape.type)
    if expected is None or is_repeated:
        return _only(shape, expected)
    deep = _deep_check(shape)

    def check(data: Any, what: str) -> tuple[Finding, ...]:
        for field, _ in data.ListFields():
            if field.name != expected:
                return _wrong(shape, field.name, expected, what)
        return deep(data, what) if deep is not None else _NOTHING

    return check


def _only(shape: Shape, expected: str | None) -> Check:
    def check(data: Any, what: str) -> tuple[Finding, ...]:
        for field, _ in data.ListFields():
            if expected is not None and field.name != expected:
                return _wrong(shape, field.name, expected, what)
        return _NOTHING

    return check


def _wrong(shape: Shape, got: str, expected: str, what: str) -> tuple[Finding, ...]:
    if got == "bytes_value" and shape.type == Type.STR:
        rule, came = "bytes-for-text", "bytes"
    else:
        rule, came = "wrong-type", got
    message = (
        f"{_named(what)} came as {came}, and {shape.item} ({expected}) is read: the model gets an empty value."
        if what
        else f"the result came as {came}, and {shape.item} ({expected}) is declared."
    )
    return (found(rule, message),)


def _named(what: str) -> str:
    return f"argument '{what}'" if what else "the result"


def _deep_check(shape: Shape) -> Check | None:
    """Make a check of more than which field is set; None where there is nothing more to look at."""
    if shape.low is not None or shape.choices:
        return _limits(shape)
    if shape.type == Type.NDARRAY:
        return _array
    if shape.type == Type.JSON_DATA:
        return _json
    if shape.type == Type.LIST and shape.args:
        return _list(shape)
    if shape.type == Type.TUPLE:
        return _tuple(shape)
    if shape.type == Type.NAMED_FIELDS:
        return _fields(shape)
    return None


def _limits(shape: Shape) -> Check:
    field = _FIELDS[shape.type]
    if shape.type not in (Type.STR, Type.INT, Type.FLOAT):
        return lambda data, what: _NOTHING
    return lambda data, what: tuple(limit_problems(shape, getattr(data, field), _named(what)))


def _array(data: Any, what: str) -> tuple[Finding, ...]:
    array = data.ndarray
    if not array.buffer:
        return (found("empty-array", f"{_named(what)} is empty: it arrives as None."),)
    return _NOTHING


def _json(data: Any, what: str) -> tuple[Finding, ...]:
    for index, number in enumerate(_numbers(data.struct_value)):
        if abs(number) >= _EXACT and number.is_integer():
            message = f"{_named(what)} holds {number:.0f}: from 2**53 on, JSON loses the last digits of an integer."
            return (found("large-integer", message),)
        if index > _LOOK_AT:
            break
    return _NOTHING


def _numbers(struct: Any) -> Iterator[float]:
    for value in struct.fields.values():
        yield from _numbers_of(value)


def _numbers_of(value: Any) -> Iterator[float]:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        yield value.number_value
    elif kind == "struct_value":
        yield from _numbers(value.struct_value)
    elif kind == "list_value":
        for each in value.list_value.values:
            yield from _numbers_of(each)


def _list(shape: Shape) -> Check:
    inner = shape.args[0]
    check_item = compile_check(inner)

    def check(data: Any, what: str) -> tuple[Finding, ...]:
        parts = data.parts[:_LOOK_AT]
        for index, part in enumerate(parts):
            problems = check_item(part.data, f"{what}[{index}]")
            if problems:
                return problems
        if inner.type == Type.STR and len(parts) > 2 and all(len(each.data.string_value) == 1 for each in parts):
            return (_letters(shape, what, len(data.parts)),)
        return _NOTHING

    return check


def _letters(shape: Shape, what: str, count: int) -> Finding:
    from clarifai_emulator.contracts.rules.rule import Severity

    message = f"{_named(what)} is {count} single letters: it looks like a str given for {shape.item}."
    return found("text-for-list", message, severity=Severity.WARNING)


def _tuple(shape: Shape) -> Check:
    checks = tuple(map(compile_check, shape.args))

    def check(data: Any, what: str) -> tuple[Finding, ...]:
        if len(data.parts) != len(checks):
            message = f"{_named(what)} has {len(data.parts)} values, and {shape.item} has {len(checks)}."
            return (found("tuple-length", message),)
        parts = zip(checks, data.parts, strict=True)
        return tuple(each for inner, part in parts for each in inner(part.data, f"{what}[]"))

    return check


def _fields(shape: Shape) -> Check:
    checks = {each.name: compile_check(each) for each in shape.args}

    def check(data: Any, what: str) -> tuple[Finding, ...]:
        problems = _NOTHING
        seen: set[str] = set()
        for part in data.parts:
            if len(problems) >= _MOST:
                return problems
            inner = checks.get(part.id)
            if inner is None:
                problems += (_unknown_field(shape, part.id, what),)
            else:
                seen.add(part.id)
                problems += inner(part.data, f"{what}.{part.id}")
        for name in checks:
            if name not in seen:
                problems += (found("missing-field", f"{_named(what)} lacks the field '{name}' of {shape.item}."),)
        return problems

    return check


def _unknown_field(shape: Shape, name: str, what: str) -> Finding:
    guess = did_you_mean(name, [each.name for each in shape.args], lead=" ")
    message = f"{_named(what)} has a field '{name[:100]}' that {shape.item} does not have: it is dropped.{guess}"
    return found("unknown-field", message)
