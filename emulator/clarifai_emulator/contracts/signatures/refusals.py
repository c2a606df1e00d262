"""Turns what ``inside/inspect_main.py`` says about a model's code into findings with the line and the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clarifai_emulator.backends.model_errors import OTHER_SDK
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.model_source import class_location, future_import, place_of
from clarifai_emulator.models.missing_modules import ELSEWHERE, hint_for_missing

# What the child calls it → the rule.
_RULES = {
    "optional": "optional-annotation",
    "union": "union-annotation",
    "text": "text-annotation",
    "future": "future-annotations",
    "none": "none-annotation",
    "bare_container": "bare-container",
    "bare_stream": "bare-container",
    "async": "async-annotation",
    "module": "image-module",
    "dict": "dict-annotation",
    "variadic": "variadic-parameter",
    "reserved": "reserved-parameter",
}
_SYNTAX = ("SyntaxError", "IndentationError", "TabError")


def refusal(problem: Mapping[str, Any], stubs: Mapping[str, Any]) -> Finding:
    """Return the finding for a parameter, result or method that the SDK does not take."""
    file, method, parameter = Path(problem["file"]), str(problem["method"]), str(problem["parameter"])
    place = place_of(file, int(problem["line"]), method)
    kind, type_ = str(problem["kind"]), str(problem.get("type", ""))
    what = f"The result of {method}()" if parameter == "return" else f"Parameter '{parameter}' of {method}()"
    location = place.of(parameter) if parameter else place.location
    if kind == "missing":
        rule = "missing-return-annotation" if parameter == "return" else "missing-annotation"
        return found(rule, f"{what} has no annotation.", location=location, method=method)
    if kind == "method":
        return _of_method(method, str(problem["error"]), location)
    if kind == "class" and type_.partition(".")[0] in stubs:
        return found(
            "unknown-type",
            f"{what} is {type_}, of a module that is not installed here. The platform has no such type, unless it "
            "is another name for one it has.",
            location=location,
            method=method,
        )
    if kind == "future":
        location = future_import(file) or location
    rule = _RULES.get(kind, "unsupported-type")
    if kind in ("reserved", "variadic"):
        message = f"{what}: {_reason(kind)}"
    else:
        message = f"{what} is annotated {type_ or 'with text'}: {_reason(kind)}"
    return found(rule, message, location, method=method, hint=_advice(kind, type_, parameter) or None)


def _of_method(method: str, error: str, location: Location) -> Finding:
    rule = "streaming-shape" if "stream" in error.lower() else "refused-method"
    return found(rule, f"The SDK refuses {method}(): {error}.", location=location, method=method)


def _reason(kind: str) -> str:
    return {
        "optional": "a value that may be None has no type on the platform.",
        "union": "a value of several types has no type on the platform.",
        "text": "the SDK reads types, and not text.",
        "future": "with `from __future__ import annotations` the SDK sees text where it reads types.",
        "none": "there is no empty result on the platform.",
        "bare_container": "the SDK must know what it holds.",
        "bare_stream": "the SDK must know what it streams.",
        "async": "the runner reads plain iterators and plain results only.",
        "module": "that is a module, and the class in it is meant.",
        "dict": "a dict is JSON on the platform, and this is no JSON.",
        "variadic": "the platform has no parameters that take any number of arguments.",
        "reserved": "the client takes this name for itself.",
        "ellipsis": "a tuple has a fixed length on the platform.",
    }.get(kind, "the platform has no such type.")


def _advice(kind: str, type_: str, parameter: str) -> str:
    if kind == "optional" and type_.startswith("Optional["):
        inner = type_[len("Optional[") : -1]
        if parameter == "return":
            return f"Annotate `-> {inner}`, and return an empty value instead of None."
        return f"Write `{parameter}: {inner} = None`: the SDK then takes None for `not given`."
    if kind == "ellipsis":
        return "Use List[…] for any number of values."
    if kind == "union":
        return "Choose one type, or make a method for each."
    return ""


def failed_import(answer: Mapping[str, Any], model_file: Path) -> Iterator[Finding]:
    """Say why there is no model class."""
    classes = [str(name) for name in answer.get("classes", ())]
    error = str(answer["error"])
    if "Could not determine model class" in error:
        yield model_class_count(classes, error, model_file)
        return
    where = answer.get("where") or {}
    location = Location(
        Path(where.get("file") or model_file), int(where.get("line", 0)), int(where.get("column", 0))
    )
    kind = str(answer["kind"])
    last = error.splitlines()[-1].removeprefix(f"{OTHER_SDK}: ")
    if kind == OTHER_SDK:
        message = f"model.py cannot be used: {last}"
        yield found("other-sdk", message, location, hint=str(answer["hint"]))
        return
    rule = "syntax-error" if kind in _SYNTAX else "import-failed"
    is_missing = kind in ("ModuleNotFoundError", "ImportError")
    hint = hint_for_missing(last, location.path.parent) or f"{ELSEWHERE}." if is_missing else None
    yield found(rule, f"model.py cannot be used: {last}", location, hint=hint)


def mocked_import(failed: Mapping[str, Any], model_file: Path) -> Finding:
    """Return the finding that a model can be read with mocks only, and why."""
    where = failed.get("where") or {}
    location = Location(
        Path(where.get("file") or model_file), int(where.get("line", 1)), int(where.get("column", 0)) or 1
    )
    last = str(failed["error"]).splitlines()[-1].rstrip(".")
    message = f"model.py cannot be imported here: {last}. Its methods were read with third-party modules mocked."
    return found("mocked-import", message, location=location)


def model_class_count(classes: list[str], error: str, model_file: Path) -> Finding:
    """Return the finding that model.py has no model class, or several. ``error``: what the SDK says about it."""
    if len(classes) > 1:
        message = f"model.py has {len(classes)} model classes: {', '.join(classes)}. The SDK takes one."
        return found("model-class-count", message, location=class_location(model_file, classes[1]))
    message = "model.py has no class that inherits from ModelClass."
    if "ModelRunner" in error:
        message = "The model class inherits from ModelRunner, the old base class; the new one is ModelClass."
    return found("model-class-count", message, location=Location(model_file, 1, 1))
