"""Somebody who listens badly changes no client's answer: one that raises, and one that does not read."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.service import SERVICE, TOKEN_HEADER, Control
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from flow.driver import MODELS, Client, inference_request, text_of, wait_for

MEBIBYTE = 1 << 20
EVENTS = 10_000
# Kept for whoever asks later, and once more for a follower that does not read.
MAY_WAIT = 10_000


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    thread = EmulatorThread(EmulatorConfig(port=0, backend="inprocess"))
    thread.before_start(lambda emulator: emulator.mount(Control(emulator, token="secret").mount()))
    with thread:
        yield thread


@contextmanager
def follower(emulator: EmulatorThread, control: str, **request: Any) -> Iterator[Any]:
    """Follow events or log lines; nothing is read but what is asked for."""
    with grpc.insecure_channel(emulator.url.removeprefix("http://")) as channel:
        method = channel.stream_stream(f"/{SERVICE}/{control}", response_deserializer=json.loads)
        sent = iter([json.dumps({"follow": True, **request}).encode()])
        call: Any = method(sent, metadata=((TOKEN_HEADER, "secret"),), timeout=120)
        yield call
        call.cancel()


def predict(emulator: EmulatorThread) -> Any:
    client = Client(emulator.url)
    answer = client.call("PostModelOutputs", inference_request("hello", prompt="you"))
    client.close()
    return answer


async def emit(emulator: Emulator, number: int, size: int = 0) -> None:
    """Let as many events happen, with the connections served in between."""
    for each in range(number):
        emulator.events.emit("test.tick", number=each, text=f"{each:0{size}}")
        if each % 100 == 0:
            await asyncio.sleep(0)


def resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_subscriber_that_raises_changes_no_answer(
    emulator: EmulatorThread, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.deploy(MODELS / "hello")
    told: list[Any] = []

    def fail(event: Any) -> None:
        told.append(event)
        raise ValueError("a listener's own mistake")

    emulator.run(lambda emulator: emulator.events.subscribe(fail))
    emulator.run(lambda emulator: emulator.logbook.subscribe(fail))
    for _ in range(3):
        answer = predict(emulator)
        assert answer.status.code == 10000, answer
        assert text_of(answer).startswith("Hello")
    wait_for(lambda: len(told) == 2)  # an event, and a line of the log, which comes when the model has written it
    assert "A subscriber to events failed and is told no more" in caplog.text


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc: Linux only")
def test_a_follower_that_does_not_read_costs_little_and_learns_what_it_missed(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    emulator.wait(lambda emulator: emit(emulator, 1))
    with follower(emulator, "Events", prefix="test.") as answers:
        next(answers)
        emulator.wait(lambda emulator: emit(emulator, EVENTS))
        assert predict(emulator).status.code == 10000
        before = resident()
        emulator.wait(lambda emulator: emit(emulator, 20 * MAY_WAIT, size=1000))  # 200 MB of text, were it kept
        assert predict(emulator).status.code == 10000
        assert (resident() - before) / MEBIBYTE < 80
        heard = read_to_a_gap(answers)
        missed = heard.pop()["missed"]
        assert missed > MAY_WAIT
        numbers = [answer["event"]["number"] for answer in heard]
        assert numbers == [*range(EVENTS), *range(len(numbers) - EVENTS)]  # nothing but what it is told of
        rest = [next(answers)["event"]["number"] for _ in range(MAY_WAIT)]
        assert rest == list(range(numbers[-1] + missed + 1, 20 * MAY_WAIT))


def test_whoever_follows_the_log_and_does_not_read_is_told_the_same(emulator: EmulatorThread) -> None:
    def write(emulator: Emulator, numbers: range) -> None:
        for each in numbers:
            emulator.logbook.append("runner", f"{each:0100}", user_id="me")

    with follower(emulator, "Logs") as answers:
        assert next(answers) == {"kept": 0}
        emulator.run(lambda emulator: write(emulator, range(1)))
        heard = [next(answers)]
        # In one go: whoever follows has no turn meanwhile.
        emulator.run(lambda emulator: write(emulator, range(1, 3 * MAY_WAIT)))
        heard += read_to_a_gap(answers)
        missed = heard.pop()["missed"]
        assert int(heard[-1]["line"]["message"]) + missed + 1 == int(next(answers)["line"]["message"])


def read_to_a_gap(answers: Any) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    for answer in answers:
        heard.append(answer)
        if "missed" in answer:
            return heard
    raise AssertionError("nothing was missed")
