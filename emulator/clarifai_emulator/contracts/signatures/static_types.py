"""Turns types and defaults as they are written into ``ModelTypeField`` messages, by the SDK's rules for them."""

from __future__ import annotations

import ast
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField

Type = ModelTypeField.DataType
Find = Callable[[str], Any]

_SDK_TYPES = ("TEXT", "IMAGE", "CONCEPT", "REGION", "FRAME", "AUDIO", "VIDEO")
_KNOWN: Mapping[str, int] = {
    "str": Type.STR,
    "bytes": Type.BYTES,
    "int": Type.INT,
    "float": Type.FLOAT,
    "bool": Type.BOOL,
    "numpy.ndarray": Type.NDARRAY,
    "numpy.typing.NDArray": Type.NDARRAY,
    "PIL.Image.Image": Type.IMAGE,
    "list": Type.JSON_DATA,
    "dict": Type.JSON_DATA,
    "typing.List": Type.JSON_DATA,
    "typing.Dict": Type.JSON_DATA,
    **{
        f"clarifai.runners.utils.data_types.{inside}{name.capitalize()}": Type.Value(name)
        for name in _SDK_TYPES
        for inside in ("", "data_types.")
    },
    "clarifai.runners.utils.data_types.JSON": Type.JSON_DATA,
    "clarifai.runners.utils.data_types.data_types.JSON": Type.JSON_DATA,
}
_STREAMS = ("Iterator", "Generator", "Iterable")
_ASYNC = ("AsyncIterator", "AsyncGenerator", "AsyncIterable", "Coroutine", "Awaitable")
_SPECIAL = {"Literal": "literal", "Annotated": "annotated", "Union": "union", "Optional": "optional"}
_BARE = ("typing.Tuple", "tuple")
_JSONABLE = ("str", "int", "float", "bool", "None", "dict", "list", "tuple")
_PARAM = ("default", "description", "min_value", "max_value", "choices", "is_param")


class Refused(Exception):
    """A type that the SDK does not take. ``kind`` as in ``refusals.py``."""

    def __init__(self, kind: str, type_: str, error: str) -> None:
        super().__init__(error)
        self.kind, self.type, self.error = kind, type_, error


class UnknownType(Exception):
    """A type that the source alone does not tell."""


def fill_type(made: Any, annotation: Any, module: Any, find: Find) -> bool:
    """Fill in type and type_args; whether it is a stream. Raises ``Refused``, ``Unknown``."""
    if annotation is None:
        raise Refused("missing", "", "")
    head, inner = _subscript(annotation)
    name = _last(head)
    if name in _ASYNC:
        raise Refused("async", str(annotation), "")
    if name in _STREAMS and _is_typing(_path(head, module)):
        if not inner:
            raise Refused("bare_stream", str(annotation), "")
        _Filler(module, find).fill(made, inner[0])
        return True
    _Filler(module, find).fill(made, annotation)
    return False


class _Filler:
    def __init__(self, module: Any, find: Find) -> None:
        self._module = module
        self._find = find
        self._depth = 0

    def fill(self, made: Any, annotation: Any) -> None:
        if isinstance(annotation, str):
            kind = "none" if annotation == "None" else "text"
            raise Refused(kind, annotation.strip("'\""), "")
        named = _named_fields(annotation)
        if named is not None:
            self._named(made, named)
            return
        if _kind(annotation) == "ExprBinOp":
            parts = [str(annotation.left), str(annotation.right)]
            raise Refused("optional" if "None" in parts else "union", str(annotation), "")
        head, inner = _subscript(annotation)
        if inner:
            self._generic(made, annotation, head, inner)
        else:
            self._plain(made, annotation)

    def _plain(self, made: Any, annotation: Any) -> None:
        path = _path(annotation, self._module)
        known = _KNOWN.get(path)
        if known is not None:
            made.type = known
        elif path in _BARE or path.endswith(".NamedFields"):
            raise Refused("bare_container", str(annotation), "")
        elif path == "PIL.Image":
            raise Refused("module", str(annotation), "")
        else:
            self._alias(made, annotation, path)

    def _alias(self, made: Any, annotation: Any, path: str) -> None:
        """Note a name that the module, or one beside it, gives a type."""
        self._depth += 1
        member = self._module.members.get(path.rpartition(".")[2])
        if member is None or member.is_alias:
            member = self._find(path) if "." in path else member
        value = getattr(member, "value", None) if member is not None and not member.is_alias else None
        if value is not None and self._depth < 10:
            self.fill(made, value)
        elif member is not None and not member.is_alias and member.is_class:
            raise Refused("class", str(annotation), "")
        elif path.startswith("typing.") or "." not in path:
            raise Refused("any" if path.endswith(".Any") else "class", str(annotation), "")
        else:
            raise UnknownType(f"{annotation} is not written here")

    def _generic(self, made: Any, annotation: Any, head: Any, inner: Sequence[Any]) -> None:
        name = _last(head)
        if name in _SPECIAL:
            kind = _SPECIAL[name]
            is_optional = kind == "union" and any(str(each) == "None" for each in inner)
            raise Refused("optional" if is_optional else kind, str(annotation), "")
        if name in ("List", "list"):
            made.type = Type.LIST
            self.fill(made.type_args.add(name=f"{made.name}_item"), inner[0])
        elif name in ("Tuple", "tuple"):
            if any(str(each) == "..." for each in inner):
                raise Refused("ellipsis", str(annotation), "")
            made.type = Type.TUPLE
            for each in inner:
                self.fill(made.type_args.add(name=f"{made.name}_item"), each)
        elif name in ("Dict", "dict"):
            if not all(map(_is_jsonable, inner)):
                raise Refused("dict", str(annotation), "")
            made.type = Type.JSON_DATA
        elif name in ("ndarray", "NDArray"):
            made.type = Type.NDARRAY
        else:
            raise Refused("class", str(annotation), "")

    def _named(self, made: Any, named: Sequence[Any]) -> None:
        if not named:
            raise Refused("bare_container", "NamedFields()", "")
        made.type = Type.NAMED_FIELDS
        for each in named:
            self.fill(made.type_args.add(name=each.name), each.value)


def fill_default(made: Any, default: Any, module: Any) -> None:
    """Fill in the default, and what Param declares. Raises ``Unknown``."""
    if _kind(default) == "ExprCall" and _last(default.function) == "Param":
        values = _param_values(default, module)
        made.is_param = bool(values.get("is_param", True))
        made.description = values.get("description") or ""
        for choice in values.get("choices") or ():
            made.model_type_enum_options.add(id=str(choice))
        low, high = values.get("min_value"), values.get("max_value")
        if low is not None or high is not None:
            made.model_type_range_info.SetInParent()
            made.model_type_range_info.min = float(low or 0)
            made.model_type_range_info.max = float(high or 0)
        value = values.get("default")
    else:
        value = _evaluate(default, module)
    made.default = value if isinstance(value, str) else json.dumps(value)


def _param_values(call: Any, module: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for index, argument in enumerate(call.arguments):
        if _kind(argument) == "ExprKeyword":
            values[argument.name] = _evaluate(argument.value, module)
        else:
            values[_PARAM[index]] = _evaluate(argument, module)
    return values


def _evaluate(expression: Any, module: Any) -> Any:
    """Return the value of a literal, or of a name that the module sets to one."""
    text = str(expression)
    member = module.members.get(text)
    if member is not None and not member.is_alias and member.is_attribute:
        text = str(member.value)
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (ValueError, SyntaxError, TypeError, MemoryError):
        raise UnknownType(str(expression)) from None
    return value


def _is_jsonable(annotation: Any) -> bool:
    head, inner = _subscript(annotation)
    return _last(head) in (*_JSONABLE, "Dict", "List", "Tuple") and all(map(_is_jsonable, inner))


def _subscript(annotation: Any) -> tuple[Any, Sequence[Any]]:
    """Split ``List[str]`` into ``List`` and what is in the brackets; empty where there are none."""
    if _kind(annotation) != "ExprSubscript":
        return annotation, ()
    inside = annotation.slice
    return annotation.left, inside.elements if _kind(inside) == "ExprTuple" else (inside,)


def _named_fields(annotation: Any) -> Sequence[Any] | None:
    if _kind(annotation) == "ExprCall" and _last(annotation.function) == "NamedFields":
        return annotation.arguments
    return None


def _kind(expression: Any) -> str:
    return type(expression).__name__


def _last(expression: Any) -> str:
    path = str(getattr(expression, "canonical_path", expression))
    return path.rpartition(".")[2]


def _path(expression: Any, module: Any) -> str:
    """Find where a name comes from; for one that a wildcard import may have brought, the last that can have."""
    path = str(getattr(expression, "canonical_path", expression)).removeprefix("builtins.")
    name = path.removeprefix(f"{module.path}.")
    if "." in name or name in module.members or name in _KNOWN:
        return path
    wild = [each.target_path for each in module.members.values() if each.is_alias and each.wildcard]
    for origin in reversed(wild):
        if f"{origin}.{name}" in _KNOWN or (origin == "typing" and hasattr(typing, name)):
            return f"{origin}.{name}"
    return path


def _is_typing(path: str) -> bool:
    return path.startswith(("typing.", "collections.abc.", "typing_extensions."))
