"""Hides the values of secrets, keys and tokens in what a browser is shown of resources, wherever they stand.

A value that is known is hidden in every text, in names too. What only looks like one, by the name of its field, is
hidden as well: somebody may have put a key of another service there.
"""

from __future__ import annotations

import re
from typing import Any

from clarifai_emulator.control.page.known_secrets import known_secrets
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.replica_tokens import hidden

HIDDEN = "(hidden)"
# A shorter value is hidden where it is the whole text: else one that is "1" would hide every number.
_LEAST_INSIDE = 4
_MOST_CHARACTERS = 20_000
_SENSITIVE = re.compile(r"(^|_|-)(secret|token|pat|password|passwd|api_?key|private_?key|credentials?)$", re.I)


class PageMasks:
    """Knows every value that nobody is to see, as they are now."""

    def __init__(self, emulator: Emulator) -> None:
        self._values = frozenset(filter(None, known_secrets(emulator)))
        inside = sorted((each for each in self._values if len(each) >= _LEAST_INSIDE), key=len, reverse=True)
        self._inside = re.compile("|".join(map(re.escape, inside))) if inside else None

    def text(self, text: str) -> str:
        """Return a text without the values in it."""
        if text in self._values:
            return HIDDEN
        return hidden(self._inside.sub(HIDDEN, text) if self._inside is not None else text)

    def shows(self, text: str) -> bool:
        """Tell whether a text may be shown as it is."""
        return self.text(text) == text

    def masked(self, value: Any, name: str = "") -> Any:
        """Return a JSON value without the values in it; texts that nobody would read whole are cut. ``name``: of
        the field that it stands in."""
        if isinstance(value, dict):
            return {self.text(each): self.masked(inner, each) for each, inner in value.items()}
        if isinstance(value, list):
            return [self.masked(each, name) for each in value]
        if not isinstance(value, str):
            return value
        if value and _SENSITIVE.search(name):
            return HIDDEN
        text = self.text(value)
        more = len(text) - _MOST_CHARACTERS
        return f"{text[:_MOST_CHARACTERS]} … {more} characters more" if more > 0 else text
