"""Load of every kind for some minutes: what grows that should not."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import grpc

from attack.measured import Measure, attack, count
from attack.process_attacks import predicted
from attack.scene import Scene
from attack.victims import EmulatorVictim
from flow.driver import Client, inference_request

_SECONDS = 150.0


def _kinds(victim: EmulatorVictim) -> list[Callable[[Client, int], Any]]:
    """Return what is done again and again, each by a client of its own."""

    def app(client: Client, number: int) -> None:
        client.call("PostApps", apps=[{"id": f"app-{number}"}])
        client.call("DeleteApp", user_app_id={"user_id": "me", "app_id": f"app-{number}"})

    def secret(client: Client, number: int) -> None:
        client.call("PostSecrets", secrets=[{"id": f"s{number}", "value": "v"}])
        client.call("DeleteSecrets", ids=[f"s{number}"])

    def logs(client: Client, number: int) -> None:
        client.call("ListLogEntries", log_type="runner", page=1, per_page=20)

    def refused(client: Client, number: int) -> None:
        client.call("GetModel", user_app_id={"user_id": "me", "app_id": "demo"}, model_id=f"none-{number}")

    def rest(client: Client, number: int) -> None:
        asked = urllib.request.Request(f"{victim.url}/v2/users/me/apps", headers={"authorization": "Key any"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            answer.read()

    def left(client: Client, number: int) -> None:
        stream = client.generate(inference_request("hello", "generate", prompt="x"))
        next(iter(stream), None)
        stream.cancel()

    def connected(client: Client, number: int) -> None:
        other = victim.client()
        other.call("GetUser")
        other.close()

    return [app, secret, logs, refused, rest, left, connected, lambda client, number: predicted(client)]


@attack("soak.every-kind")
def every_kind(scene: Scene) -> list[Measure]:
    """Predictions, streams that are left, writes, refusals, logs, REST and new connections at once, for minutes;
    the second half is compared with the first."""
    folder, errors, ended = scene.new_folder(), list[str](), threading.Event()

    def repeat(act: Callable[[Client, int], Any]) -> None:
        client, number = victim.client(), 0
        while not ended.wait(0.005):
            number += 1
            try:
                act(client, number)
            except (grpc.RpcError, OSError) as error:
                errors.append(repr(error)[:80])
        client.close()

    with scene.own("--state", str(folder / "state"), models=["hello"]) as victim:
        threads = [threading.Thread(target=repeat, args=(act,)) for act in _kinds(victim)]
        for thread in threads:
            thread.start()
        time.sleep(_SECONDS / 2)
        before = _taken(victim)
        time.sleep(_SECONDS / 2)
        after = _taken(victim)
        ended.set()
        for thread in threads:
            thread.join()
        bugs = victim.bugs()
    grown = [late - early for early, late in zip(before, after, strict=True)]
    return [
        count("errors", errors),
        Measure("memory", max(grown[0], 0), "MiB", 24, 12),
        Measure("descriptors", max(grown[1], 0), "", 16, 8),
        Measure("threads", max(grown[2], 0), "", 8, 4),
        Measure("temporary files", max(grown[3], 0), "", 4),
        Measure("bugs in its log", bugs),
    ]


def _taken(victim: EmulatorVictim) -> tuple[float, int, int, int]:
    threads = len(os.listdir(f"/proc/{victim.pid}/task"))
    files = 0
    with contextlib.suppress(OSError):
        files = sum(1 for _ in victim.temporary.rglob("*"))
    return victim.resident(), victim.descriptors(), threads, files
