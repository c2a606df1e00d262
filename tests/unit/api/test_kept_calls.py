"""The last calls are kept as bytes, within bounds, and read when somebody looks."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse, PostModelOutputsRequest

from clarifai_emulator.api import kept_calls
from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.kept_calls import KeptCalls
from clarifai_emulator.api.rpc import rpc_table


def call(request_id: str) -> ApiCall:
    made = ApiCall(rpc_table()["PostModelOutputs"], {}, 0.0, request_id=request_id)
    made.caller = Caller("me")
    return made


def asked(text: str) -> Any:
    return PostModelOutputsRequest(inputs=[{"data": {"string_value": text}}])


def kept_of(calls: KeptCalls, request_id: str, text: str, answer: str = "yes") -> None:
    kept = calls.begin(call(request_id), asked(text), "predict")
    calls.answered(kept, MultiOutputResponse(outputs=[{"data": {"string_value": answer}}]), b"")


@pytest.fixture
def calls() -> KeptCalls:
    return KeptCalls(lambda: 5.0)


def test_what_was_asked_and_answered_is_read_when_somebody_looks(calls: KeptCalls) -> None:
    kept_of(calls, "a", "hi")
    kept = calls.find("a")
    assert kept is not None
    assert [each.inputs[0].data.string_value for each in kept.requests()] == ["hi"]
    assert [each.outputs[0].data.string_value for each in kept.responses()] == ["yes"]
    assert kept.inputs[0].time == 5.0


def test_the_bytes_of_a_request_are_kept_as_they_came(calls: KeptCalls) -> None:
    """A message may be an outline of them."""
    request, outline = asked("a long text"), asked("a lo")
    made = call("a")
    made.came = (outline, request.SerializeToString())
    kept = calls.begin(made, outline, "predict")
    assert kept.requests() == [request]


def test_the_oldest_calls_go_first(calls: KeptCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "MOST_CALLS", 3)
    for number in range(5):
        kept_of(calls, str(number), "x")
    assert [each.request_id for each in calls.all()] == ["2", "3", "4"]


def test_calls_that_hold_much_are_fewer(calls: KeptCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "MOST_BYTES", 10_000)
    for number in range(8):
        kept_of(calls, str(number), "x" * 3_000)
    assert [each.request_id for each in calls.all()] == ["6", "7"]
    for number in range(8, 20):
        kept_of(calls, str(number), "x" * 100)
    assert len(calls.all()) > 5


def test_a_message_that_is_too_large_is_told_by_its_size(calls: KeptCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "MOST_OF_MESSAGE", 100)
    kept_of(calls, "a", "x" * 200, "y" * 300)
    kept = calls.find("a")
    assert kept is not None
    assert (kept.requests(), kept.responses()) == ([None], [None])
    assert kept.inputs[0].size > 200
    assert kept.outputs[0].size > 300


def test_a_stream_without_end_is_kept_in_part(calls: KeptCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_calls, "MOST_MESSAGES", 3)
    kept = calls.begin(call("a"), asked("0"), "stream")

    async def more() -> AsyncIterator[Any]:
        for number in range(1, 6):
            yield asked(str(number))

    async def read() -> int:
        return len([each async for each in calls.heard(kept, more())])

    assert asyncio.run(read()) == 5
    for number in range(7):
        calls.answered(kept, MultiOutputResponse(outputs=[{"data": {"int_value": number}}]), b"")
    assert (len(kept.inputs), kept.inputs_left_out) == (3, 3)
    assert (len(kept.outputs), kept.outputs_left_out) == (3, 4)


def test_what_comes_for_a_call_that_is_gone_is_not_counted(
    calls: KeptCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_calls, "MOST_CALLS", 1)
    old = calls.begin(call("a"), asked("x"), "stream")
    kept_of(calls, "b", "x")
    for _ in range(100):
        calls.answered(old, MultiOutputResponse(outputs=[{"data": {"string_value": "x" * 1000}}]), b"")
    monkeypatch.setattr(kept_calls, "MOST_BYTES", 50_000)
    kept_of(calls, "c", "x")
    assert [each.request_id for each in calls.all()] == ["c"]


def all_held(calls: KeptCalls, *more: kept_calls.KeptCall) -> int:
    kept = {id(each): each for each in (*calls.all(), *more)}.values()
    return sum(len(one.data or b"") for each in kept for one in (*each.inputs, *each.outputs))


def test_streams_that_go_on_after_they_were_forgotten_hold_nothing(
    calls: KeptCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_calls, "MOST_CALLS", 1)
    open_ones = [calls.begin(call(str(number)), asked("x" * 1000), "stream") for number in range(5)]
    for each in open_ones:
        calls.answered(each, MultiOutputResponse(outputs=[{"data": {"string_value": "x" * 1000}}]), b"")
    assert [len(each.inputs) + len(each.outputs) for each in open_ones] == [0, 0, 0, 0, 2]


def test_one_call_that_answers_much_leaves_the_others_where_they_are(
    calls: KeptCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_calls, "MOST_BYTES", 100_000)
    monkeypatch.setattr(kept_calls, "MOST_OF_CALL", 50_000)
    kept_of(calls, "before", "x")
    kept = calls.begin(call("a"), asked("x"), "stream")
    for _ in range(200):
        calls.answered(kept, MultiOutputResponse(outputs=[{"data": {"string_value": "x" * 1000}}]), b"")
    assert [each.request_id for each in calls.all()] == ["before", "a"]
    assert kept.responses()[0].outputs[0].data.string_value == "x" * 1000
    assert kept.responses()[-1] is None, "of further ones there is the size"
    assert kept.outputs[-1].size > 1000
    assert all_held(calls) <= 50_000


def test_many_small_messages_weigh_more_than_their_bytes(calls: KeptCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an object of its own: two thousand calls of five hundred words each are hundreds of MiB."""
    monkeypatch.setattr(kept_calls, "MOST_BYTES", 1_000_000)
    for number in range(100):
        kept = calls.begin(call(str(number)), asked("x"), "stream")
        for _ in range(500):
            calls.answered(kept, MultiOutputResponse(outputs=[{"data": {"string_value": "x"}}]), b"")
    assert sum(len(each.outputs) for each in calls.all()) * 200 <= 1_000_000


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_an_answer_is_kept_as_it_came(calls: KeptCalls, kind: type) -> None:
    answer = MultiOutputResponse(outputs=[{"data": {"string_value": "yes"}}])
    kept = calls.begin(call("a"), asked("hi"), "predict")
    calls.answered(kept, MultiOutputResponse(), kind(answer.SerializeToString()))
    assert kept.responses() == [answer]
    assert type(kept.outputs[0].data) is bytes


def test_mapped_memory_is_copied_since_it_is_given_back_while_it_is_sent(calls: KeptCalls) -> None:
    answer = MultiOutputResponse(outputs=[{"data": {"string_value": "yes"}}]).SerializeToString()
    mapped = mmap.mmap(-1, len(answer))
    mapped[:] = answer
    kept = calls.begin(call("a"), asked("hi"), "predict")
    calls.answered(kept, MultiOutputResponse(), mapped)
    mapped.close()
    assert kept.outputs[0].data == answer
