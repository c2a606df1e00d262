"""Hides secrets in what people are shown of requests: values whose names or forms look like one, and known ones."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clarifai_emulator.replica_tokens import hidden

HIDDEN = "<hidden>"
_NAME = re.compile(
    r"(?i)(?:api_?key|secret|passw(?:or)?d|credential|authori[sz]ation|bearer|(?:^|_)(?:pat|token)$)"
)
_VALUE = re.compile(
    r"(?:\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}|\bhf_[A-Za-z0-9]{8,}|\bgh[pousr]_[A-Za-z0-9]{8,}|\bxox[abp]-[\w-]{8,}"
    r"|\bAKIA[A-Z0-9]{12,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?i:bearer) [\w.~+/-]{8,})"
)
_FIELD = re.compile(
    r"(?i)([\"'](?:api_?key|secret|passw(?:or)?d|token|authorization)[\"']\s*:\s*)[\"'][^\"']*[\"']"
)
# Whoever has a shorter one has none: to hide it would hide much else.
_SHORTEST = 4


def is_secret_name(name: str) -> bool:
    """Tell whether an argument or a field of this name holds a secret."""
    return _NAME.search(name) is not None


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret hidden."""
    return _VALUE.sub(HIDDEN, _FIELD.sub(rf'\1"{HIDDEN}"', text))


def longest_first(values: Iterable[str]) -> tuple[str, ...]:
    """Return secrets in the order in which they are hidden: one may be in another."""
    return tuple(sorted({each for each in values if len(each) >= _SHORTEST}, key=len, reverse=True))


class SecretTexts:
    """Hides in texts what looks like a secret, the credentials of replicas, and the ``known`` secrets."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = longest_first(known)

    def hide(self, text: str) -> str:
        """Return a text without secrets."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        return hidden(without_secrets(text))

    def hide_in_bytes(self, data: bytes) -> bytes:
        """Return bytes without secrets: what else is in them stays as it is."""
        return self.hide(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
