"""Fits the outputs of a model into the size that an answer of the platform may have.

Text is cut, and binary data is cleared with a failure (Clarifai/docs `api-outputs.md`, "Response Size Limit"). The
newest runners cut the text themselves, with the same ending.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.message import Message

from clarifai_emulator.errors import describe

ENDING = "\n\n[TRUNCATED - output exceeded size limit]"
CUT = "Success (output truncated to fit size limit)"
CLEARED = "Binary data cleared due to size limit"
CLEARED_WHY = "Image/audio/video data was removed because response exceeded size limit"

_TEXT = frozenset({"raw", "string_value"})
# Room for what an answer has beside its outputs: its status, with the request's id, and that of an output.
ROOM_FOR_STATUS = 512


def fit_answer(response: Any, most_bytes: int, *, came: int = 0) -> None:
    """Make a ``MultiOutputResponse`` no larger than ``most_bytes``, in place, with the status that it gets yet.
    ``came``: the bytes that it had when it came, if that is known; to measure it takes as long as to write it.

    The longest texts are cut first, by no more than is too much. An output whose texts are not enough loses its
    data and fails, the largest first. The answer fails with it, also where its runner has cleared the data and
    calls that a success (MIXED_STATUS, if others are left).
    """
    most_bytes = max(most_bytes - ROOM_FOR_STATUS, 0)
    if not 0 < came <= most_bytes and response.ByteSize() > most_bytes:
        _shrink(response, most_bytes)
    if CLEARED in [each.status.description for each in response.outputs]:
        all_failed = all(each.status.code == StatusCode.FAILURE for each in response.outputs)
        response.status.code = StatusCode.FAILURE if all_failed else StatusCode.MIXED_STATUS
        response.status.description = describe(response.status.code)
        response.status.details = CLEARED_WHY


def _shrink(response: Any, most_bytes: int) -> None:
    for output in sorted(response.outputs, key=lambda each: each.ByteSize(), reverse=True):
        texts = sorted(_texts(output.data), key=lambda found: len(getattr(*found)), reverse=True)
        excess = response.ByteSize() - most_bytes
        if excess > sum(len(getattr(*found).encode()) for found in texts):
            _clear(output)
        else:
            _cut(output, texts, excess)
        if response.ByteSize() <= most_bytes:
            break


def _cut(output: Any, texts: list[tuple[Message, str]], excess: int) -> None:
    for message, name in texts:
        if excess <= 0:
            break
        whole = getattr(message, name).encode()
        kept = whole[: max(len(whole) - excess - len(ENDING), 0)].decode(errors="ignore") + ENDING
        excess -= len(whole) - len(kept.encode())
        setattr(message, name, kept)
    output.status.code = StatusCode.SUCCESS
    output.status.description = CUT


def _clear(output: Any) -> None:
    output.ClearField("data")
    output.status.code = StatusCode.FAILURE
    output.status.description = CLEARED
    output.status.details = CLEARED_WHY


def _texts(message: Message) -> Iterator[tuple[Message, str]]:
    """Yield the texts of an output's data, each as the message that holds it and the field's name."""
    for field, value in message.ListFields():
        if field.message_type is None:
            if field.name in _TEXT and value:
                yield message, field.name
        elif not field.message_type.GetOptions().map_entry:
            for each in [value] if isinstance(value, Message) else value:
                yield from _texts(each)
