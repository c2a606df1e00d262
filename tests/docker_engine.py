"""Provides an engine for container tests: the one that runs, or one of our own that is stopped again; and an image.

``prepare`` is called once per session, before the first test, because it can take a minute: it imports the base
image (``.ci/docker-base`` makes it) and builds the layers that every sample model shares.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clarifai_emulator.backends.docker.docker_backend import DockerBackend
from clarifai_emulator.backends.docker.engine import Meeting, NoEngine, connect
from clarifai_emulator.config import DockerSettings
from clarifai_emulator.models.directory import read_model_directory
from docker import DockerClient
from docker_lock import EngineLock
from platform_trap import current

BASE_IMAGE = "localhost/clarifai-emulator-test/python:base"
CACHE = Path(
    os.environ.get("CLARIFAI_TEST_DOCKER_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clarifai-emulator-tests"
)
BASE_TAR = CACHE / "python-base.tar"
# Builds trust what this machine trusts: it may reach its package index through a company's proxy.
CERTIFICATES = Path(os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt")
SETTINGS = DockerSettings(
    base_image=BASE_IMAGE, limits=False, ca_file=CERTIFICATES if CERTIFICATES.is_file() else None
)
MODELS = Path(__file__).parents[1] / "fixtures" / "models"
# An engine registers its GPU driver when it finds this executable as it starts; what it writes, tests read. As
# NVIDIA's does, it brings an ``nvidia-smi`` into the container: the one that a test has put beside it.
HOOK = """#!/bin/sh
here="$(dirname "$0")"
cat > "$here/state.$$.json"
if [ -f "$here/nvidia-smi" ]; then
  bundle="$(sed -n 's/.*"bundle":"\\([^"]*\\)".*/\\1/p' "$here/state.$$.json")"
  root="$(sed -n 's/.*"root":{"path":"\\([^"]*\\)".*/\\1/p' "$bundle/config.json")"
  cp "$here/nvidia-smi" "$root/usr/bin/nvidia-smi" 2>/dev/null || true
fi
"""


class Unavailable(Exception):
    """Says why there can be no container tests here, and what to do."""


@dataclass
class TestEngine:
    """An engine. ``data``: where it keeps its images. ``prefix``: the beginning of its command line; ``words``:
    further ones. ``hook``: where our stand-in for NVIDIA's hook leaves what it was called with; None where the
    engine is not ours."""

    __test__ = False

    data: Path = CACHE / "engine"
    prefix: Sequence[str] = ()
    words: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    lock: EngineLock | None = None
    folder: Path | None = None
    hook: Path | None = None
    address: str = ""
    log: list[str] = field(default_factory=list[str])

    def start(self, say: Callable[[str], None]) -> None:
        """Start an engine of our own, when no other session has one here. Raises ``Unavailable``."""
        dockerd = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if dockerd is None or os.geteuid() != 0:
            who = "there is no dockerd" if dockerd is None else "starting one needs root"
            raise Unavailable(f"no container engine runs here, and {who}: see .ci/docker-base")
        if self.data.parent == CACHE:
            if "PYTEST_XDIST_WORKER" in os.environ:
                raise Unavailable("the workers of pytest -n cannot share the engine that tests start: leave out -n")
            self.lock = EngineLock(CACHE)
            self.lock.take(say)
        self.folder = Path(tempfile.mkdtemp(prefix="clarifai-docker-"))
        self.hook = self.folder / "hook"
        self.hook.mkdir()
        script = self.hook / "nvidia-container-runtime-hook"
        script.write_text(HOOK)
        script.chmod(0o755)
        self.address = f"unix://{self.folder}/docker.sock"
        self.launch(dockerd)

    def launch(self, dockerd: str = "dockerd") -> None:
        """Start the engine's process, for the first time or again, and wait until it answers."""
        assert self.folder is not None
        self.data.mkdir(parents=True, exist_ok=True)
        paths = [str(self.hook), os.environ.get("PATH", ""), "/usr/sbin:/sbin"]
        words = ["--host", self.address, "--data-root", str(self.data), "--exec-root", str(self.folder / "exec")]
        words += ["--pidfile", str(self.folder / "docker.pid"), "--mtu", str(_mtu())]
        trap = current()
        words += ["--dns", trap.for_containers] if trap is not None and trap.for_containers else []
        words += self.words
        with (self.folder / "dockerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, dockerd, *words],
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": ":".join(paths)},
                start_new_session=True,  # a Ctrl-C is for the tests, which then end it
            )
        if self.lock is not None:
            self.lock.note(self.process.pid)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connect(self.address)[0].close()
            except NoEngine:
                time.sleep(0.1)
            else:
                return
        text = (self.folder / "dockerd.log").read_text()
        self.stop()
        raise Unavailable("dockerd did not start:\n" + "\n".join(text.splitlines()[-15:]))

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the engine's process, as a restart of it would."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)
            self.process = None

    def stop(self) -> None:
        """End our engine, if it is ours, and remove what it left but its cache."""
        self.end()
        if self.folder is not None:
            # The engine leaves the network of the machine mounted there, once a container has used it.
            for mounted in (self.folder / "exec" / "netns").glob("*"):
                subprocess.run(["umount", mounted], check=False, capture_output=True)
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.lock is not None:
            self.lock.release()


def prepare(say: Callable[[str], None]) -> TestEngine:
    """Return an engine with everything that tests need, and set DOCKER_HOST to it. Raises ``Unavailable``."""
    engine = TestEngine()
    try:
        client, found = connect()
    except NoEngine:
        engine.start(say)
        os.environ["DOCKER_HOST"] = engine.address
        client, found = connect()
    else:
        engine.address = found.address
    say(f"containers: {found}")
    try:
        import_base(client, say)
        say("building what the sample models share")
        asyncio.run(_warm_up())
    except BaseException:
        engine.stop()
        raise
    finally:
        client.close()
    return engine


def import_base(client: DockerClient, say: Callable[[str], None]) -> None:
    """Give the engine the base image, unless it has it. Raises ``Unavailable``."""
    if client.api.images(BASE_IMAGE, quiet=True):
        return
    if not BASE_TAR.is_file():
        raise Unavailable(f"{BASE_TAR} does not exist: .ci/docker-base makes it")
    say("importing the base image")
    repository, _, tag = BASE_IMAGE.rpartition(":")
    client.api.import_image_from_file(str(BASE_TAR), repository=repository, tag=tag)
    if not client.api.images(BASE_IMAGE, quiet=True):  # Podman's calls it latest
        client.api.tag(repository, repository, tag)


async def _warm_up() -> None:
    lines: list[str] = []

    async def nowhere(meeting: Meeting) -> int:
        return 0

    backend = DockerBackend(SETTINGS, listen=nowhere)
    try:
        await backend.prepare(read_model_directory(MODELS / "hello"), lines.append)
    finally:
        await backend.close()


def _mtu() -> int:
    """Return the packet size of this machine's way out: larger packets from a bridge would be lost."""
    try:
        return int(Path("/sys/class/net/eth0/mtu").read_text())
    except (OSError, ValueError):
        return 1500
