"""Cycles of deploying and undeploying cost nothing that stays."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, figure, inference_request, running, text_of, wait_for

# `make reliability` asks for 1000.
CYCLES = int(os.environ.get("CLARIFAI_TEST_CYCLES", "20"))
MAY_GROW = 16 << 20
# A pool of threads grows once or twice until it is large enough; what leaks grows every time.
ROUNDS = 4


class Held(NamedTuple):
    """Counts of what this process, and with it the emulator, holds."""

    descriptors: int
    threads: int
    files: int
    processes: int


def held(temporary: Path) -> Held:
    gc.collect()  # what earlier tests have left is not of this one
    children = Path("/proc/self/task").glob("*/children")
    return Held(
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=threading.active_count(),
        files=len(list(temporary.iterdir())),
        processes=sum(len(each.read_text().split()) for each in children),
    )


def has_grown(before: Held, after: Held) -> bool:
    return any(now > then for now, then in zip(after, before, strict=True))


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cycle(emulator: EmulatorThread, client: Client, number: int) -> None:
    emulator.deploy(MODELS / "hello")
    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt=str(number)))) == (
        f"Hello, {number}!"
    )
    client.call("DeleteDeployments", ids=["deploy-hello"])
    wait_for(lambda: emulator.run(lambda e: not e.supervisor.fleets))


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc: Linux only")
@pytest.mark.slow
def test_cycles_of_deploy_predict_and_undeploy_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with running(stop_seconds=0) as emulator:
        client = Client(emulator.url)
        began = time.monotonic()
        for number in range(CYCLES // 2):  # until logs and events are as long as they get
            cycle(emulator, client, number)
        before, memory = held(tmp_path), resident()
        for _ in range(ROUNDS):
            for number in range(CYCLES - CYCLES // 2):
                cycle(emulator, client, number)
            after, grown = held(tmp_path), resident() - memory
            if not has_grown(before, after):
                break
            before, memory = after, resident()
        else:
            pytest.fail(f"what is held grows with every {CYCLES - CYCLES // 2} cycles: {before}")
        figure(f"{CYCLES} cycles in {time.monotonic() - began:.0f} s; the last half grew by {grown >> 10} KiB")
        assert grown < MAY_GROW
        client.close()
