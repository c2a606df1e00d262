"""An outline is the message, but for its long values; what is no message has none."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, PostModelOutputsRequest
from hypothesis import given
from hypothesis import strategies as some

from clarifai_emulator.messages.outline import outline

MEBIBYTE = 1 << 20


def request(**value: object) -> PostModelOutputsRequest:
    message = PostModelOutputsRequest(model_id="large", version_id="v")
    data = message.inputs.add().data
    data.metadata["_method_name"] = "echo"
    part = data.parts.add()
    part.id = "value"
    part.data.MergeFrom(Data(**value))  # pyright: ignore[reportArgumentType]
    message.runner_selector.deployment.id = "behind"
    return message


def test_all_but_a_long_value_is_there_and_of_that_the_beginning() -> None:
    message = request(bytes_value=b"x" * MEBIBYTE)
    read = outline(PostModelOutputsRequest, message.SerializeToString())
    assert read is not None
    assert read.inputs[0].data.parts[0].data.bytes_value == b"x" * 256
    message.inputs[0].data.parts[0].data.bytes_value = b"x" * 256
    assert read == message


def test_a_long_text_is_cut_between_letters() -> None:
    read = outline(PostModelOutputsRequest, request(string_value="ä日" * MEBIBYTE).SerializeToString())
    assert read is not None
    assert read.inputs[0].data.parts[0].data.string_value == "ä日" * 128


def test_numbers_are_all_kept() -> None:
    message = request(embeddings=[{"vector": [1.5] * 100_000}])
    assert outline(PostModelOutputsRequest, message.SerializeToString()) == message


def test_bytes_that_may_still_be_changed_are_read_too_and_let_go() -> None:
    answer = MultiOutputResponse(outputs=[{"id": "1", "data": {"bytes_value": b"x" * MEBIBYTE}}])
    data = bytearray(answer.SerializeToString())
    read = outline(MultiOutputResponse, data)
    assert read is not None
    assert read.outputs[0].id == "1"
    data.clear()


@pytest.mark.parametrize(
    "data",
    [
        request(bytes_value=b"x" * MEBIBYTE).SerializeToString()[:-1],
        request(bytes_value=b"x" * MEBIBYTE).SerializeToString() + b"\xff",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b" * 100,
        # A text that is none, in its middle.
        request(string_value="x" * MEBIBYTE).SerializeToString().replace(b"x" * 1000, b"x" * 999 + b"\xff", 500),
        # More fields than are stepped over, and deeper ones.
        PostModelOutputsRequest(inputs=[{"id": "x"}] * 50_000).SerializeToString(),
    ],
)
def test_what_cannot_be_told_from_the_outline_is_for_who_reads_the_whole(data: bytes) -> None:
    assert outline(PostModelOutputsRequest, data) is None


def test_a_message_within_messages_without_end_is_for_who_reads_the_whole() -> None:
    data = Data(bytes_value=b"x" * MEBIBYTE)
    for _ in range(60):
        outer = Data()
        outer.parts.add().data.CopyFrom(data)
        data = outer
    assert outline(Data, data.SerializeToString()) is None


@given(some.binary(max_size=300))
def test_no_bytes_are_read_as_an_outline_that_the_whole_would_not_be_read_as(data: bytes) -> None:
    read = outline(PostModelOutputsRequest, data)
    if read is not None:
        assert read == PostModelOutputsRequest.FromString(data)
