"""Writes a request as the item that a runner takes, from the bytes in which it came where those are still there.

An item is written by hand, not as a message: that would copy the request twice. Parts of a message may follow each
other in protobuf; what comes later adds to what came before, field by field.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import MultiRunnerItemResponse, PostModelOutputsRequest, RunnerItem
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from clarifai_grpc.grpc.api.status.status_pb2 import Status

from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.errors import describe


def item_bytes(work: Work, request: Any, *, description: str = "") -> bytes:
    """Return a ``RunnerItem``, serialized: ``request`` is the one that the work began with, or a further message of
    its client. The model that the work knows comes before what the request itself says of it."""
    pieces = [_field(_ID, work.id.encode()), _processing(work.method_type)]
    if description:
        pieces.append(_field(_DESCRIPTION, description.encode()))
    if work.model is not None:
        pieces.append(_field(_REQUEST, PostModelOutputsRequest(model=work.model).SerializeToString()))
    came = work.came if request is work.request else b""
    pieces.append(_field(_REQUEST, came or request.SerializeToString()))
    return b"".join(pieces)


def response_bytes(work: Work, request: Any) -> bytes:
    """Return a ``MultiRunnerItemResponse`` of this one item, serialized."""
    return _SUCCEEDED + _field(_ITEMS, item_bytes(work, request))


def _tag(message: Any, name: str) -> int:
    return message.DESCRIPTOR.fields_by_name[name].number << 3 | 2  # a field that says its length


_ID, _DESCRIPTION = _tag(RunnerItem, "id"), _tag(RunnerItem, "description")
_REQUEST = _tag(RunnerItem, "post_model_outputs_request")
_ITEMS = _tag(MultiRunnerItemResponse, "runner_items")
_SUCCEEDED = MultiRunnerItemResponse(
    status=Status(code=StatusCode.SUCCESS, description=describe(StatusCode.SUCCESS))
).SerializeToString()


def _field(tag: int, data: bytes) -> bytes:
    size = len(data)
    if size < 0x80:
        return bytes((tag, size)) + data
    head = bytearray((tag,))
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


@lru_cache(maxsize=16)
def _processing(method_type: int) -> bytes:
    item = RunnerItem()
    item.processing_info.runner_method_type = method_type  # pyright: ignore[reportAttributeAccessIssue]
    item.processing_info.status.code = StatusCode.SUCCESS
    return item.SerializeToString()
