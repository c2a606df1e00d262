"""Writes the arguments and results of verbs as JSON and reads them back, of the types that their table names.

A value that JSON has stands for itself; any other is an object with one key, ``$`` and the kind of value. What is
not in the table cannot travel, in either direction. Of names that somebody sent only functions are looked up, which
a module must define: for ``Verbs.run`` and ``Verbs.look``.
"""

from __future__ import annotations

import base64
import builtins
import importlib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from typing import Any, cast

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from clarifai_emulator.control.error_forms import error_as_dict, error_from
from clarifai_emulator.errors import EmulatorError, UnforeseenError
from clarifai_emulator.routing import RoutingError

_PLAIN = (type(None), bool, int, float, str)
_ROUTING = ("code", "details", "ask", "hint", "rejected", "note", "row")


class CannotTravel(TypeError):
    """A value that no verb takes or gives."""


class Codec:
    """Writes and reads values of the dataclasses and enumerations that ``annotations`` mention, and of JSON,
    protobuf, paths and Python's collections."""

    def __init__(self, annotations: Iterable[Any]) -> None:
        self._types: dict[str, type[Any]] = {}
        for annotation in annotations:
            self._learn(annotation)

    @property
    def types(self) -> Mapping[str, type[Any]]:
        """The dataclasses and enumerations that travel, by name."""
        return self._types

    def written(self, value: Any) -> Any:
        """Return a value as JSON. Raises ``CannotTravel``."""
        if isinstance(value, Enum):
            return {"$enum": [self._known(value), value.value]}
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, list):
            return [self.written(each) for each in value]
        if isinstance(value, dict):
            pairs = cast("dict[Any, Any]", value)
            if all(isinstance(key, str) and not key.startswith("$") for key in pairs):
                return {key: self.written(each) for key, each in pairs.items()}
            return {"$dict": [[self.written(key), self.written(each)] for key, each in pairs.items()]}
        for kind, name in ((tuple, "$tuple"), (set, "$set"), (frozenset, "$frozenset")):
            if isinstance(value, kind):
                return {name: [self.written(each) for each in cast("Iterable[Any]", value)]}
        return self._written_object(value)

    def read(self, form: Any) -> Any:
        """Return the value that was written. Raises ``CannotTravel``."""
        if isinstance(form, list):
            return [self.read(each) for each in cast("list[Any]", form)]
        if not isinstance(form, dict):
            return form
        pairs = cast("dict[str, Any]", form)
        kind = next(iter(pairs), "")
        if len(pairs) != 1 or not kind.startswith("$"):
            return {key: self.read(each) for key, each in pairs.items()}
        read = self._readers.get(kind)
        if read is None:
            raise CannotTravel(f"{kind!r} is no kind of value that travels")
        return read(self, pairs[kind])

    def error_written(self, error: Exception) -> dict[str, Any]:
        """Return an error as JSON, with its type where another process may know it."""
        if isinstance(error, RoutingError):
            return {"kind": "routing", "routing": self.written({n: getattr(error, n) for n in _ROUTING})}
        if not isinstance(error, EmulatorError) and getattr(builtins, type(error).__name__, None) is type(error):
            try:
                args = self.written(list(error.args))
            except CannotTravel:
                args = [str(error)]
            return {**error_as_dict(error), "type": type(error).__name__, "args": args}
        return error_as_dict(error)

    def error_read(self, form: Mapping[str, Any]) -> Exception:
        """Return the error that was written: of the same type, where it is one of the emulator's or of Python's."""
        if form.get("kind") == "routing":
            return RoutingError(**self.read(form["routing"]))
        kind = getattr(builtins, str(form.get("type", "")), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            try:
                return kind(*self.read(form["args"]))
            except TypeError:
                return UnforeseenError(str(form.get("message")))
        return error_from(form)

    # ── one kind each ──────────────────────────────────────────────────────────────────────────────────

    def _written_object(self, value: Any) -> Any:
        if isinstance(value, bytes | bytearray):
            return {"$bytes": base64.b64encode(value).decode()}
        if isinstance(value, PurePath):
            return {"$path": str(value)}
        if isinstance(value, Message):
            data = base64.b64encode(value.SerializeToString()).decode()
            return {"$message": [value.DESCRIPTOR.full_name, data]}
        if is_dataclass(value) and not isinstance(value, type):
            given = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
            return {"$of": [self._known(value), {name: self.written(each) for name, each in given.items()}]}
        if isinstance(value, partial):
            function: Any = cast("partial[Any]", value)
            parts = [function.func, list(function.args), function.keywords]
            return {"$partial": [self.written(each) for each in parts]}
        if isinstance(value, types.FunctionType):
            return {"$function": _named(value)}
        if isinstance(value, Iterable) and isinstance(value, typing.Sequence):  # protobuf's own lists
            return [self.written(each) for each in cast("Iterable[Any]", value)]
        raise CannotTravel(f"a {type(value).__name__} cannot go to another process")

    def _of(self, form: Any) -> Any:
        name, given = form
        kind = self._types.get(name)
        if kind is None:
            raise CannotTravel(f"{name!r} is no type that travels")
        return kind(**{key: self.read(each) for key, each in given.items()})

    def _enum(self, form: Any) -> Any:
        kind = self._types.get(form[0])
        if kind is None:
            raise CannotTravel(f"{form[0]!r} is no type that travels")
        return kind(form[1])

    def _partial(self, form: Any) -> Any:
        function, args, keywords = (self.read(each) for each in form)
        return partial(function, *args, **keywords)

    def _several(self, form: Any) -> list[Any]:
        return [self.read(each) for each in form]

    def _pairs(self, form: Any) -> dict[Any, Any]:
        return {self.read(key): self.read(each) for key, each in form}

    _readers: typing.ClassVar[dict[str, Callable[[Codec, Any], Any]]] = {
        "$tuple": lambda codec, form: tuple(codec._several(form)),
        "$set": lambda codec, form: set(codec._several(form)),
        "$frozenset": lambda codec, form: frozenset(codec._several(form)),
        "$dict": _pairs,
        "$bytes": lambda codec, form: base64.b64decode(form),
        "$path": lambda codec, form: Path(form),
        "$message": lambda codec, form: _message(*form),
        "$of": _of,
        "$enum": _enum,
        "$partial": _partial,
        "$function": lambda codec, form: _function(form),
    }

    def _known(self, value: Any) -> str:
        name = _name_of(type(value))
        if name not in self._types:
            raise CannotTravel(f"a {type(value).__name__} cannot go to another process")
        return name

    def _learn(self, annotation: Any) -> None:
        """Note the dataclasses and enumerations of an annotation, and those of their fields."""
        for inner in typing.get_args(annotation):
            self._learn(inner)
        if not isinstance(annotation, type) or _name_of(annotation) in self._types:
            return
        if issubclass(annotation, Enum):
            self._types[_name_of(annotation)] = annotation
        elif is_dataclass(annotation):
            self._types[_name_of(annotation)] = annotation
            for inner in typing.get_type_hints(annotation).values():
                self._learn(inner)


def _name_of(kind: type[Any]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _named(function: types.FunctionType) -> str:
    name = f"{function.__module__}:{function.__qualname__}"
    if _function(name) is not function:
        raise CannotTravel(f"{function.__module__}.{function.__qualname__} is not defined by a module")
    return name


def _function(form: str) -> types.FunctionType:
    """Return the function that a module defines under a name of its own: no class, no method, nothing built in, and
    nothing that the module has from another one. Raises ``CannotTravel``."""
    module, _, name = form.partition(":")
    found = vars(importlib.import_module(module)).get(name)
    if not isinstance(found, types.FunctionType) or (found.__module__, found.__qualname__) != (module, name):
        raise CannotTravel(f"{module}.{name} is not defined by a module")
    return found


def _message(name: str, data: str) -> Message:
    kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    return kind.FromString(base64.b64decode(data))
