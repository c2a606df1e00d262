"""Attacks on processes and time: each process killed or stopped, a machine that sleeps, clocks that jump."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from attack.measured import Measure, attack, count
from attack.scene import Scene
from attack.victims import EmulatorVictim
from flow.driver import Client, inference_request, is_alive, text_of, wait_for

_BACK_SECONDS = 60.0
# Installed before anything is imported: the clock that people read, ahead by what a file says.
_TURNED_CLOCK = """
import time

_now, _file = time.time, {file!r}
def _turned():
    with open(_file) as file:
        return _now() + float(file.read() or 0)
time.time = _turned
time.time_ns = lambda: int(_turned() * 1e9)
"""


def predicted(client: Client, *, timeout: float = 30) -> str:
    """Call the sample model; return its answer, or what became of the call."""
    try:
        answer = client.call("PostModelOutputs", inference_request("hello", prompt="x"), timeout=timeout)
    except grpc.RpcError as error:
        return str(error.code())  # pyright: ignore[reportAttributeAccessIssue]
    return text_of(answer) if answer.status.code == StatusCode.SUCCESS else answer.status.details


@contextmanager
def _serving(scene: Scene, **how: str) -> Iterator[tuple[EmulatorVictim, Client]]:
    with scene.own(models=["hello"], **how) as victim:
        client = victim.client()
        wait_for(lambda: predicted(client) == "Hello, x!", seconds=_BACK_SECONDS)
        yield victim, client
        client.close()


@attack("processes.killed-below", short=True)
def killed_below(scene: Scene) -> list[Measure]:
    """Each process below the emulator, killed in turn (SIGKILL): its model answers again, and never wrongly."""
    longest, odd = 0.0, set[str]()
    with _serving(scene) as (victim, client):
        killed = 0
        for at in range(len(victim.descendants())):
            there = victim.descendants()  # others, once their parent was killed
            os.kill(there[min(at, len(there) - 1)], signal.SIGKILL)
            killed += 1
            began = time.monotonic()
            while (said := predicted(client)) != "Hello, x!":
                if said.startswith("Hello") or time.monotonic() - began > _BACK_SECONDS:
                    odd.add(said)
                    break
            longest = max(longest, time.monotonic() - began)
        bugs = victim.bugs()
    return [
        count("wrong answers, or none", sorted(odd)),
        Measure("until it answers again", longest, "s", _BACK_SECONDS, 10),
        Measure("killed", killed, most=None),
        Measure("bugs in its log", bugs),
    ]


@attack("processes.stopped-below", short=True)
def stopped_below(scene: Scene) -> list[Measure]:
    """Each process below the emulator, stopped (SIGSTOP): the emulator ends all the same, and nothing stays."""
    with _serving(scene) as (victim, _):
        below = victim.descendants()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        slow = 0
        try:
            victim.end(signal.SIGTERM, seconds=90)
        except AssertionError:
            slow = 1
        seconds = time.monotonic() - began
        left = _left(below)
    return [
        Measure("did not end", slow),
        Measure("until it had ended", seconds, "s", 60, 15),
        count("processes left", left),
    ]


def _left(pids: list[int]) -> list[str]:
    """Return the processes that still run a moment later, and end them."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(map(is_alive, pids)):
        time.sleep(0.05)
    left = [pid for pid in pids if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return [str(pid) for pid in left]


@attack("processes.suspended", short=True)
def suspended(scene: Scene) -> list[Measure]:
    """The emulator, then its replicas, then both, stopped for a while (SIGSTOP, as when a machine sleeps) with a
    request on its way, and continued."""
    failed, seconds = list[str](), (1.0 if scene.short else 30.0)
    with _serving(scene) as (victim, client):
        for pids in ([victim.pid], victim.descendants(), [victim.pid, *victim.descendants()]):
            said: list[str] = []
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            asking = threading.Thread(target=lambda said=said: said.append(predicted(client, timeout=seconds + 60)))
            asking.start()
            time.sleep(seconds)
            for pid in pids:
                # One that has ended meanwhile, as a process that only starts others does, shows in the answers if
                # it was needed.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            asking.join()
            failed += [text for text in (*said, predicted(client)) if text != "Hello, x!"]
        bugs = victim.bugs()
    return [count("failed of 6", failed), Measure("bugs in its log", bugs)]


@attack("processes.clock-jumps", short=True)
def clock_jumps(scene: Scene) -> list[Measure]:
    """A clock that jumps back 3 days, back 400 days and 20 years ahead: models answer, and the newest version is
    the newest."""
    folder = scene.new_folder()
    ahead = folder / "ahead"
    ahead.write_text("0")
    (folder / "sitecustomize.py").write_text(_TURNED_CLOCK.format(file=str(ahead)))
    wrong: list[str] = []
    with _serving(scene, PYTHONPATH=str(folder)) as (victim, client):
        app = {"user_app_id": {"user_id": "me", "app_id": "demo"}}
        client.call("PostModels", **app, models=[{"id": "other", "model_type_id": "text-to-text"}])
        for days in (0, -3, -400, 20 * 365):
            ahead.write_text(str(days * 86_400))
            made = client.call("PostModelVersions", **app, model_id="other", model_versions=[{}])
            newest = client.call("GetModel", **app, model_id="other").model.model_version.id
            if newest != made.model.model_version.id:
                wrong.append(f"the newest version at {days} days")
            wrong += [f"{said} at {days} days" for said in [predicted(client)] if said != "Hello, x!"]
        bugs = victim.bugs()
    return [count("wrong", wrong), Measure("bugs in its log", bugs)]
