"""Reads a model's methods from its source without running anything, with griffe: less exact than an import.

    model.py ─► its model class ─► bases, also in modules beside it and in the SDK ─► methods ─► static_types.py

What only running the code can tell (a computed default, a type out of a variable) is told as not checked.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import griffe
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, RunnerMethodType

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.imported import FAILED, Reading, about_method
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.model_source import MethodPlace, place_of
from clarifai_emulator.contracts.signatures.refusals import model_class_count, refusal
from clarifai_emulator.contracts.signatures.static_types import Refused, UnknownType, fill_default, fill_type
from clarifai_emulator.models.image_content import model_file_of

STATIC = "static"
_BASE = "ModelClass"
_SDK = "clarifai"


def read_by_source(directory: Path) -> Reading:
    """Read the source of one model."""
    model_file = model_file_of(directory)
    modules = _Modules(directory, model_file)
    try:
        module = modules.load(model_file, "model")
    except SyntaxError as error:
        where = Location(model_file, error.lineno or 1, error.offset or 0)
        message = f"model.py cannot be used: SyntaxError: {error.msg}"
        return Reading(FAILED, findings=(found("syntax-error", message, location=where),))
    classes = [each for each in module.classes.values() if not each.is_alias and modules.is_model(each)]
    if len(classes) != 1:
        return Reading(FAILED, findings=(model_class_count([each.name for each in classes], "", model_file),))
    return _Reader(modules).read(classes[0], model_file)


class _Modules:
    """The modules that can be found without an import: the model's own, and those of the SDK."""

    def __init__(self, directory: Path, model_file: Path) -> None:
        self._roots = [directory, model_file.parent]
        self._loaded: dict[Path, Any] = {}
        spec = importlib.util.find_spec(_SDK)
        if spec is not None and spec.origin:
            self._roots.append(Path(spec.origin).parents[1])

    def load(self, file: Path, name: str) -> Any:
        if file not in self._loaded:
            self._loaded[file] = griffe.visit(name, filepath=file, code=file.read_text(encoding="utf-8"))
        return self._loaded[file]

    def find(self, path: str) -> Any:
        """Return the class or value of this dotted name, or None."""
        parts = path.split(".")
        for root in self._roots:
            for end in range(len(parts) - 1, 0, -1):
                base = root.joinpath(*parts[:end])
                for file in (base.with_suffix(".py"), base / "__init__.py"):
                    if file.is_file():
                        return self._member(file, parts[:end], parts[end])
        return None

    def _member(self, file: Path, module: Sequence[str], name: str) -> Any:
        try:
            member = self.load(file, ".".join(module)).members.get(name)
        except (SyntaxError, OSError, UnicodeDecodeError):
            return None
        if member is not None and member.is_alias:
            return self.find(member.target_path) if member.target_path != ".".join([*module, name]) else None
        return member

    def bases(self, class_: Any) -> Iterator[Any]:
        """Yield the classes it inherits from that can be found, itself last, as Python looks them up from the
        far end."""
        seen: list[Any] = []
        self._walk(class_, seen)
        yield from reversed(seen)

    def _walk(self, class_: Any, seen: list[Any]) -> None:
        if class_ is None or not class_.is_class or class_ in seen:
            return
        seen.append(class_)
        for base in class_.bases:
            path = base if isinstance(base, str) else base.canonical_path
            local = class_.module.members.get(path.rpartition(".")[2])
            is_local = local is not None and not local.is_alias and local.is_class
            self._walk(local if is_local else self.find(path), seen)

    def is_model(self, class_: Any) -> bool:
        return any(each.name == _BASE and each is not class_ for each in self.bases(class_))


@dataclass(slots=True)
class _Reader:
    """Makes methods of one model class."""

    modules: _Modules
    findings: list[Finding] = field(default_factory=list[Finding])
    methods: dict[str, Method] = field(default_factory=dict[str, Method])

    def read(self, class_: Any, model_file: Path) -> Reading:
        bases = list(self.modules.bases(class_))
        for base in bases:
            for name, function in base.members.items():
                if not function.is_alias and function.is_function and _is_method(function):
                    self._read(name, function)
        if not self.methods and not self.findings:
            message = f"Class {class_.name} has no method that a client could call."
            self.findings.append(found("no-methods", message, location=Location(model_file, 1, 1)))
        names = tuple(each.name for each in bases if each is not class_)
        return Reading(STATIC, tuple(self.methods.values()), tuple(self.findings), names, is_self_contained=True)

    def _read(self, name: str, function: Any) -> None:
        file = Path(function.filepath)
        place = place_of(file, function.lineno, name)
        signature = MethodSignature(name=name)
        signature.description = inspect.cleandoc(function.docstring.value) if function.docstring else ""
        before = len(self.findings)
        self._parameters(signature, function, place)
        result = signature.output_fields.add(name="return")
        result.iterator = self._type(result, function, function.returns, place)
        if any(each.rule not in ("unknown-default", "unknown-type") for each in self.findings[before:]):
            return
        kind = _kind(signature)
        if kind is None:
            said = "stream methods with streaming inputs must have streaming outputs"
            self._refuse(function, "", Refused("method", "", said))
            return
        signature.method_type = kind
        named = {each.name for each in signature.input_fields}
        where = {key: each for key, each in place.parameters.items() if key in named}
        method = Method(signature, place.location, where, signature.description)
        self.methods[name] = method
        told = {"attribute": name, "is_async": "async" in function.labels, "variadic": []}
        self.findings.extend(about_method(told, method))

    def _parameters(self, signature: MethodSignature, function: Any, place: MethodPlace) -> None:
        for parameter in function.parameters:
            if parameter.name in ("self", "cls"):
                continue
            kind = str(parameter.kind.value)
            if kind.startswith("variadic"):
                self._refuse(function, parameter.name, Refused("variadic", "", ""))
                continue
            if parameter.name == "with_proto":
                self._refuse(function, parameter.name, Refused("reserved", "", ""))
                continue
            made = signature.input_fields.add(name=parameter.name)
            made.iterator = self._type(made, function, parameter.annotation, place)
            made.required = parameter.default is None
            if parameter.default is not None:
                self._default(made, function, parameter.default, place)

    def _type(self, made: Any, function: Any, annotation: Any, place: MethodPlace) -> bool:
        try:
            if "annotations" in function.module.members and annotation is not None:
                raise Refused("future", "", "")
            if made.name in place.texts:
                raise Refused("text", str(annotation), "")
            return fill_type(made, annotation, function.module, self.modules.find)
        except Refused as refused:
            self._refuse(function, made.name, refused)
        except UnknownType as unknown:
            what = "The result" if made.name == "return" else f"The type of '{made.name}'"
            message = f"{what} of {function.name}() cannot be read from the source: {unknown}."
            self.findings.append(found("unknown-type", message, location=place.of(made.name), method=function.name))
        return False

    def _default(self, made: Any, function: Any, default: Any, place: MethodPlace) -> None:
        try:
            fill_default(made, default, function.module)
        except UnknownType as unknown:
            made.default = str(default)
            message = f"The default of '{made.name}' of {function.name}() is computed: {unknown}."
            self.findings.append(
                found("unknown-default", message, location=place.of(made.name), method=function.name)
            )

    def _refuse(self, function: Any, parameter: str, refused: Refused) -> None:
        told = {
            "method": function.name,
            "file": str(function.filepath),
            "line": function.lineno,
            "parameter": parameter,
            "kind": refused.kind,
            "type": refused.type,
            "error": refused.error,
        }
        self.findings.append(refusal(told, {}))


def _is_method(function: Any) -> bool:
    return any(str(each.value).endswith(f"{_BASE}.method") for each in function.decorators)


def _kind(signature: MethodSignature) -> Any:
    streams = sum(each.iterator for each in signature.input_fields)
    gives = signature.output_fields[0].iterator
    if streams > 1 or (streams and not gives):
        return None
    if streams:
        return RunnerMethodType.STREAMING_STREAMING
    return RunnerMethodType.UNARY_STREAMING if gives else RunnerMethodType.UNARY_UNARY
