"""Starts what is attacked: an emulator as its users start it, and a server of grpcio that answers the same call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from benchmarks.peers import processor_seconds

from flow.driver import MODELS, Client, free_port, wait_for
from flow.processes import descendants_of, environment

ROOT = Path(__file__).parents[2]
_MIB = 1024 * 1024
# What the log of an emulator has when it met a bug of its own.
_BUGS = ("Traceback", "a bug of the emulator", "99009", "Task exception was never retrieved")


class Victim:
    """A process that is attacked."""

    def __init__(self, command: Sequence[str], port: int, log: Path, env: dict[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        with log.open("a") as out:
            self.process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=out, stderr=out)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel, suppress(grpc.RpcError):
                channel.unary_unary("/clarifai.api.V2/GetUser")(
                    b"", metadata=[("authorization", "Key local-emulator-token")], timeout=2
                )
                return True
            return False

        wait_for(answers, seconds=90)

    def is_up(self) -> bool:
        return self.process.poll() is None

    def resident(self) -> float:
        """Return how many MiB of memory the process has."""
        return _status(self.pid, "VmRSS")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def processor_seconds(self) -> float:
        return processor_seconds(self.pid)

    def end(self, number: int = signal.SIGTERM, *, seconds: float = 60) -> None:
        """Send a signal, and wait until the process has ended; kill what does not."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"it had not ended {seconds} s after signal {number}") from None


class EmulatorVictim(Victim):
    """An emulator in a process of its own: ``clarifai-emulator up`` with ``options`` and sample ``models``."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        models: Sequence[Path | str] = (),
        port: int = 0,
        prefix: Sequence[str] = (),
        **environ: str,
    ) -> None:
        port = port or free_port()
        self.folder = folder
        self.models = [MODELS / model if isinstance(model, str) else model for model in models]
        topology = folder / "topology.yaml"
        entries = [f"  - {{path: {each}, deploy: {{nodepool: cpu, min_replicas: 1}}}}\n" for each in self.models]
        topology.write_text("models:\n" + "".join(entries) if entries else "models: []\n")
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._environ = environment(XDG_STATE_HOME=str(folder / "state"), TMPDIR=str(self.temporary), **environ)
        words = ["-m", "clarifai_emulator", "up", "--port", str(port), "--topology", str(topology), *options]
        super().__init__([*prefix, sys.executable, *words], port, folder / "emulator.log", self._environ)

    def client(self, pat: str = "any-token") -> Client:
        return Client(self.url, pat=pat)

    def wait_until_models_answer(self) -> None:
        client = self.client()
        wait_for(lambda: self._deployed(client), seconds=120)
        client.close()

    def _deployed(self, client: Client) -> bool:
        assert self.is_up(), self.log.read_text()[-3000:]
        with suppress(grpc.RpcError):
            return len(client.call("ListDeployments", timeout=5).deployments) == len(self.models)
        return False

    def command(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line against it."""
        command = [sys.executable, "-m", "clarifai_emulator", *map(str, words)]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=120, check=False)

    def bugs(self) -> int:
        """Count the lines of its log that tell of a bug of its own."""
        lines = self.log.read_text(errors="replace").splitlines()
        return sum(any(bug in line for bug in _BUGS) for line in lines)

    def descendants(self) -> list[int]:
        return descendants_of(self.pid)


class GrpcioVictim(Victim):
    """A server of grpcio that answers GetUser, and reads and answers messages of streams."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.floods", str(port)]
        super().__init__(command, port, folder / "grpcio.log", environment())


@contextmanager
def attacked(victim: Any) -> Iterator[Any]:
    """Yield a victim that answers; it ends with the block."""
    try:
        victim.wait_until_it_answers()
        yield victim
    finally:
        if victim.process.poll() is None:
            victim.process.send_signal(signal.SIGCONT)
            victim.end()


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / _MIB
    raise LookupError(name)


class Sampled:
    """Runs a function again and again in a thread while the block runs, and keeps the largest that it returns."""

    def __init__(self, sample: Any, *, every: float = 0.05) -> None:
        self.largest = -float("inf")
        self._sample, self._every = sample, every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(OSError, LookupError):
                self.largest = max(self.largest, self._sample())

    def __enter__(self) -> Sampled:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
