"""Writes the errors of a verb as JSON and reads them back, so that both doors raise the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_emulator.errors import (
    CallerError,
    ConfigError,
    ControlError,
    EmulatorError,
    ModelError,
    UnforeseenError,
)


def error_as_dict(error: Exception) -> dict[str, Any]:
    """Return an error as JSON: ``kind``, ``message``, and what its kind has."""
    if isinstance(error, CallerError):
        return {
            "kind": "refused",
            "code": error.code,
            "message": error.details,
            "hint": error.hint,
            "description": error.description,
            "stack_trace": list(error.stack_trace),
            "row": error.row,
        }
    if isinstance(error, ModelError):
        return {"kind": "model", "message": error.summary, "hint": error.hint, "log": error.log}
    if isinstance(error, ConfigError):
        return {
            "kind": "config",
            "message": str(error),
            "what": error.what,
            "problems": list(error.problems),
            "hint": error.hint,
        }
    if isinstance(error, ControlError):
        facts = {"reason": error.reason, "data": error.data}
        return {"kind": "control", "message": error.message, "hint": error.hint, **facts}
    if isinstance(error, EmulatorError):
        return {"kind": "config", "message": str(error), "what": str(error), "problems": [], "hint": ""}
    return {"kind": "bug", "message": f"{type(error).__name__}: {error}"}


def error_from(form: Mapping[str, Any]) -> EmulatorError:
    """Return the error that was written."""
    kind, message = form.get("kind"), str(form.get("message", "unknown error"))
    hint = str(form.get("hint", ""))
    if kind == "refused":
        return CallerError(
            int(form["code"]),
            message,
            hint=hint,
            description=str(form.get("description", "")),
            stack_trace=[str(each) for each in form.get("stack_trace", ())],
            row=str(form.get("row", "")),
        )
    if kind == "model":
        return ModelError(message, hint=hint, log=str(form.get("log", "")))
    if kind == "config":
        return ConfigError(
            str(form.get("what", message)), [str(each) for each in form.get("problems", ())], hint=hint
        )
    if kind == "control":
        return ControlError(message, hint=hint, reason=form.get("reason", "failed"), data=form.get("data"))
    return UnforeseenError(message)
