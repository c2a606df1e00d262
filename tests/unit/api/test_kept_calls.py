"""The last calls are kept as bytes, within bounds, and read when somebody looks."""

from __future__ import annotations

import asyncio
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
