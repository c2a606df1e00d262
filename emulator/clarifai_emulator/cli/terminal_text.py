"""Makes text of models and clients harmless for a terminal: what would move the cursor, ring or rename the window
is shown as it is written in Python, and not obeyed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from clarifai_emulator.backends.printed import without_colours

# Control characters but for tabs and ends of lines, and what turns the direction of text around.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def inert(text: str) -> str:
    """Return a text that a terminal only shows: ``\\x1b[2J`` instead of an empty screen. Colours are left out."""
    if text.isprintable():
        return text
    return _OBEYED.sub(_escaped, without_colours(text))


def inert_values(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event, or what is within one, with every text in it inert."""
    return {name: _inert_value(value) for name, value in event.items()}


def _inert_value(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, Mapping):
        return inert_values(cast("Mapping[str, Any]", value))
    if isinstance(value, list | tuple):
        return [_inert_value(each) for each in cast("Sequence[Any]", value)]
    return value


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
