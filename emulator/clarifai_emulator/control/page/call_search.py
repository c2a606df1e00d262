"""Looks for words in what calls were asked and answered.

Messages are searched as their bytes, in which texts stand as they are: nothing is read of them. What is secret is
taken out before, so that nobody finds a secret by guessing how it begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from clarifai_emulator.api.kept_calls import KeptCall

MOST_WORDS = 8
_SHORTEST_SECRET = 4
_HIDDEN = b"****"


def calls_that_say(
    calls: Iterable[KeptCall], words: Sequence[str], secrets: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Return the ids of the calls with each of these words, in any case, in an argument or an answer."""
    wanted = [(word, _forms(word.lower())) for word in words]
    hidden = sorted({each.encode() for each in secrets if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True)
    found: dict[str, list[str]] = {word: [] for word in words}
    for call in calls:
        texts = [_lowered(each.data, hidden) for each in (*call.inputs, *call.outputs) if each.data is not None]
        for word, forms in wanted:
            if any(form in text for text in texts for form in forms):
                found[word].append(call.request_id)
    return found


def _forms(word: str) -> set[bytes]:
    """Return how a word may be written: as it is, and as JSON writes it in a text."""
    return {word.encode(), json.dumps(word)[1:-1].encode()}


def _lowered(data: bytes, hidden: Sequence[bytes]) -> bytes:
    for each in hidden:
        data = data.replace(each, _HIDDEN)
    if data.isascii():
        return data.lower()
    return data.decode("utf-8", "replace").lower().encode()
