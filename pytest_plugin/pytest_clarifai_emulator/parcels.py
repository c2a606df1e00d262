"""What goes between a worker and the emulator that all workers share: pickled, the platform's messages included."""

from __future__ import annotations

import io
import pickle
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

HELLO = "hello"  # what a worker says first; everything after it is a function


class _Packer(pickle.Pickler):
    """Messages name a module that does not exist (``proto.clarifai.api…``), so they go as on the wire."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Message):
            return _message, (obj.DESCRIPTOR.full_name, obj.SerializeToString())
        return NotImplemented


def packed(content: Any) -> bytes:
    """Raises whatever pickle raises for what cannot travel."""
    file = io.BytesIO()
    _Packer(file, pickle.HIGHEST_PROTOCOL).dump(content)
    return file.getvalue()


def unpacked(data: bytes) -> Any:
    """What was packed. The sender must be trusted: see ``sharing.py``."""
    return pickle.loads(data)  # noqa: S301


def _message(name: str, data: bytes) -> Message:
    kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
    return kind.FromString(data)
