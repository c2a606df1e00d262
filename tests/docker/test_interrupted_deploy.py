"""A `deploy` interrupted while its image is built, or while its container starts, leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from docker import DockerClient
from docker_engine import BASE_IMAGE, SETTINGS, TestEngine
from flow.driver import wait_for, write_model
from flow.processes import environment

UP = ["up", "--port", "0", "--detach", "--backend", "docker", f"--docker-base-image={BASE_IMAGE}"]
UP += ["--no-docker-limits", *([f"--docker-ca={SETTINGS.ca_file}"] if SETTINGS.ca_file else [])]
LOADS_LONG = """
import time
from clarifai.runners.models.model_class import ModelClass

class Slow(ModelClass):
    def load_model(self):
        print("begins to load", flush=True)
        time.sleep(120)

    @ModelClass.method
    def predict(self, text: str) -> str:
        return text
"""


class Commands:
    """Runs the command line, and one emulator with containers."""

    def __init__(self, folder: Path) -> None:
        self._environ = environment(XDG_STATE_HOME=str(folder / "state"))

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(self._command(words), env=self._environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def interrupted(self, words: Sequence[str | Path], *, once: Callable[[], bool]) -> tuple[int, str]:
        """Send Ctrl-C to a command once it is so far. Return its exit code and all that it printed."""
        process = subprocess.Popen(
            self._command(words),
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            wait_for(once, seconds=60)
            os.killpg(process.pid, signal.SIGINT)
            printed, _ = process.communicate(timeout=30)
            return process.returncode, printed
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _command(words: Sequence[str | Path]) -> list[str]:
        return [sys.executable, "-m", "clarifai_emulator", *map(str, words)]


@pytest.fixture(scope="module")
def commands(engine: TestEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    commands = Commands(tmp_path_factory.mktemp("commands"))
    commands.run(*UP)
    yield commands
    commands.run("down")


def everything(docker: DockerClient) -> set[str]:
    """Return ids of all containers, those of builds among them."""
    return {each.id for each in docker.containers.list(all=True, ignore_removed=True)}


def nothing_is_left(commands: Commands, docker: DockerClient, before: set[str]) -> None:
    wait_for(lambda: everything(docker) <= before, seconds=30)
    status = json.loads(commands.run("status", "--json"))
    assert status["deployments"] == []


def test_while_its_image_is_built(commands: Commands, docker: DockerClient, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "built", LOADS_LONG)
    (directory / "Dockerfile").write_text(f"FROM {BASE_IMAGE}\nRUN sleep 120\n")
    before = everything(docker)
    code, printed = commands.interrupted(["deploy", directory], once=lambda: not everything(docker) <= before)
    assert (code, printed.splitlines()[-1]) == (
        130,
        "Interrupted by Ctrl-C. Nothing was deployed; what served before goes on.",
    )
    assert "Traceback" not in printed
    nothing_is_left(commands, docker, before)


def test_while_its_container_loads_the_model(commands: Commands, docker: DockerClient, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "loading", LOADS_LONG)
    before = everything(docker)
    code, printed = commands.interrupted(
        ["deploy", directory], once=lambda: "begins to load" in commands.run("logs")
    )
    assert (code, printed.splitlines()[-1]) == (
        130,
        "Interrupted by Ctrl-C. Nothing was deployed; what served before goes on.",
    )
    assert "Traceback" not in printed
    nothing_is_left(commands, docker, before)
