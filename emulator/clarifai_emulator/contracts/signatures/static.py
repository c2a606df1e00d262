"""Reads a model's methods from its source without running anything, with griffe.

    model.py ─► what of it runs (static_flow.py) ─► its model class
             ─► bases, also in modules beside it and in the SDK (static_modules.py)
             ─► methods, and what their decorators leave of them ─► static_types.py

What only running the code can tell (a computed default, a type out of a variable, a method under a condition) is
told as not checked, each where it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, RunnerMethodType

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.imported import FAILED, Reading, about_method, proto_method
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.contracts.signatures.model_source import MethodPlace, place_of
from clarifai_emulator.contracts.signatures.refusals import model_class_count, refusal
from clarifai_emulator.contracts.signatures.static_decorators import hides_method, makes_method, unknown_decorator
from clarifai_emulator.contracts.signatures.static_failures import failing_statements
from clarifai_emulator.contracts.signatures.static_modules import ParsedModules, TooLarge
from clarifai_emulator.contracts.signatures.static_sdk import sdk_source
from clarifai_emulator.contracts.signatures.static_types import Refused, UnknownType, fill_default, fill_type
from clarifai_emulator.models.directory import REQUIREMENTS_FILE
from clarifai_emulator.models.image_content import model_file_of
from clarifai_emulator.models.requirements import required_names

STATIC = "static"
_ON_MESSAGES = "PostModelOutputs"
_UNKNOWN = ("unknown-default", "unknown-type", "unread-method")


def read_by_source(directory: Path) -> Reading:
    """Read the source of one model."""
    model_file, sdk = model_file_of(directory), sdk_source(directory)
    named = frozenset(required_names(directory / REQUIREMENTS_FILE))
    modules = ParsedModules(directory, model_file, named, sdk.folder)
    try:
        module = modules.load(model_file, "model")
    except SyntaxError as error:
        where = Location(model_file, error.lineno or 1, error.offset or 0)
        message = f"model.py cannot be used: {type(error).__name__}: {error.msg}"
        return Reading(FAILED, findings=(found("syntax-error", message, location=where),))
    except TooLarge as error:
        return _unread(model_file, f"{error}, which is not read without running it")
    except (RecursionError, MemoryError):
        return _unread(model_file, "model.py is nested too deeply to be read without running it")
    except (OSError, ValueError) as error:
        message = f"model.py cannot be used: {type(error).__name__}: {error}"
        return Reading(FAILED, findings=(found("import-failed", message, location=Location(model_file, 1, 1)),))
    failing = () if sdk.findings else tuple(failing_statements(model_file, modules))
    if failing:
        return Reading(FAILED, findings=failing)
    reading = _of_module(module, modules, model_file)
    if not sdk.findings:
        return reading
    # What the SDK that is here refuses, that of the model may take.
    told = (replace(each, severity=Severity.UNCHECKED) for each in reading.findings if each not in sdk.findings)
    return replace(reading, findings=(*sdk.findings, *told))


def _unread(model_file: Path, why: str) -> Reading:
    return Reading(STATIC, findings=(found("unread-method", f"{why}.", location=Location(model_file, 1, 1)),))


def _of_module(module: Any, modules: ParsedModules, model_file: Path) -> Reading:
    flow = modules.flow(module)
    classes = [each for each in module.classes.values() if not each.is_alias and modules.is_model(each)]
    doubts = [flow.doubtful[each] for each in module.classes if each in flow.doubtful]
    if len(classes) != 1 or classes[0].name in flow.doubtful:
        changes = [flow.changed[each] for each in ("", *module.classes) if each in flow.changed]
        unclear = next(iter([*doubts, *changes]), "") or _unclear_bases(module, modules)
        if unclear:
            return _unread(model_file, f"Which class is the model is not known: {unclear}")
        return Reading(FAILED, findings=(model_class_count([each.name for each in classes], "", model_file),))
    return _Reader(modules).read(classes[0], model_file)


def _unclear_bases(module: Any, modules: ParsedModules) -> str:
    """Say which class could be the model, if what it inherits from were known; or which value could be one."""
    for each in module.classes.values():
        if each.is_alias or modules.is_model(each):
            continue
        missing = [path for path in modules.bases(each)[1] if not modules.is_outside(path)]
        if missing and not missing[0].startswith("clarifai"):
            return f"{each.name} inherits from {missing[0]}, which is not found"
    for name, member in module.members.items():
        value = getattr(member, "value", None) if not member.is_alias else None
        if type(value).__name__ == "ExprCall" and member.is_attribute and _is_class_name(name):
            return f"{name} is made by {str(value)[:60]}"
    return ""


def _is_class_name(name: str) -> bool:
    return name[:1].isupper() and not name.isupper()


@dataclass(slots=True)
class _Reader:
    """Makes methods of one model class."""

    modules: ParsedModules
    findings: list[Finding] = field(default_factory=list[Finding])
    methods: dict[str, Method] = field(default_factory=dict[str, Method])

    def read(self, class_: Any, model_file: Path) -> Reading:
        order, missing = self.modules.bases(class_)
        for base in reversed(order):
            self._of_class(base)
        self._messages(order)
        for path in missing:
            if path.startswith("clarifai.") or not self.modules.is_outside(path):
                self._unknown(f"{class_.name} inherits from {path}, which is not found", class_, "")
        if not self.methods and not self.findings:
            message = f"Class {class_.name} has no method that a client could call."
            self.findings.append(found("no-methods", message, location=Location(model_file, 1, 1)))
        names = tuple(each.name for each in order if each is not class_)
        return Reading(STATIC, tuple(self.methods.values()), tuple(self.findings), names, is_self_contained=True)

    def _messages(self, order: list[Any]) -> None:
        """Name the method of a model that answers messages: it has no signature."""
        if _ON_MESSAGES in self.methods:
            return
        for base in order:
            member = base.members.get(_ON_MESSAGES)
            if member is None or member.is_alias or not member.is_function:
                continue
            if not str(base.path).startswith("clarifai."):
                self.findings.append(proto_method(_ON_MESSAGES, Location(Path(member.filepath), member.lineno)))
            return

    def _of_class(self, base: Any) -> None:
        """Add the methods of one class; one that overrides another without the decorator leaves it as it was, as
        the SDK has it."""
        flow = self.modules.flow(base.module)
        for reason in self._doubts_about(base, flow):
            self._unknown(f"{base.name}: {reason}", base, "")
        for name, member in base.members.items():
            if member.is_alias:
                continue
            if member.is_attribute and self._may_be_method(member):
                self._unknown(f"{name} of {base.name} is {str(member.value)[:60]}", member, name)
            if not member.is_function or hides_method(member):
                continue
            known = [self.modules.is_method_decorator(each.value, base.module) for each in member.decorators]
            strange = unknown_decorator(member, self.modules)
            if True in known:
                try:
                    self._read(name, member)
                except UnicodeEncodeError as error:  # half of a surrogate pair, which no message can hold
                    self._refuse(member, "", Refused("method", "", str(error)))
            elif strange and (name in self.methods or None in known or makes_method(member, self.modules)):
                self._unknown(f"{name}() is decorated with {strange[:60]}, which is not found", member, name)
                continue
            if True in known and strange:
                self._unknown(f"{name}() is decorated with {strange[:60]}, which may change it", member, name)
        for place, reason in flow.doubtful.items():
            owner, _, name = place.rpartition(".")
            if owner == base.name:
                self._unknown(f"{name} of {base.name} is {reason}", base, name)

    def _doubts_about(self, base: Any, flow: Any) -> Iterator[str]:
        """Yield what may change the methods of a class after its body."""
        if base.name in flow.changed:
            yield flow.changed[base.name]
        if str(base.path).startswith("clarifai."):
            return
        for each in base.decorators:
            if not str(each.value).partition("(")[0].endswith("dataclass"):
                yield f"it is decorated with {each.value}"
        if "__init_subclass__" in base.members:
            yield "its __init_subclass__ may change the classes that inherit from it"

    def _may_be_method(self, member: Any) -> bool:
        """Tell whether an assignment in a class may make a method: of another one, or of a function; or take one
        away."""
        value: Any = getattr(member, "value", None)
        if member.name in self.methods:
            return True
        if type(value).__name__ == "ExprCall":
            return self.modules.is_method_decorator(value.function, member.module) is True
        return type(value).__name__ == "ExprName" and str(value) in self.methods

    def _unknown(self, what: str, place: Any, method: str) -> None:
        where = Location(Path(place.filepath), place.lineno or 1)
        message = f"{what}: what a client can call cannot be told without running it."
        self.findings.append(found("unread-method", message, location=where, method=method))

    def _read(self, name: str, function: Any) -> None:
        file = Path(function.filepath)
        place = place_of(file, function.lineno, name)
        signature = MethodSignature(name=name)
        signature.description = inspect.cleandoc(place.docstring)
        before = len(self.findings)
        self._parameters(signature, function, place)
        result = signature.output_fields.add(name="return")
        result.iterator = self._type(result, function, function.returns, place)
        if any(each.rule not in _UNKNOWN for each in self.findings[before:]):
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
        variadic = [each.name.lstrip("*") for each in function.parameters if "variadic" in str(each.kind.value)]
        told = {"attribute": name, "is_async": "async" in function.labels, "variadic": variadic}
        self.findings.extend(about_method(told, method))

    def _parameters(self, signature: MethodSignature, function: Any, place: MethodPlace) -> None:
        for parameter in function.parameters:
            if parameter.name in ("self", "cls"):
                continue
            is_variadic = str(parameter.kind.value).startswith("variadic")
            if is_variadic and parameter.annotation is None:
                self._refuse(function, parameter.name, Refused("variadic", "", ""))
                continue
            if parameter.name == "with_proto":
                self._refuse(function, parameter.name, Refused("reserved", "", ""))
                continue
            made = signature.input_fields.add(name=parameter.name.lstrip("*"))
            made.iterator = self._type(made, function, parameter.annotation, place)
            made.required = parameter.default is None or is_variadic
            if not made.required:
                self._default(made, function, parameter.default, place)

    def _type(self, made: Any, function: Any, annotation: Any, place: MethodPlace) -> bool:
        try:
            if _has_future_annotations(function.module) and annotation is not None:
                raise Refused("future", "", "")
            if made.name in place.texts:
                raise Refused("text", str(annotation), "")
            self._require_sure(annotation, function.module)
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
            self._require_sure(default, function.module)
            fill_default(made, default, function.module)
        except UnknownType as unknown:
            made.default = str(default)
            message = f"The default of '{made.name}' of {function.name}() is computed: {unknown}."
            self.findings.append(
                found("unknown-default", message, location=place.of(made.name), method=function.name)
            )

    def _require_sure(self, expression: Any, module: Any) -> None:
        """Raise ``UnknownType`` for a name that only running the module gives its value."""
        doubtful = self.modules.flow(module).doubtful
        parts = expression.iterate(flat=True) if hasattr(expression, "iterate") else ()
        for part in parts:
            reason = doubtful.get(str(getattr(part, "name", "")))
            if reason:
                raise UnknownType(f"{part} is {reason}")

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


def _has_future_annotations(module: Any) -> bool:
    member = module.members.get("annotations")
    return member is not None and member.is_alias and member.target_path == "__future__.annotations"


def _kind(signature: MethodSignature) -> Any:
    streams = sum(each.iterator for each in signature.input_fields)
    gives = signature.output_fields[0].iterator
    if streams > 1 or (streams and not gives):
        return None
    if streams:
        return RunnerMethodType.STREAMING_STREAMING
    return RunnerMethodType.UNARY_STREAMING if gives else RunnerMethodType.UNARY_UNARY
