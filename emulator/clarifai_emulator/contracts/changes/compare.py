"""Compares two versions of a model; each change is a finding that tells whom it breaks.

method ─► how it streams ─► parameters: gone, new, another type, default, limits, order ─► result
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.shapes import KINDS, UNSET, MethodShape, Shape, Type, method_shape
from clarifai_emulator.spelling import nearest

_LISTABLE = (Type.CONCEPT, Type.REGION, Type.FRAME)
_NUMBERS = (Type.INT, Type.FLOAT)
# What the SDK takes for the new type although it was meant for the old one.
_REINTERPRETED = {
    (Type.BYTES, Type.STR),
    (Type.INT, Type.BOOL),
    (Type.BOOL, Type.FLOAT),
    (Type.STR, Type.TEXT),
}


@dataclass(frozen=True, slots=True)
class _Pair:
    """A method, old and new."""

    old: MethodShape
    new: MethodShape
    was: Method
    now: Method

    def tell(self, rule: str, message: str, parameter: str = "") -> Finding:
        where: Location | None = self.now.parameters.get(parameter, self.now.location)
        declared = self.was.parameters.get(parameter, self.was.location)
        said = f"{self.new.name}(): {message}"
        was, now = str(self.old), str(self.new)
        return found(rule, said, location=where, declared=declared, method=self.new.name, old=was, new=now)


def changes(old: Sequence[Method], new: Sequence[Method], *, model: str = "") -> list[Finding]:
    """Return every change between the two, in the order of the old methods. Empty when they are alike."""
    before = {each.signature.name: each for each in old}
    after = {each.signature.name: each for each in new}
    return [replace(each, model=model) for each in _changes(before, after)]


def _changes(before: Mapping[str, Method], after: Mapping[str, Method]) -> Iterator[Finding]:
    for name, was in before.items():
        now = after.get(name)
        if now is not None:
            yield from _method(_Pair(method_shape(was.signature), method_shape(now.signature), was, now))
            continue
        near = nearest(name, [each for each in after if each not in before])
        guess = f" Is it '{near}' now?" if near else ""
        said = f"Method '{name}' is gone; there are {', '.join(after) or 'none'}.{guess}"
        signature = str(method_shape(was.signature))
        yield found(
            "method-removed", said, location=_file_of(after), declared=was.location, method=name, old=signature
        )
    for name, now in after.items():
        if name not in before:
            said = f"Method '{name}' is new."
            signature = str(method_shape(now.signature))
            yield found("method-added", said, location=now.location, method=name, new=signature)


def _file_of(methods: Mapping[str, Method]) -> Location | None:
    """Return the file that declares these methods, as a place without a line."""
    places = (each.location for each in methods.values() if each.location is not None)
    return next((Location(each.path, revision=each.revision) for each in places), None)


def _method(pair: _Pair) -> Iterator[Finding]:
    if pair.old == pair.new and list(pair.old.inputs) == list(pair.new.inputs):
        return
    yield from _streams(pair)
    yield from _names(pair)
    for name, old in pair.old.inputs.items():
        new = pair.new.inputs.get(name)
        if new is not None:
            yield from _parameter(pair, old, new)
    yield from _order(pair)
    yield from _result(pair)


def _streams(pair: _Pair) -> Iterator[Finding]:
    was, now = pair.old, pair.new
    gave, gives = _gives_stream(was), _gives_stream(now)
    told = f"was {KINDS.get(was.kind, '?')}, is {KINDS.get(now.kind, '?')}."
    if was.stream != now.stream:
        if was.stream and now.stream:
            told = f"read '{was.stream}' as a stream, reads '{now.stream}'."
        yield pair.tell("stream-input-changed", told, now.stream or was.stream)
    elif gives and not gave:
        yield pair.tell("method-starts-streaming", told)
    elif gave and not gives:
        yield pair.tell("method-stops-streaming", told)


def _gives_stream(shape: MethodShape) -> bool:
    return shape.result is not None and shape.result.iterator


def _names(pair: _Pair) -> Iterator[Finding]:
    """Parameters that are gone or new; one of each, of the same type and place, is a new name."""
    gone = [name for name in pair.old.inputs if name not in pair.new.inputs]
    added = [name for name in pair.new.inputs if name not in pair.old.inputs]
    for name in gone:
        to = _new_name(pair, name, added)
        if to:
            added.remove(to)
            said = f"argument '{name}' ({pair.old.inputs[name].label}) is gone, and '{to}' of the same type is new."
            yield pair.tell("parameter-renamed", said, to)
        else:
            said = f"argument '{name}' ({pair.old.inputs[name].label}) is gone."
            yield pair.tell("parameter-removed", said, name)
    for name in added:
        shape = pair.new.inputs[name]
        if shape.required:
            said = f"argument '{name}' ({shape.label}) is new and required."
            yield pair.tell("required-parameter-added", said, name)
        else:
            said = f"argument '{name}' ({shape.label} = {shape.default!r}) is new."
            yield pair.tell("optional-parameter-added", said, name)


def _new_name(pair: _Pair, name: str, added: Sequence[str]) -> str:
    old = pair.old.inputs[name]
    alike = [each for each in added if pair.new.inputs[each].label == old.label]
    places = list(pair.old.inputs), list(pair.new.inputs)
    same_place = [each for each in alike if places[1].index(each) == places[0].index(name)]
    return next(iter(same_place), "") or nearest(name, alike)


def _parameter(pair: _Pair, old: Shape, new: Shape) -> Iterator[Finding]:
    name = old.name
    rule = type_change(old, new)
    if rule:
        said = f"argument '{name}' was {old.label}, is {new.label}."
        yield pair.tell(rule, _field_words(old, new, f"argument '{name}'") or said, name)
    if new.required and not old.required:
        said = f"argument '{name}' is required; its default was {old.default!r}."
        yield pair.tell("parameter-now-required", said, name)
    elif old.required and not new.required:
        yield pair.tell("parameter-now-optional", f"argument '{name}' has the default {new.default!r}.", name)
    elif not rule and old.default != new.default and UNSET not in (old.default, new.default):
        said = f"argument '{name}' had the default {old.default!r}, has {new.default!r}."
        yield pair.tell(_default_rule(old, new), said, name)
    lost = _lost_limits(old, new)
    if lost and not rule:
        yield pair.tell("limits-narrowed", f"argument '{name}': {lost}.", name)


def _default_rule(old: Shape, new: Shape) -> str:
    if old.default is None:
        return "default-no-longer-none"
    if new.default is None:
        return "default-now-none"
    kinds = (type(old.default), type(new.default))
    if kinds in ((dict, list), (list, dict)):
        return "json-default-changed"
    return "default-changed"


def _lost_limits(old: Shape, new: Shape) -> str:
    lost = [each for each in old.choices if each not in new.choices] if new.choices else []
    if lost:
        return f"no longer a choice: {', '.join(map(repr, lost))}"
    if new.choices and not old.choices:
        return f"the choices are {', '.join(map(repr, new.choices))}, and there were none"
    if new.low is not None and (old.low is None or _is_narrower(old, new)):
        was = old.limits or "not limited"
        return f"was {was}, is {new.limits}"
    return ""


def _is_narrower(old: Shape, new: Shape) -> bool:
    assert old.low is not None
    assert new.low is not None
    higher = new.high is not None and (old.high is None or new.high < old.high)
    return new.low > old.low or higher


def type_change(old: Shape, new: Shape) -> str:
    """Return the rule for a parameter whose type changed; empty when it did not."""
    if old.type == new.type:
        return _container_change(old, new)
    pair = (old.type, new.type)
    if pair == (Type.INT, Type.FLOAT):
        return "integer-to-float"
    if pair in _REINTERPRETED or (old.type == Type.STR and new.item == "List[str]"):
        return "type-reinterpreted"
    return _other_change(old, new)


def _container_change(old: Shape, new: Shape) -> str:
    if old.type == Type.TUPLE and len(old.args) != len(new.args):
        return "tuple-length-changed"
    if old.type == Type.NAMED_FIELDS:
        was, now = {each.name: each for each in old.args}, {each.name: each for each in new.args}
        if set(now) - set(was):
            return "field-added"
        if any(type_change(was[name], each) for name, each in now.items()):
            return "items-changed"
        return "field-removed" if set(was) - set(now) else ""
    return "items-changed" if any(map(type_change, old.args, new.args)) else ""


def _other_change(old: Shape, new: Shape) -> str:
    for one, other in ((old, new), (new, old)):
        if one.type in _LISTABLE and other.type == Type.LIST and other.args[0].type == one.type:
            return "concept-list-changed"
        if one.type == Type.NDARRAY and other.type == Type.LIST and other.args[0].type in _NUMBERS:
            return "array-list-changed"
        if one.type == Type.JSON_DATA and other.type == Type.LIST:
            return "json-container-changed"
    if (old.type, new.type) == (Type.NAMED_FIELDS, Type.JSON_DATA):
        return "json-container-changed"
    return "type-changed"


def _field_words(old: Shape, new: Shape, what: str) -> str:
    if old.type != Type.NAMED_FIELDS or new.type != Type.NAMED_FIELDS:
        return ""
    was, now = [each.name for each in old.args], [each.name for each in new.args]
    added = ", ".join(f"'{name}'" for name in now if name not in was)
    gone = ", ".join(f"'{name}'" for name in was if name not in now)
    parts = [f"has the new field {added}"] if added else []
    parts += [f"has lost the field {gone}"] if gone else []
    return f"{what} {' and '.join(parts)}." if parts else ""


def _order(pair: _Pair) -> Iterator[Finding]:
    """Yield a finding if an argument without a name no longer goes where it went."""
    old, new = list(pair.old.inputs), list(pair.new.inputs)
    kept = [name for name in old if name in new]
    if len(kept) == len(old) and new[: len(old)] != old:
        yield pair.tell("parameters-reordered", f"the order was {', '.join(old)}, is {', '.join(new)}.")


def _result(pair: _Pair) -> Iterator[Finding]:
    old, new = pair.old.result, pair.new.result
    if old is None or new is None:
        return
    rule = type_change(old, new)
    if not rule:
        return
    if old.type != new.type:
        rule = "result-type-changed"
    elif rule in ("field-added", "field-removed"):
        gone = {each.name for each in old.args} - {each.name for each in new.args}
        rule = "result-field-removed" if gone else "result-field-added"
    else:
        rule = f"result-{rule}"
    said = f"the result was {old.label}, is {new.label}."
    yield pair.tell(rule, _field_words(old, new, "the result") or said)
