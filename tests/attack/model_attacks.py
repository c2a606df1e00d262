"""Attacks by models on their neighbours: what a bad model does while a good one is called, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from attack.good_client import Calls
from attack.measured import Measure, attack
from attack.process_attacks import predicted
from attack.scene import Scene
from attack.victims import EmulatorVictim
from flow.driver import inference_request, is_alive, wait_for, write_model

_MARK = "attack-deed"
_SOURCE = """
import os, signal, subprocess, sys, threading, time
from collections.abc import Iterator

from clarifai.runners.models.model_class import ModelClass


class Bad(ModelClass):
    @ModelClass.method
    def predict(self, deed: str) -> str:
        return str(getattr(self, deed)() or "done")

    @ModelClass.method
    def generate(self, deed: str) -> Iterator[str]:
        while True:
            yield "x" * 100_000

    def prints(self):
        for number in range(60_000):
            print("a line that nobody reads", number)

    def prints_bytes(self):
        for _ in range(200):
            os.write(1, bytes(range(256)) * 256)

    def answers_100_mebibytes(self):
        return "x" * (100 << 20)

    def computes(self):
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            sum(range(10_000))

    def takes_memory(self):
        self.held = [bytearray(1 << 20) for _ in range(500)]
        del self.held

    def starts_threads(self):
        for _ in range(200):
            threading.Thread(target=time.sleep, args=(2,), daemon=True).start()

    def opens_files(self):
        held = [open("/dev/null") for _ in range(500)]
        return len(held)

    def crashes(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def exits(self):
        os._exit(7)

    def recurses(self):
        return self.recurses()

    def raises_oddly(self):
        raise ValueError("\\u00fc\\x1b[31m\\r\\n\\0" * 9_000)

    def ignores_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            try:
                signal.signal(number, signal.SIG_IGN)
            except ValueError:
                pass
        time.sleep(2)

    def leaves_processes(self):
        for _ in range(3):
            code = "import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)"
            subprocess.Popen([sys.executable, "-c", code, "attack-deed"], start_new_session=True)
        time.sleep(1)

    def forks(self):
        for _ in range(50):
            if os.fork() == 0:
                time.sleep(2)
                os._exit(0)

    def closes_everything(self):
        os.closerange(3, 300)
"""
_SLOWER, _UNNOTICED = 5.0, 2.0
_STALL, _UNNOTICED_STALL = 1_000.0, 200.0


class Neighbours:
    """An emulator with a good model and a bad one."""

    def __init__(self, victim: EmulatorVictim) -> None:
        self.victim = victim
        self.client = victim.client()
        wait_for(lambda: predicted(self.client) == "Hello, x!", seconds=60)
        wait_for(lambda: self.do("opens_files") is None, seconds=60)

    def do(self, deed: str, *, timeout: float = 60) -> str | None:
        """Let the bad model do something; return what went wrong, None for nothing."""
        client = self.victim.client()
        try:
            answer = client.call("PostModelOutputs", inference_request("bad", deed=deed), timeout=timeout)
            return None if answer.status.code == 10000 else answer.status.details
        except grpc.RpcError as error:
            return str(error.code())  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            client.close()

    def streams(self) -> None:
        """Begin a stream without end, read a little of it, and leave."""
        client = self.victim.client()
        with contextlib.suppress(grpc.RpcError):
            stream = client.generate(inference_request("bad", "generate", deed=""), timeout=60)
            for number, _ in enumerate(stream):
                if number > 20:
                    stream.cancel()
        client.close()

    def calls(self, seconds: float, until: Callable[[], bool] = lambda: True) -> Calls:
        """Call the good model for so long, and until a condition holds."""
        made, ends = Calls(), time.monotonic() + seconds
        while time.monotonic() < ends or not until():
            began = time.perf_counter()
            if (said := predicted(self.client)) != "Hello, x!":
                made.errors.append(said[:80])
            made.times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.002)
        return made


def _neighbours(scene: Scene) -> Neighbours:
    """Return the emulator that the deeds share."""

    def begin() -> EmulatorVictim:
        bad = write_model(scene.new_folder(), "bad", _SOURCE)
        return scene.enter(scene.own(models=["hello", bad]))

    return scene.kept("neighbours", lambda: Neighbours(begin()))


def _deed(name: str, title: str, act: Callable[[Neighbours], object] | None = None, *, short: bool = False) -> None:
    def make(scene: Scene) -> list[Measure]:
        neighbours = _neighbours(scene)
        bugs = neighbours.victim.bugs()
        quiet = neighbours.calls(0.5 if scene.short else 1.5)
        thread = threading.Thread(target=act or (lambda each: each.do(name)), args=(neighbours,))
        thread.start()
        during = neighbours.calls(1.0 if scene.short else 3.0, until=lambda: not thread.is_alive())
        thread.join()
        usual = quiet.quantile(0.5)
        return [
            Measure("median", during.quantile(0.5) / usual, "×", _SLOWER, _UNNOTICED),
            Measure("slowest", during.slowest / usual, "×", _STALL, _UNNOTICED_STALL),
            Measure("errors of the other model", len(during.errors), which=tuple(during.errors[:2])),
            Measure("bugs in its log", neighbours.victim.bugs() - bugs),
        ]

    make.__doc__ = title
    attack(f"models.{name.replace('_', '-')}", short=short)(make)


_deed("prints", "A model that prints 60,000 lines", short=True)
_deed("prints_bytes", "A model that prints 13 MB that are no text")
_deed("answers_100_mebibytes", "A model that answers 100 MiB", short=True)
_deed(
    "streams_without_end", "A model that streams without end, to a client that leaves", lambda each: each.streams()
)
_deed("computes", "A model that computes for two seconds, and never rests")
_deed("takes_memory", "A model that takes 500 MiB")
_deed("starts_threads", "A model that starts 200 threads")
_deed("opens_files", "A model that opens 500 files")
_deed("recurses", "A model that calls itself without end")
_deed("raises_oddly", "A model that raises 80 KB of control characters", short=True)
_deed("crashes", "A model that crashes (SIGSEGV)", short=True)
_deed("exits", "A model that ends its process")
_deed("ignores_signals", "A model that ignores every signal")
_deed("forks", "A model that forks 50 times")
_deed("closes_everything", "A model that closes every descriptor that it finds")


@attack("models.leaves-processes", short=True)
def leaves_processes(scene: Scene) -> list[Measure]:
    """A model that leaves processes in sessions of their own, forked twice; the emulator stops, and is killed."""
    left = 0
    for number in (signal.SIGTERM, signal.SIGKILL):
        bad = write_model(scene.new_folder(), "bad", _SOURCE)
        with scene.own(models=["hello", bad]) as victim:
            Neighbours(victim).do("leaves_processes")
            assert _marked(), "the model left nothing"
            victim.end(number)
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not _marked(), seconds=15)
            left += len(_marked())
            for pid in _marked():
                os.kill(pid, signal.SIGKILL)
    return [Measure("processes left", left)]


def _marked() -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if _MARK.encode() in entry.read_bytes() and is_alive(int(entry.parent.name)):
                found.append(int(entry.parent.name))
    return found
