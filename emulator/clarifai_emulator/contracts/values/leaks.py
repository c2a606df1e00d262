"""Looks for credentials of replicas in what models answer, whole or in pieces over the chunks of a stream.

answer ─► its bytes, of a large one the texts, of a very large one the beginning ─► a token?
chunk  ─► its text, behind the end of the chunks before it ─► a token?
"""

from __future__ import annotations

import re
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.replica_tokens import LENGTH, bytes_hold_token, holds_token

# So much of an answer is looked at, in bytes or letters: more would be felt.
_MOST = 64 * 1024
# To write a message of more bytes once more, so as to look through it, takes longer than to read its texts.
_SMALL = 16 * 1024
_SUCCESS = (StatusCode.SUCCESS, StatusCode.ZERO)
# What a chunk of OpenAI's API adds to the text that it is part of.
_ADDED = re.compile(r'"(?:arguments|content|delta|text)": ?"((?:[^"\\]|\\.)*)"')


class AnswerSearch:
    """Looks into the answers to one request."""

    __slots__ = ("_added", "_end", "is_through")

    def __init__(self) -> None:
        self.is_through = False  # it found one, and looks no further
        self._end = self._added = ""

    def finds(self, response: Any, came: Any, size: int, *, is_chunk: bool) -> bool:
        """Tell whether this answer holds a token, or completes one. ``came``: the bytes that it was read from, if
        they are there; ``size``: how many it has, 0 where that is not known."""
        if self.is_through:
            return False
        if came:
            self.is_through = bytes_hold_token(came, _MOST)
        elif is_chunk and response.status.code in _SUCCESS:
            self.is_through = self._completes(text_of(response))
        elif size <= _SMALL:
            self.is_through = bytes_hold_token(response.SerializeToString(), _MOST)
        else:
            self.is_through = holds_token(text_of(response)[:_MOST])
        return self.is_through

    def _completes(self, text: str) -> bool:
        """Tell whether a token ends in this text that begins in one before it."""
        whole = self._end + text[:_MOST]
        self._end = whole[1 - LENGTH :]
        if text.startswith("{"):
            added = self._added + "".join(_ADDED.findall(text[:_MOST]))
            self._added = added[1 - LENGTH :]
            if holds_token(added):
                return True
        return holds_token(whole)


def text_of(response: Any) -> str:
    """Return what a chunk says: its texts and bytes, in their order."""
    outputs = response.outputs
    if len(outputs) == 1:  # as mostly
        parts = outputs[0].data.parts
        if len(parts) == 1:
            data = parts[0].data
            return data.string_value or data.bytes_value.decode("latin-1")
    pieces: list[str] = []
    for output in outputs:
        for part in output.data.parts:
            data = part.data
            pieces.append(data.string_value or data.bytes_value.decode("latin-1"))
        if not output.data.parts:
            pieces.append(output.data.string_value or output.data.text.raw)
    return "".join(pieces)
