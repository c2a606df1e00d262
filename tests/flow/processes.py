"""Runs emulators and runners as processes of their own, for tests that end them the hard way or weigh them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc

from flow.driver import MODELS, OPTIONS, Client, free_port, wait_for

TOKEN = "0123456789abcdef0123456789abcdef"


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without its Clarifai settings, and with ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
    return {**kept, **more}


class EmulatorProcess:
    """A process of ``clarifai-emulator up`` with these sample models deployed, each with one replica; its temporary
    files are in ``temporary``."""

    def __init__(self, folder: Path, *models: str, port: int = 0, options: Sequence[str] = ()) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        topology = folder / "topology.yaml"
        entries = [
            f"  - {{path: {MODELS / model}, deploy: {{nodepool: cpu, min_replicas: 1}}}}\n" for model in models
        ]
        topology.write_text("models:\n" + "".join(entries) if entries else "models: []\n")
        self._models = len(models)
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._log = folder / "emulator.log"
        command = ["-m", "clarifai_emulator", "up", "--port", str(self.port)]
        command += OPTIONS
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--topology", str(topology), *options],
                env=environment(XDG_STATE_HOME=str(folder / "state"), TMPDIR=str(self.temporary)),
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def client(self, deployments: int | None = None) -> Client:
        """Return a client with its own connection, once the emulator has deployed its models, or has so many
        deployments."""
        client = Client(self.url)
        wanted = self._models if deployments is None else deployments

        def answers() -> bool:
            assert self.process.poll() is None, self._log.read_text()
            with suppress(grpc.RpcError):
                return len(client.call("ListDeployments", timeout=1).deployments) == wanted
            return False

        wait_for(answers, seconds=30)
        return client

    def end(self, number: int) -> None:
        """Send the process a signal and wait until it has ended."""
        self.process.send_signal(number)
        self.process.wait(timeout=15)

    def printed(self) -> str:
        """Return what the process has printed so far."""
        return self._log.read_text()

    def descendants(self) -> list[int]:
        """Return every process below it."""
        return descendants_of(self.pid)


@contextmanager
def emulator_process(
    folder: Path, *models: str, port: int = 0, options: Sequence[str] = ()
) -> Iterator[EmulatorProcess]:
    """Run an ``EmulatorProcess`` that ends at the latest with the block."""
    emulator = EmulatorProcess(folder, *models, port=port, options=options)
    try:
        yield emulator
    finally:
        if emulator.process.poll() is None:
            emulator.end(signal.SIGKILL)


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``clarifai-emulator`` with these words, with its state below ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", *words],
        env=environment(XDG_STATE_HOME=str(folder / "state")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def own_runner(url: str, model: str, **ids: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the genuine runner as its user starts it, outside the emulator; ``ids``: its cluster, nodepool and
    runner."""
    settings = {f"CLARIFAI_{name.upper()}": value for name, value in ids.items()}
    options = {"model_path": str(MODELS / model), "base_url": url, "num_threads": "4", "health_check_port": "0"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai.runners.server", *words],
        env=environment(
            CLARIFAI_API_BASE=url,
            CLARIFAI_PAT=TOKEN,
            CLARIFAI_USER_ID="me",
            HTTPS_PROXY="http://127.0.0.1:9",  # importing the SDK asks the package index for its newest version
            NO_PROXY="127.0.0.1,localhost",
            no_proxy="127.0.0.1,localhost",
            **settings,
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def descendants_of(pid: int) -> list[int]:
    """Return every process below this one."""
    found, unseen = list[int](), [pid]
    while unseen:
        children = children_of(unseen.pop())
        found += children
        unseen += children
    return found


def children_of(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    found = list[int]()
    for each in lists:
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(child) for child in each.read_text().split()]
    return found
