"""Nothing of an emulator stays behind, however it ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import grpc
import pytest

from flow.driver import MODELS, figure, inference_request, is_alive, running, wait_for
from flow.processes import children_of, emulator_process

pytestmark = pytest.mark.slow

OF_PROCESSES = pytest.mark.of_processes(
    "about the emulator's processes; its containers: tests/docker/test_hygiene.py"
)


@OF_PROCESSES
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
@pytest.mark.parametrize(
    ("number", "start_method"),
    [
        (signal.SIGKILL, "fork"),
        (signal.SIGKILL, "spawn"),
        (signal.SIGTERM, "fork"),
        (signal.SIGINT, "spawn"),
    ],
)
def test_an_emulator_that_is_stopped_leaves_no_process_port_or_file(
    tmp_path: Path, number: signal.Signals, start_method: str
) -> None:
    with emulator_process(tmp_path, "slow", options=["--start-method", start_method]) as emulator:
        client, busy = emulator.client(), emulator.client()
        assert client.call("PostModelOutputs", inference_request("slow", seconds=0.0)).outputs
        answers = busy.generate(inference_request("slow", "generate", chunks=15, delay=0.1))
        next(answers)
        processes = emulator.descendants()
        assert processes
        began = time.monotonic()
        emulator.end(number)
        wait_for(lambda: not any(is_alive(pid) for pid in processes), seconds=5)
        figure(f"{number.name}, {start_method}: nothing left after {time.monotonic() - began:.1f} s")
        with pytest.raises(grpc.RpcError):
            list(answers)
        with socket.create_server(("127.0.0.1", emulator.port)):
            pass  # nobody listens there any more
        assert list(emulator.temporary.iterdir()) == []
        client.close()
        busy.close()


@OF_PROCESSES
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
def test_up_warms_an_interpreter_ahead_and_takes_it_along_when_it_is_killed(tmp_path: Path) -> None:
    with emulator_process(tmp_path) as emulator:
        (zygote,) = wait_for(lambda: children_of(emulator.pid))
        wait_for(lambda: b"zygote_main.py" in Path(f"/proc/{zygote}/cmdline").read_bytes())
        emulator.end(signal.SIGKILL)
    wait_for(lambda: not is_alive(zygote), seconds=5)


def test_starting_and_stopping_leaves_no_descriptor_or_thread() -> None:
    with running() as emulator:
        emulator.deploy(MODELS / "hello")
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        with running(stop_seconds=0) as emulator:
            emulator.deploy(MODELS / "hello")
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    wait_for(lambda: threading.active_count() <= threads)  # what was told to end may take a moment
