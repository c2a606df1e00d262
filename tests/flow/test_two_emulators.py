"""Two emulators of one process serve at the same time, in a thread each: no answer gets into another's."""

from __future__ import annotations

import threading

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, running, text_of

_CALLS = 300


def test_answers_of_two_emulators_do_not_mix() -> None:
    with running() as one, running() as two:
        for emulator in (one, two):
            emulator.deploy(MODELS / "hello")
        wrong: list[str] = []
        asking = [
            threading.Thread(target=_ask, args=(emulator, letter * 500, wrong))
            for emulator, letter in ((one, "a"), (two, "b"), (one, "c"), (two, "d"))
        ]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
    assert wrong == []


def _ask(emulator: EmulatorThread, prompt: str, wrong: list[str]) -> None:
    client = Client(emulator.url)
    try:
        for _ in range(_CALLS):
            answer = text_of(client.call("PostModelOutputs", inference_request("hello", prompt=prompt)))
            if answer != f"Hello, {prompt}!":
                wrong.append(answer)
    except Exception as error:
        wrong.append(repr(error))
    finally:
        client.close()
