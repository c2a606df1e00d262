"""Writes Python types for the fields of a method signature, in three readings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

# A ``ModelTypeField`` of clarifai_grpc.
Field = Any

_DECLARED = {
    "STR": "str",
    "BYTES": "bytes",
    "INT": "int",
    "FLOAT": "float",
    "BOOL": "bool",
    "NDARRAY": "np.ndarray[Any, Any]",
    "JSON_DATA": "dict[str, Any] | list[Any]",
    "TEXT": "Text",
    "IMAGE": "Image",
    "CONCEPT": "Concept",
    "REGION": "Region",
    "FRAME": "Frame",
    "AUDIO": "Audio",
    "VIDEO": "Video",
}
# Wider where the SDK converts: numpy's numbers have __index__ or __float__, and text makes a Text or a Concept.
_ACCEPTED = {
    **_DECLARED,
    "INT": "SupportsIndex",
    "FLOAT": "SupportsFloat | SupportsIndex",
    "BOOL": "bool | NumpyBool",
    "NDARRAY": "Arrayable | list[Any] | tuple[Any, ...] | SupportsFloat",
    "JSON_DATA": "Mapping[Any, Any] | list[Any]",
    "TEXT": "Text | str | dict[str, Any]",
    "IMAGE": "Image | PILImage",
    "CONCEPT": "Concept | str",
}
_ANSWERED = {**_DECLARED, "JSON_DATA": "Json", "NDARRAY": "np.ndarray[Any, Any]"}
_WORDS = {
    "STR": "str",
    "BYTES": "bytes",
    "INT": "int",
    "FLOAT": "float",
    "BOOL": "bool",
    "NDARRAY": "numpy.ndarray",
    "JSON_DATA": "dict or list",
}


def kind(field: Field) -> str:
    """Return the name of the field's data type: ``STR``, ``LIST`` and so on."""
    return str(type(field).DataType.Name(field.type))


def in_words(field: Field) -> str:
    """Return the type for a message: ``List[str]``."""
    name, inner = kind(field), [in_words(each) for each in field.type_args]
    if name == "LIST":
        text = f"List[{inner[0]}]"
    elif name == "TUPLE":
        text = f"Tuple[{', '.join(inner)}]"
    elif name == "NAMED_FIELDS":
        pairs = ", ".join(f"{each.name}={words}" for each, words in zip(field.type_args, inner, strict=True))
        text = f"NamedFields({pairs})"
    else:
        text = _WORDS.get(name, name.capitalize())
    return f"Iterator[{text}]" if field.iterator else text


def declared(field: Field) -> str:
    """Return the type as model.py declares it."""
    return _iterated(field, _composed(field, _DECLARED, ("list[{}]", "tuple[{}]"), "NamedFields | dict[str, Any]"))


def accepted(field: Field) -> str:
    """Return all types that the SDK sends as this one."""
    text = _iterated(
        field,
        _composed(field, _ACCEPTED, ("Listable[{0}]", "tuple[{0}] | list[Any]"), "Fields | Mapping[str, Any]"),
    )
    return f"{text} | None" if field.default == "null" and not field.required else text


def answered(fields: Sequence[Field], named: dict[str, str]) -> str:
    """Return the type of a call's result. ``named``: the names of the classes made for named fields, by
    ``shape_of``."""
    if not fields:
        return "None"
    return _iterated(fields[0], _answer(fields[0], named))


def answered_once(fields: Sequence[Field], named: dict[str, str]) -> str:
    """Return the type of one item of a call's result."""
    return _answer(fields[0], named) if fields else "None"


def shape_of(field: Field) -> str:
    """Return a text that is equal for two fields that hold the same."""
    return in_words(field) if not field.iterator else in_words(field).removeprefix("Iterator[").removesuffix("]")


class NamedFieldClasses:
    """Names the classes that a stub has for named fields: one for all fields that hold the same. ``name`` makes a
    name of the number of those before it."""

    def __init__(self, name: Callable[[int], str]) -> None:
        self._name = name
        self.names: dict[str, str] = {}  # by ``shape_of``
        self.fields: dict[str, Field] = {}

    def add(self, fields: Iterable[Field]) -> None:
        """Name the classes of these fields, and of the fields within them."""
        for field in fields:
            self.add(field.type_args)
            if kind(field) == "NAMED_FIELDS":
                shape = shape_of(field)
                self.names.setdefault(shape, self._name(len(self.names)))
                self.fields[shape] = field


def _answer(field: Field, named: dict[str, str]) -> str:
    if kind(field) == "NAMED_FIELDS":
        return named[shape_of(field)]
    inner = [_answer(each, named) for each in field.type_args]
    if kind(field) == "LIST":
        return f"list[{inner[0]}]"
    if kind(field) == "TUPLE":
        return f"tuple[{', '.join(inner)}]"
    return _ANSWERED.get(kind(field), "Any")


def _composed(field: Field, plain: dict[str, str], forms: tuple[str, str], named: str) -> str:
    inner = [_composed(each, plain, forms, named) for each in field.type_args]
    if kind(field) == "LIST":
        return forms[0].format(inner[0])
    if kind(field) == "TUPLE":
        return forms[1].format(", ".join(inner))
    if kind(field) == "NAMED_FIELDS":
        return named
    return plain.get(kind(field), "Any")


def _iterated(field: Field, text: str) -> str:
    return f"Iterator[{text}]" if field.iterator else text
