"""Large answers, and models that print without end, hold up nobody else: no turn of the event loop gets long."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, figure, inference_request, running, text_of
from flow.processes import emulator_process

pytestmark = pytest.mark.of_processes("looks into the event loop while replicas are processes")

MEBIBYTE = 1 << 20
SIZE = 96 * MEBIBYTE  # what the SDK lets a model answer with
CALLS = 3

# In a process of its own: what it takes to read the answers is not to be taken from who is measured.
READER = """
import sys
from flow.driver import Client, inference_request
url, method, size, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = Client(url)
print("ready", flush=True)
for _ in range(calls):
    if method == "predict":
        answers = [client.call("PostModelOutputs", inference_request("large", size=size), timeout=120)]
    else:
        answers = client.generate(inference_request("large", "generate", size=size, chunks=1), timeout=120)
    for answer in answers:
        assert len(answer.outputs[0].data.parts[0].data.bytes_value) == size, answer.status
"""
TALKATIVE = """
import time
from clarifai.runners.models.model_class import ModelClass

class Talkative(ModelClass):
    @ModelClass.method
    def predict(self, seconds: float) -> str:
        until = time.monotonic() + seconds
        lines = 0
        while time.monotonic() < until:
            print("a line of no interest\\\\n" * 200, end="", flush=True)
            lines += 200
        return str(lines)
"""


class Turns:
    """Watches the turns of an event loop: the most processor time that one has taken."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._loop = asyncio.get_running_loop()
        self._before = time.thread_time()
        self._next = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        now = time.thread_time()
        self.longest, self._before = max(self.longest, now - self._before), now
        self._next = self._loop.call_soon(self._turn)

    def end(self) -> None:
        self._next.cancel()


@contextmanager
def watched(emulator: EmulatorThread) -> Generator[Turns]:
    turns = emulator.run(lambda _: Turns())
    yield turns
    emulator.run(lambda _: turns.end())


def written_once() -> float:
    """Return the processor seconds that it takes this machine to write such an answer once, as it is now."""
    answer = MultiOutputResponse(outputs=[{"data": {"bytes_value": b"x" * SIZE}}])
    times: list[float] = []
    for _ in range(3):
        began = time.thread_time()
        answer.SerializeToString()
        times.append(time.thread_time() - began)
    return median(times)


def asked(client: Client, while_it: Callable[[], bool]) -> list[float]:
    """Call a small model for as long as something goes on; return how many seconds each call took."""
    times: list[float] = []
    while while_it():
        began = time.perf_counter()
        assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))) == "Hello, you!"
        times.append(time.perf_counter() - began)
    return times


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with running() as emulator:
        for model in ("hello", "large"):
            emulator.deploy(MODELS / model)
        yield emulator


@pytest.mark.parametrize("method", ["predict", "generate"])
def test_a_large_answer_passes_in_small_turns_of_the_event_loop(emulator: EmulatorThread, method: str) -> None:
    url = emulator.run(lambda e: e.url)
    command = [sys.executable, "-c", READER, url, method, str(SIZE), str(CALLS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        client = Client(url)
        with watched(emulator) as turns:
            times = asked(client, lambda: reader.poll() is None)
        client.close()
    assert reader.returncode == 0
    once = written_once()
    said = f"{turns.longest * 1000:.1f} ms of processor time, beside {once * 1000:.0f} ms to write it once"
    figure(f"{method} of {SIZE // MEBIBYTE} MiB: longest turn {said}; slowest call {max(times) * 1000:.0f} ms")
    assert turns.longest < once / 3, said


def test_a_model_that_prints_without_end_leaves_the_event_loop_to_others(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    model = tmp_path / "talkative"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.py").write_text(TALKATIVE)
    (model / "requirements.txt").write_text("clarifai\n")
    config = (MODELS / "hello" / "config.yaml").read_text()
    (model / "config.yaml").write_text(config.replace("hello", "talkative"))
    emulator.deploy(model)
    client, other = Client(emulator.run(lambda e: e.url)), Client(emulator.run(lambda e: e.url))
    quiet_until = time.monotonic() + 1
    quiet = asked(other, lambda: time.monotonic() < quiet_until)
    flooding = ThreadPoolExecutor(1).submit(
        client.call, "PostModelOutputs", inference_request("talkative", seconds=2.0), timeout=60
    )
    with watched(emulator) as turns:
        times = asked(other, lambda: not flooding.done())
    lines = int(text_of(flooding.result()))
    times_quiet = median(times) / median(quiet)
    figure(
        f"flood of {lines} lines: p50 beside it {times_quiet:.1f} times that without; longest turn "
        f"{turns.longest * 1000:.1f} ms"
    )
    assert lines > 1000, "what it prints is read, not held up for ever"
    assert times_quiet < 10
    client.close()
    other.close()


@pytest.mark.parametrize("way", ["predict", "generate", "broken off"])
def test_calls_that_are_over_hold_no_memory_until_the_garbage_collector_comes(tmp_path: Path, way: str) -> None:
    """A large call makes few objects, so the collector comes seldom: of 10 MiB there and back, 4 GB were held
    after 200 calls."""
    with emulator_process(tmp_path, "types", "large") as process:
        client = process.client()

        def call() -> None:
            if way == "predict":
                request = inference_request("types", "echo_bytes", value=b"x" * 10 * MEBIBYTE)
                assert len(client.call("PostModelOutputs", request).outputs) == 1
                return
            answers = client.generate(inference_request("large", "generate", size=5 * MEBIBYTE, chunks=2))
            if way == "generate":
                assert len(list(answers)) == 2
            else:
                next(answers)
                answers.cancel()

        for _ in range(4):
            call()
        before = resident(process.pid)
        for _ in range(20):
            call()
        time.sleep(0.2)
        grown = resident(process.pid) - before
        figure(f"20 calls of 10 MiB, {way}: {grown} MiB more")
        assert grown < 100
        client.close()


def resident(pid: int) -> int:
    """Return the memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 // MEBIBYTE
