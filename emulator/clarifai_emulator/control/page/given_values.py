"""Reads what a form gives for an argument, as JSON has it, and says what was expected where something else came."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, cast

from clarifai_emulator.errors import EmulatorError

_JSON_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


class WrongArgument(EmulatorError):
    """Says which argument cannot be sent, what is expected there, and what came."""

    def __init__(self, what: str, expected: str, came: object) -> None:
        super().__init__(f"{what} needs {expected}; {_said(came)} was given.")


def as_text(value: Any, what: str, expected: str) -> str:
    if not isinstance(value, str):
        raise WrongArgument(what, expected, value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise EmulatorError(
            f"{what} has half of a character in it (a lone surrogate), which cannot be sent."
        ) from None
    return value


def as_number(value: Any, what: str) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise WrongArgument(what, "a number", value)


def from_base64(value: Any, what: str) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise WrongArgument(what, "its content as base64", value)


def list_of(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise WrongArgument(what, "a list", value)
    return cast("list[Any]", value)


def object_of(value: Any, what: str, names: tuple[str, ...], expected: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongArgument(what, expected, value)
    given = cast("dict[str, Any]", value)
    for name in given:
        if name not in names:
            raise EmulatorError(f"{what} has a field '{name[:100]}' that is not known; it has {', '.join(names)}.")
    return given


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text '{value[:60]}{'…' if len(value) > 60 else ''}'"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (
            f"the number {value}" if not isinstance(value, float) or math.isfinite(value) else "an infinite number"
        )
    if isinstance(value, list):
        return f"a list of {len(cast('list[Any]', value))}"
    return _JSON_KINDS.get(type(value), type(value).__name__)
