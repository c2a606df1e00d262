"""Probes of how requests wait, are handed to replicas, and end when a replica or a client goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.scripted_runner import ScriptedItem, ScriptedRunner, asked, scripted_runner
from clarifai_emulator.conformance.started_call import StartedCall

# Longer than a request takes from here to the runner; shorter than one that waits for something.
_MOMENT = 0.2
_LONG = 20.0
# As long as a runner needs to ask for its next item.
_BREATH = 0.01
# As many as wait for one deployment here, and some more.
_QUEUE, _OVER = 128, 3
# Longer than a request is held for a replica.
_HOLD = 300.0


class Gate:
    """A script that keeps requests which say "long" until ``open()``, and answers others at once."""

    def __init__(self, seconds: float = _LONG) -> None:
        self._opened = threading.Event()
        self._seconds = seconds

    def __call__(self, item: ScriptedItem) -> Iterable[str]:
        if item.text.startswith("long"):
            self._opened.wait(self._seconds)
        return [f"echo {item.text}"]

    def open(self) -> None:
        """Answer what it has kept, and at once whatever comes."""
        self._opened.set()


def question(
    client: PlatformClient, runner: ScriptedRunner, model: MadeModel, text: str = "hi", *, deployment: str = ""
) -> dict[str, Any]:
    """Return the fields of a request for the deployment, or else for the runner's nodepool."""
    named = {"deployment": {"id": deployment, "user_id": client.user_id}}
    place = named if deployment else runner.place.selector(client)
    return {**model.address_of_version, "inputs": [scenes.said(text)], "runner_selector": place}


def begun(
    client: PlatformClient, runner: ScriptedRunner, model: MadeModel, text: str = "long", *, deployment: str = ""
) -> StartedCall:
    """Call the model and wait until the runner has the request."""
    before = len(runner.items)
    request = question(client, runner, model, text, deployment=deployment)
    call = client.start("PostModelOutputs", timeout=2 * _HOLD, **request)
    client.wait(lambda: len(runner.items) > before, seconds=_LONG, what="the request at its runner")
    return call


@probe("dispatch.held")
def held(client: PlatformClient) -> Any:
    """Ask before the runner has started, and start it then; ask another that never starts."""
    model, alone = scenes.version(client), scenes.version(client)
    with (
        scripted_runner(client, model, started=False) as runner,
        scripted_runner(client, alone, started=False) as never,
    ):
        held_out = client.start("PostModelOutputs", timeout=_HOLD, **question(client, never, alone))
        call = client.start("PostModelOutputs", **question(client, runner, model))
        waits = not call.ended(_MOMENT)
        runner.start()
        answer = call.answer()
        in_vain = held_out.answer()
    return {"waits": waits, "answer": answer, "heard": scenes.heard(answer), "in vain": in_vain}


@probe("dispatch.queue-full")
def full_queue(client: PlatformClient) -> Any:
    """Send more requests than may wait, while the runner works on one."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate, threads=1) as runner:
        first = begun(client, runner, model)
        request = question(client, runner, model)
        waiting = [client.start("PostModelOutputs", **request) for _ in range(_QUEUE + _OVER)]
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends and sum(call.ended() for call in waiting) < _OVER:
            time.sleep(_BREATH)
        refused = [call.answer() for call in waiting if call.ended()]
        for call in waiting:
            call.cancel()
        gate.open()
        answer = first.answer()
    return {"refused": refused, "the one at work": answer}


@probe("dispatch.queue-full", part="busy")
def busy_for_long(client: PlatformClient) -> Any:
    """Ask, and wait, while the one thread of a runner works on another request."""
    model, gate = scenes.version(client), Gate(_HOLD)
    with scripted_runner(client, model, gate, threads=1) as runner:
        first = begun(client, runner, model)
        answer = client.call("PostModelOutputs", timeout=_HOLD, **question(client, runner, model))
        gate.open()
        return {"in vain": answer, "the one at work": first.answer()}


@probe("dispatch.replica-ends-at-work")
def runner_lost(client: PlatformClient) -> Any:
    """End a runner that works on a request, beside another that could do it again."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate, threads=1) as runner:
        call = begun(client, runner, model)
        with scripted_runner(client, model, place=runner.place) as other:
            asked(client, other, model, "are you there")
            runner.break_off()
            answer = call.answer()
            gate.open()
    return {"answer": answer, "the other was given": other.texts}


@probe("dispatch.replica-ends-at-work", part="no-output")
def no_output(client: PlatformClient) -> Any:
    """Let a runner end its stream without an output."""
    model = scenes.version(client)
    with scripted_runner(client, model, lambda item: []) as runner:
        request = question(client, runner, model)
        return {
            "predict": asked(client, runner, model),
            "generate": list(client.stream("GenerateModelOutputs", **request)),
        }


@probe("dispatch.client-gone")
def client_gone(client: PlatformClient) -> Any:
    """Take a request back that a runner with one thread works on, and ask again."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate, threads=1) as runner:
        call = begun(client, runner, model, "long first")
        call.cancel()
        told = runner.items[0].cancelled.wait(_LONG)
        second = client.start("PostModelOutputs", **question(client, runner, model, "second"))
        waits = not second.ended(_MOMENT)
        gate.open()
        answer = second.answer()
    return {
        "first": call.answer(),
        "the runner is told": told,
        "the next one waits": waits,
        "is answered": scenes.heard(answer),
    }


@probe("dispatch.hung-runner-of-user")
def hung_runner(client: PlatformClient) -> Any:
    """Ask while the one thread of a runner works on for a client that has gone."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate, threads=1) as runner:
        begun(client, runner, model).cancel()
        runner.items[0].cancelled.wait(_LONG)
        busy = client.call("PostModelOutputs", **question(client, runner, model))
        runners = client.do("ListRunners", **runner.place.place).message.runners
        same = [each.id for each in runners if each.worker.model.id == model.id] == [runner.id]
        gate.open()
        answer = asked(client, runner, model)
    return {"while it hangs": busy, "its runner is as it was": same, "after that": answer}


@probe("dispatch.slow-client")
def slow_client(client: PlatformClient) -> Any:
    """Read nothing of a long answer of a runner with one thread, while another asks."""
    model, chunk, count = scenes.version(client), "x" * 65536, 192

    def script(item: ScriptedItem) -> Iterable[str]:
        return [chunk] * count if item.text == "long" else ["short"]

    with scripted_runner(client, model, script, threads=1) as runner:
        asked(client, runner, model)
        slow = client.stream("GenerateModelOutputs", **question(client, runner, model, "long"))
        first = next(slow)
        other = asked(client, runner, model)
        rest = list(slow)
    return {
        "another is answered": scenes.heard(other),
        "the slow one gets": 1 + sum(each.message.outputs[0].data.text.raw == chunk for each in rest),
        "status": {each.status for each in (first, *rest)},
    }


@probe("dispatch.replica-choice")
def replica_choice(client: PlatformClient) -> Any:
    """Ask two runners with free threads one thing after the other, then while one of them works on a request."""
    model, gate = scenes.version(client), Gate()

    with (
        scripted_runner(client, model, gate, threads=8) as one,
        scripted_runner(client, model, gate, place=one.place, threads=8) as two,
    ):

        def taken(count: int) -> tuple[int, int]:
            before = (len(one.items), len(two.items))
            for _ in range(count):
                asked(client, one, model)
                time.sleep(_BREATH)
            return len(one.items) - before[0], len(two.items) - before[1]

        client.wait(lambda: taken(1) and one.items and two.items, seconds=_LONG, what="both runners")
        turns = taken(8)
        call = client.start("PostModelOutputs", **question(client, one, model, "long"))
        client.wait(lambda: "long" in one.texts + two.texts, seconds=_LONG, what="the request at its runner")
        given = taken(8)
        gate.open()
        answer = call.answer()
    by_the_free_one = given[1] if "long" in one.texts else given[0]
    return {
        "both have some of eight": min(turns) >= 3,
        "most go to the free one": by_the_free_one >= 6,
        "busy": answer,
    }


@probe("dispatch.local-dev-runners")
def own_runners(client: PlatformClient) -> Any:
    """Start a runner with its user's token, and claim to be it with another's."""
    model = scenes.version(client)
    with scripted_runner(client, model) as runner:
        answer = asked(client, runner, model)
        claim: dict[str, Any] = {
            **runner.place.place,
            "runner_id": runner.id,
            "runner_replica_id": "claimed",
            "status": {"code": "RUNNER_STREAM_START"},
        }
        theirs = client.other.stream("ProcessRunnerItems", user=client.user_id, requests=[claim], timeout=5)
        missing = client.stream("ProcessRunnerItems", requests=[{**claim, "runner_id": "missing"}], timeout=5)
        with scripted_runner(client, model, started=False) as second:
            client.do("DeleteRunners", **second.place.place, ids=[second.id])
        deleted = client.stream("ProcessRunnerItems", requests=[{**claim, "runner_id": second.id}], timeout=5)
        return {
            "its user's": answer,
            "another's": list(theirs),
            "one that was never there": list(missing),
            "one that was deleted": list(deleted),
        }
