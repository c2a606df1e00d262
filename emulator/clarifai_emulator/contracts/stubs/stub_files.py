"""Writes typed clients: ``.pyi`` files with which editors and type checkers know the methods of given models."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.calls.checking_stubs import kind_of
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.stubs import sdk_surface, stub_types
from clarifai_emulator.messages.address import ModelAddress

_NOTE = """\
# Written by `clarifai-emulator stubs`; write it again when a model changes.
# mypy: ignore-errors
"""
_HEAD = f"""\
{_NOTE}\
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Literal, overload

import numpy as np
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video

class _NoSuchMethod: ...
"""


@dataclass(frozen=True, slots=True)
class Written:
    """The written stubs. ``classes``: the name of the class by the model's URL. ``unreadable``: models without
    types, and why. ``from_source``: the directories whose source alone was read."""

    files: tuple[Path, ...]
    classes: Mapping[str, str]
    unreadable: tuple[tuple[str, str], ...]
    from_source: tuple[Path, ...] = ()


def write_stubs(
    models: Sequence[GivenModel], out: Path, *, cache: Path | None = None, static: bool = False
) -> Written:
    """Write the files below ``out``. Raises ``ConfigError`` for directories and addresses that cannot be used."""
    known = read_models(models, cache, static=static)
    readable = [each for each in known if each.methods]
    files: list[Path] = []
    for name, text in stub_files(readable).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        files.append(path)
    reasons = tuple(
        (each.name, each.errors[0].message if each.errors else "it has no methods")
        for each in known
        if not each.methods
    )
    names = _class_names(readable)
    classes = {_url(each): name for each, name in zip(readable, names, strict=True)}
    from_source = tuple(each.directory for each in known if each.way == "static")
    return Written(tuple(files), classes, reasons, from_source)


def stub_files(models: Sequence[KnownModel]) -> dict[str, str]:
    """Names and texts of the files."""
    names = _class_names(models)
    exports = [f"from {module} import {name} as {name}" for module, name in sdk_surface.client_exports()]
    folder = "clarifai/client"
    return {
        f"{folder}/__init__.pyi": _NOTE + "\n".join([*exports, ""]),
        f"{folder}/model.pyi": "\n".join([_HEAD, *_Writer(models, names).lines(), ""]),
        f"{folder}/model_client.pyi": f"{_NOTE}from clarifai.client.model import ModelClient as ModelClient\n",
    }


class _Writer:
    def __init__(self, models: Sequence[KnownModel], names: Sequence[str]) -> None:
        self._models = models
        self._names = names
        self._classes = stub_types.NamedFieldClasses(lambda before: f"Fields{before + 1}")

    def lines(self) -> Iterator[str]:
        bodies = [
            line for model, name in zip(self._models, self._names, strict=True) for line in self._model(model, name)
        ]
        yield from self._base()
        yield from self._client()
        for shape, name in self._classes.names.items():
            yield f"class {name}(NamedFields):"
            for each in self._classes.fields[shape].type_args:
                yield f"    {each.name}: {stub_types.answered_once([each], self._classes.names)}"
        yield from bodies

    def _base(self) -> Iterator[str]:
        yield "class Model:"
        yield from (f"    {name}: Any" for name in sdk_surface.surface_for(()).model_attributes)
        for model, name in zip(self._models, self._names, strict=True):
            yield from _constructors(model, name)
        overload = "    @overload\n" if self._models else ""
        parameters = "url: str | None = ..., model_id: str | None = ..., **kwargs: Any"
        yield f"{overload}    def __new__(cls, {parameters}) -> Model: ..."
        yield "    @classmethod"
        yield "    def from_current_context(cls, **kwargs: Any) -> Model: ..."
        yield "    @property"
        yield "    def client(self) -> ModelClient: ..."
        yield "    @property"
        yield "    def async_client(self) -> ModelClient: ..."
        for name in sdk_surface.FORWARDED:
            yield f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ..."
            yield f"    async def async_{name}(self, *args: Any, **kwargs: Any) -> Any: ..."

    def _client(self) -> Iterator[str]:
        yield "class ModelClient:"
        yield from (f"    {name}: Any" for name in sdk_surface.surface_for(()).client_attributes)
        yield "    def __init__(self, stub: Any, async_stub: Any = ..., request_template: Any = ...) -> None: ..."
        yield "    @classmethod"
        yield "    def from_local_grpc(cls, port: int = ...) -> ModelClient: ..."
        yield "    def __getattr__(self, name: str) -> Any: ..."

    def _model(self, model: KnownModel, name: str) -> Iterator[str]:
        hidden = {*sdk_surface.surface_for(()).model_attributes, "client", "async_client"}
        methods = [each.signature for each in model.methods if each.signature.name not in hidden]
        yield f"class {name}(Model):"
        own = {each.name for each in methods}
        for each in methods:
            yield from self._method(each)
            if each.name in sdk_surface.FORWARDED and kind_of(each) != "stream":
                yield self._async_method(each)
        for missing in (each for each in sdk_surface.FORWARDED if each not in own):
            # The SDK's Model has it, this model has not: calling it is an error.
            yield f"    {missing}: _NoSuchMethod  # type: ignore"
        yield "    ..."

    def _method(self, signature: Any) -> Iterator[str]:
        self._classes.add(signature.output_fields)
        once = stub_types.answered_once(signature.output_fields, self._classes.names).replace("Json", _JSON)
        kind = kind_of(signature)
        result = once if kind == "unary" else f"Iterator[{once}]"
        pair = f"tuple[{once}, Any]" if kind == "unary" else f"Iterator[tuple[{once}, Any]]"
        parameters = _parameters(signature)
        document = _document(signature.description)
        yield "    @overload"
        head = f"    def {signature.name}(self{parameters}, *, with_proto: Literal"
        yield f"{head}[False] = ...) -> {result}:{document}"
        yield "    @overload"
        yield f"{head}[True]) -> {pair}: ..."
        first = stub_types.kind(signature.input_fields[0]) if signature.input_fields else ""
        # A list for the argument and a batch cannot be told apart by their types.
        if kind == "unary" and first not in ("JSON_DATA", "LIST"):
            yield "    @overload"
            yield f"    def {signature.name}(self, batch: list[dict[str, Any]], /) -> list[{once}]: ..."

    def _async_method(self, signature: Any) -> str:
        once = stub_types.answered_once(signature.output_fields, self._classes.names).replace("Json", _JSON)
        inner = once if kind_of(signature) == "unary" else f"AsyncIterator[{once}]"
        head = f"    async def async_{signature.name}(self{_parameters(signature)})"
        return f"{head} -> Coroutine[Any, Any, {inner}]: ..."


_JSON = "Any"


def _constructors(model: KnownModel, name: str) -> Iterator[str]:
    user, app, identifier = model.address.user_id, model.address.app_id, model.address.model_id
    more = "**kwargs: Any"
    if identifier and app:
        for url in _urls(model):
            yield "    @overload"
            yield f"    def __new__(cls, url: Literal[{url!r}], {more}) -> {name}: ..."
    if identifier:
        ids = "".join(
            f", {key}: Literal[{value!r}]" for key, value in (("user_id", user), ("app_id", app)) if value
        )
        yield "    @overload"
        yield f"    def __new__(cls, *, model_id: Literal[{identifier!r}]{ids}, {more}) -> {name}: ..."


def _urls(model: KnownModel) -> list[str]:
    address = model.address
    return [ModelAddress(address.user_id or "me", address.app_id, address.model_id).url]


def _url(model: KnownModel) -> str:
    return _urls(model)[0] if model.address.model_id else str(model.address)


def _parameters(signature: Any) -> str:
    text = ""
    for field in signature.input_fields:
        tp = stub_types.declared(field)
        if not field.required and field.default == "null":
            tp = f"{tp} | None"
        text += f", {field.name}: {tp}{'' if field.required else ' = ...'}"
    return text


def _document(description: str) -> str:
    """Return the docstring as the body of a method, so that editors show it."""
    if not description:
        return " ..."
    text = description.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = "\n".join(f"        {line}".rstrip() for line in text.split("\n")).strip()
    return f'\n        """{lines}"""\n        ...'


def _class_names(models: Sequence[KnownModel]) -> list[str]:
    """Return a class name for each, made of the model's id."""
    names: list[str] = []
    for each in models:
        words = re.findall(r"[A-Za-z0-9]+", each.name)
        name = "".join(word[:1].upper() + word[1:] for word in words) or "Unnamed"
        name = f"Model{name}" if name[0].isdigit() or keyword.iskeyword(name) or name in _TAKEN else name
        number = sum(other == name or re.fullmatch(rf"{name}_\d+", other) is not None for other in names)
        names.append(f"{name}_{number + 1}" if number else name)
    return names


# Names that the stub has for something else.
_TAKEN = frozenset(
    [
        *("Model", "ModelClient", "Any", "Literal", "Iterator", "AsyncIterator", "Coroutine", "NamedFields"),
        *("Audio", "Concept", "Frame", "Image", "Region", "Text", "Video"),
    ]
)
