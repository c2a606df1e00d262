"""Measures what contracts cost: a diff of two lock files, signatures of many models, the check of each request."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from benchmarks.figures import Figure, alone
from benchmarks.peers import MODELS, compiled
from clarifai_emulator.clock import SystemClock
from clarifai_emulator.contracts.changes.lock import Promise, write_lock
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.contracts.values.runtime import Watch
from clarifai_emulator.events import EventBus

_MODELS = 50
_CALLS = 2000


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures."""
    repeats = 3 if quick else 15
    with tempfile.TemporaryDirectory() as folder:
        directories = _directories(Path(folder))
        reads: list[float] = []
        for _ in range(1 if quick else 5):
            began = time.perf_counter()
            contracts = read_many(directories)
            reads.append(time.perf_counter() - began)
        locks = _locks(Path(folder), contracts)
        _process_seconds(["contract", "diff", *locks])  # compiles what is not compiled yet
        diffs = [_process_seconds(["contract", "diff", *locks]) for _ in range(repeats)]
        helps = [_process_seconds(["contract", "--help"]) for _ in range(repeats)]
    checks = [_microseconds_of_a_check(contracts) for _ in range(repeats)]
    return [
        alone(f"`contract diff`, two locks of {_MODELS} models: processor time", diffs, unit="s", target=0.3),
        alone("`contract --help`, for comparison: processor time", helps, unit="s", target=None),
        alone(f"signatures of {_MODELS} models, SDK import included", reads, unit="s", target=None),
        alone("check of a right request and its answer (hello)", checks, unit="µs", target=50),
    ]


def _directories(folder: Path) -> list[Path]:
    made: list[Path] = []
    for number in range(_MODELS):
        path = folder / f"hello-{number:02d}"
        shutil.copytree(MODELS / "hello", path)
        config = path / "config.yaml"
        config.write_text(config.read_text().replace("id: hello", f"id: {path.name}"))
        made.append(path)
    return made


def _locks(folder: Path, contracts: list[ModelContract]) -> list[str]:
    promises = [Promise(each.name, each.methods) for each in contracts]
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(write_lock(promises))
    new.write_text(write_lock(promises))
    return [str(old), str(new)]


def _process_seconds(words: list[str]) -> float:
    """Return user and system time of the whole process."""
    command = [sys.executable, "-m", "clarifai_emulator", *words]
    process = subprocess.Popen(command, env=compiled(), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _microseconds_of_a_check(contracts: list[ModelContract]) -> float:
    version = resources_pb2.ModelVersion(method_signatures=[each.signature for each in contracts[0].methods])
    events = EventBus(SystemClock())
    watch = Watch(mode="record", find_version=lambda key: version, events=events)
    request, answer = _exchange()
    began = time.process_time()
    for _ in range(_CALLS):
        watched = watch.request(request, ("me", "demo", "hello"), "v", 1, "request", {})
        assert watched is not None
        watched.output(answer)
    took = (time.process_time() - began) / _CALLS * 1e6
    if events.last_seq:
        raise RuntimeError("a right request gave a finding")
    return took


def _exchange() -> tuple[Any, Any]:
    request = service_pb2.PostModelOutputsRequest(model_id="hello")
    data = request.inputs.add().data
    data.metadata["_method_name"] = "predict"
    data.parts.add(id="prompt").data.string_value = "world"
    answer = service_pb2.MultiOutputResponse()
    answer.status.code = StatusCode.SUCCESS
    answer.outputs.add().data.parts.add(id="return").data.string_value = "Hello, world!"
    return request, answer
