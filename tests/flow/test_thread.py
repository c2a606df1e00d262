"""An emulator runs in a thread of its own, and other threads use it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator


def test_a_call_that_waits_when_the_emulator_stops_is_told_so() -> None:
    began = threading.Event()
    said: list[str] = []

    async def wait_for_ever(_: Emulator) -> None:
        began.set()
        await asyncio.Event().wait()

    def call() -> None:
        with pytest.raises(RuntimeError) as caught:
            emulator.wait(wait_for_ever)
        said.append(str(caught.value))

    with EmulatorThread(EmulatorConfig(port=0)) as emulator:
        waiting = threading.Thread(target=call, daemon=True)
        waiting.start()
        assert began.wait(10)
    waiting.join(10)
    assert said == ["The emulator was stopped before it had answered."]


def test_after_its_end_it_says_that_it_does_not_run() -> None:
    with EmulatorThread(EmulatorConfig(port=0)) as emulator:
        pass
    with pytest.raises(RuntimeError, match="The emulator is not running: use it inside `with EmulatorThread"):
        emulator.status()
