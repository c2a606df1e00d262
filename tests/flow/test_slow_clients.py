"""Clients read slowly, or vanish: the emulator keeps little for them, and nobody else notices."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, figure, inference_request, sdk_model, text_of, wait_for
from flow.processes import emulator_process

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20
# Chunks of a generate call; together much more than the emulator may keep.
CHUNK, CHUNKS = 4 * MEBIBYTE, 100
MAY_GROW = 200  # MiB


def resident(pid: int) -> int:
    """Return the memory of a process in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads /proc: Linux only")
def test_a_slow_client_costs_little_memory_and_slows_nobody_else(tmp_path: Path) -> None:
    with emulator_process(tmp_path, "large") as emulator:
        slow, other = emulator.client(), emulator.client()
        length = inference_request("large", "length", data=b"12345")
        wait_for(lambda: other.call("PostModelOutputs", length).outputs)
        before = most = resident(emulator.pid)
        slowest = 0.0
        answers = slow.generate(inference_request("large", "generate", size=CHUNK, chunks=CHUNKS), timeout=60)
        for number, answer in enumerate(answers, 1):
            assert answer.outputs, answer
            assert len(answer.outputs[0].data.parts[0].data.bytes_value) == CHUNK
            time.sleep(0.05)
            most = max(most, resident(emulator.pid))
            if number % 10 == 0:
                began = time.monotonic()
                assert other.call("PostModelOutputs", length).outputs[0].data.parts[0].data.int_value == 5
                slowest = max(slowest, time.monotonic() - began)
        assert number == CHUNKS
        grown = (most - before) / MEBIBYTE
        figure(f"slow client: {CHUNK * CHUNKS / MEBIBYTE:.0f} MiB read, the emulator grew by {grown:.0f} MiB")
        figure(f"slow client: slowest predict beside it {slowest * 1000:.0f} ms")
        assert grown < MAY_GROW
        assert slowest < 2
        slow.close()
        other.close()


# Vanished clients.


class Relay:
    """Passes one TCP connection on to the emulator until it is cut: no end of stream, no goodbye, a reset."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = port
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends = [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def cut(self) -> None:
        self._listener.close()
        for end in self._ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it, which would keep it open
            end.close()


@contextmanager
def behind_a_relay(emulator: EmulatorThread) -> Iterator[None]:
    relay = Relay(emulator.run(lambda e: e.port))
    client = Client(relay.url)
    answers = client.generate(inference_request("aborting", "generate", chunks=200))
    assert text_of(next(answers)) == "chunk 0"
    yield
    relay.cut()
    client.close()


CLIENT = """
import sys
from flow.driver import Client, inference_request
answers = Client(sys.argv[1]).generate(inference_request("aborting", "generate", chunks=200))
print(next(answers).status.code, flush=True)
for _ in answers: pass
"""


@contextmanager
def in_a_process(emulator: EmulatorThread) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, emulator.url],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"10000\n"
        yield
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("client_that_streams", [behind_a_relay, in_a_process])
def test_a_client_that_vanishes_in_mid_stream_is_noticed_and_its_model_told(
    emulator: EmulatorThread, client_that_streams: Any
) -> None:
    emulator.deploy(MODELS / "aborting")
    with client_that_streams(emulator):
        assert emulator.events("work.cancelled") == []
    began = time.monotonic()
    (cancelled,) = wait_for(lambda: emulator.events("work.cancelled"))
    assert time.monotonic() - began < 2

    wait_for(lambda: sdk_model("aborting").finished_items() == 1)
    assert sdk_model("aborting").predict() == [cancelled.fields["work_id"]]
    wait_for(lambda: emulator.status()["deployments"][0]["versions"][0]["in_flight"] == 0)
