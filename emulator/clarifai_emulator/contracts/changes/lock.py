"""Reads and writes the lock file ``clarifai.contract.yaml``: the methods that clients rely on, in stable order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField
from google.protobuf.json_format import ParseDict, ParseError

from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.json import as_dict

LOCK_FILE = "clarifai.contract.yaml"
VERSION = 1
_HEAD = (
    "# The methods that clients of these models rely on. Commit this file; `clarifai-emulator contract lock` "
    "writes\n"
    "# it, `contract diff` and `contract verify` hold models against it.\n"
)
# The name of a model (two spaces before it) or of a method (four), as ``write_lock`` writes them.
_NAMED = re.compile(r"(  |    )([^\s:'\"]+):")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# `contract lock` writes some ten levels. The parser that is written in C goes down a level by calling itself.
_DEEPEST = 50
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Promise:
    """A model's promise. ``name``: ``USER/APP/models/ID``."""

    name: str
    methods: tuple[Method, ...]


def write_lock(promises: Iterable[Promise]) -> str:
    """Return the text of a lock file: models and methods by name, parameters in their order."""
    models = {
        promise.name: {method.signature.name: _entry(method.signature) for method in _by_name(promise.methods)}
        for promise in sorted(promises, key=lambda each: each.name)
    }
    content = {"version": VERSION, "models": models}
    return _HEAD + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _by_name(methods: Sequence[Method]) -> list[Method]:
    return sorted(methods, key=lambda each: each.signature.name)


def _entry(signature: MethodSignature) -> dict[str, Any]:
    plain = MethodSignature()
    plain.CopyFrom(signature)
    plain.ClearField("description")
    for field in (*plain.input_fields, *plain.output_fields):
        _forget_descriptions(field)
    told = as_dict(plain)
    told.pop("name", None)
    return {"call": str(method_shape(plain)), "signature": told}


def _forget_descriptions(field: ModelTypeField) -> None:
    field.ClearField("description")
    for each in field.type_args:
        _forget_descriptions(each)


def read_lock(file: Path) -> list[Promise]:
    """Return the promises of a lock file. Raises ``ConfigError`` with every problem found."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The lock file {file} cannot be read:", [str(error)]) from None
    return parse_lock(text, file)


def parse_lock(text: str, file: Path, revision: str = "") -> list[Promise]:
    """Read the text of a lock file; ``file`` names it in errors and locations, ``revision`` in locations."""
    content = _content(text, file)
    problems: list[str] = []
    places = _places(text, file, revision)
    promises = [
        Promise(name, tuple(_methods(name, methods, places, problems)))
        for name, methods in cast("Mapping[str, Any]", content.get("models") or {}).items()
    ]
    if problems:
        raise ConfigError(f"The lock file {file} cannot be used:", problems, hint=_AGAIN)
    return promises


_AGAIN = "Write it again with `clarifai-emulator contract lock`, or take it from your version control."


def _content(text: str, file: Path) -> Mapping[str, Any]:
    _require_plain(text, file)
    try:
        content: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, the C one where there is one
    except yaml.YAMLError as error:
        raise ConfigError(f"The lock file {file} is no YAML:", [str(error)], hint=_AGAIN) from None
    version: Any = cast("Mapping[str, Any]", content).get("version") if isinstance(content, dict) else None
    if version != VERSION:
        problem = f"version must be {VERSION}, got {version!r}"
        hint = "It was written by another version of clarifai-emulator, or is no lock file."
        raise ConfigError(f"The lock file {file} cannot be used:", [problem], hint=hint)
    return cast("Mapping[str, Any]", content)


def _require_plain(text: str, file: Path) -> None:
    """Refuse what is no lock and takes more than its size to read: content that is nested without end, and
    references, which stand for any amount of content. Raises ``ConfigError``."""
    depth, problem = 0, ""
    try:
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                problem = "it has references, which `clarifai-emulator contract lock` never writes"
            elif depth > _DEEPEST:
                problem = "it is nested deeper than `clarifai-emulator contract lock` ever writes"
            if problem:
                break
    except yaml.YAMLError:
        return  # what is wrong is said when it is read
    if problem:
        raise ConfigError(f"The lock file {file} cannot be used:", [problem], hint=_AGAIN)


def _places(text: str, file: Path, revision: str) -> Callable[[str, str], Location]:
    """Return where each method of each model stands in the lock file."""
    lines: dict[tuple[str, str], int] = {}
    model = ""
    for number, line in enumerate(text.split("\n"), 1):
        name = _NAMED.fullmatch(line)
        if name is not None and len(name[1]) == 2:
            model = name[2]
        elif name is not None:
            lines[model, name[2]] = number
    return lambda model, method: Location(file, lines.get((model, method), 0), revision=revision)


def _methods(
    model: str, methods: Any, place: Callable[[str, str], Location], problems: list[str]
) -> Iterable[Method]:
    if not isinstance(methods, dict):
        problems.append(f"models.{model} must be methods by name")
        return
    for name, entry in cast("Mapping[str, Any]", methods).items():
        try:
            signature = ParseDict(entry["signature"], MethodSignature(name=name))
        except (KeyError, TypeError, ParseError) as error:
            problems.append(f"models.{model}.{name}.signature is no method signature: {error}")
        else:
            yield Method(signature, place(model, name))
