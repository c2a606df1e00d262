"""Runs an emulator with its page in this process, and feeds it requests that were recorded before, at any rate.

What is fed is what really happened: the events of requests that were answered, each time with ids of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.growth import CLUSTER, POOL, crowd, make_pool, raw_calls
from benchmarks.peers import MODELS
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.page.page_address import page_token
from clarifai_emulator.control.page.page_mount import page_mount
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator

_CONTROL = "benchmark"
_AT_ONCE_SECONDS = 0.02
_MODEL = "hello"
_RECORDED = 50


@contextmanager
def paged_emulator() -> Generator[EmulatorThread]:
    """Run an emulator whose page may be opened at ``address_of``; its replicas are threads of it."""
    with tempfile.TemporaryDirectory(prefix="clarifai-bench-") as folder:
        config = EmulatorConfig(port=0, run_dir=Path(folder), stop_seconds=0.5, backend="inprocess")
        thread = EmulatorThread(config)
        thread.before_start(lambda emulator: emulator.mount(page_mount(emulator, _CONTROL)))
        with thread:
            yield thread


def address_of(emulator: EmulatorThread) -> str:
    """Return the address that lets a browser in."""
    return f"{emulator.url}/?token={page_token(_CONTROL)}"


def populate(emulator: EmulatorThread, *, nodepools: int, deployments: int, replicas: int) -> None:
    """Create so much, and this many live replicas of one more deployment."""
    port = emulator.run(lambda each: each.port)
    with raw_calls(port) as call:
        make_pool(call)
        emulator.deploy(
            MODELS / _MODEL,
            compute_cluster_id=CLUSTER,
            nodepool_id=POOL,
            min_replicas=replicas,
            max_replicas=replicas,
        )
        crowd(call, deployments=deployments, nodepools=nodepools)
        while True:
            shown = call("GetDeployment", deployment_id=f"deploy-{_MODEL}").deployment
            if shown.deployment_metrics.live_replicas == replicas:
                return
            time.sleep(0.1)


class RecordedRequests:
    """Emits the events of requests that were answered again and again."""

    def __init__(self, emulator: EmulatorThread) -> None:
        self._emulator = emulator
        self._number = itertools.count()
        self._recorded = self._record()

    def feed(self, rate: float, *, seconds: float) -> int:
        """Emit so many requests a second, for so long; return how many that were."""
        return self._emulator.wait(lambda each: self._feed(each, rate, seconds))

    async def _feed(self, emulator: Emulator, rate: float, seconds: float) -> int:
        began, done = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            for _ in range(int(rate * passed) - done):
                self._emit(emulator)
                done += 1
            await asyncio.sleep(_AT_ONCE_SECONDS)
        return done

    def _emit(self, emulator: Emulator) -> None:
        number = next(self._number)
        for kind, fields in self._recorded[number % len(self._recorded)]:
            ids = {name: f"{number:032x}" for name in ("request_id", "work_id") if name in fields}
            emulator.events.emit(kind, **{**fields, **ids})

    def _record(self) -> list[list[tuple[str, dict[str, Any]]]]:
        """Return the events of fifty requests, of which one fails."""
        self._emulator.deploy(MODELS / _MODEL)
        before = self._emulator.run(lambda each: each.events.last_seq)
        with raw_calls(self._emulator.run(lambda each: each.port)) as call:
            for _ in range(_RECORDED - 1):
                call("PostModelOutputs", **_request("x"))
            with suppress(RuntimeError):
                call("PostModelOutputs", **_request(1))
        events = self._emulator.run(lambda each: list(each.events.recent(since=before)))
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for event in events:
            if request_id := event.fields.get("request_id"):
                found.setdefault(request_id, []).append((event.kind, event.fields))
        return list(found.values())


def _request(prompt: str | int) -> dict[str, Any]:
    kind = "string_value" if isinstance(prompt, str) else "int_value"
    part = {"id": "prompt", "data": {kind: prompt}}
    data = {"metadata": {"_method_name": "predict"}, "parts": [part]}
    return {"user_app_id": {"app_id": "demo"}, "model_id": _MODEL, "inputs": [{"data": data}]}
