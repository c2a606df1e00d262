"""Writes a request as the item that a runner takes, from the bytes in which it came where those are still there.

An item is written by hand, not as a message: that would copy the request twice. Parts of a message may follow each
other in protobuf; what comes later is merged with what came before.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.service_pb2 import MultiRunnerItemResponse, PostModelOutputsRequest, RunnerItem
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.errors import describe


def item_parts(work: Work, request: Any, *, description: str = "") -> tuple[bytes, bytes]:
    """Return a ``RunnerItem``, serialized, in two parts: all but the request, and the request, which is not copied.
    ``request`` is the one that the work began with, or a further message of its client. What ``Work.complete``
    fills in stands before it."""
    head = _field(_ID, work.id.encode()) + _processing(work.method_type)
    if description:
        head += _field(_DESCRIPTION, description.encode())
    known = b"" if work.model is None else _told(work.model)
    came = work.came if request is work.request else b""
    body = came or request.SerializeToString()
    return head + _head(_REQUEST, len(known) + len(body)) + known, body


def response_bytes(work: Work, request: Any) -> bytes:
    """Return a ``MultiRunnerItemResponse`` of this one item, serialized."""
    head, body = item_parts(work, request)
    return b"".join((_SUCCEEDED, _head(_ITEMS, len(head) + len(body)), head, body))


# What is said of models, of each message that says it: it is the same for every request to a version.
_said: dict[int, tuple[Model, bytes]] = {}
_MOST_SAID = 256


def _told(model: Model) -> bytes:
    said = _said.get(id(model))
    if said is None or said[0] is not model:
        if len(_said) >= _MOST_SAID:
            _said.clear()
        said = _said[id(model)] = model, PostModelOutputsRequest(model=model).SerializeToString()
    return said[1]


def _tag(message: Any, name: str) -> int:
    return message.DESCRIPTOR.fields_by_name[name].number << 3 | 2  # a field that says its length


_ID, _DESCRIPTION = _tag(RunnerItem, "id"), _tag(RunnerItem, "description")
_REQUEST = _tag(RunnerItem, "post_model_outputs_request")
_ITEMS = _tag(MultiRunnerItemResponse, "runner_items")
_SUCCEEDED = MultiRunnerItemResponse(
    status=Status(code=StatusCode.SUCCESS, description=describe(StatusCode.SUCCESS))
).SerializeToString()


def _field(tag: int, data: bytes) -> bytes:
    return _head(tag, len(data)) + data


def _head(tag: int, size: int) -> bytes:
    """Return what stands before the bytes of a field: its tag, and their number, seven bits a byte, the lowest
    first."""
    if size < 0x80:
        return bytes((tag, size))
    head = bytearray((tag,))
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head)


@lru_cache(maxsize=16)
def _processing(method_type: int) -> bytes:
    item = RunnerItem()
    item.processing_info.runner_method_type = method_type  # pyright: ignore[reportAttributeAccessIssue]
    item.processing_info.status.code = StatusCode.SUCCESS
    return item.SerializeToString()
