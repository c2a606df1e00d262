"""Commands that reach an emulator over the network: in another namespace of processes, as in a container."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.driver import free_port, wait_for
from flow.test_cli import MODELS, Shell, Up

SPY = """
import os

from clarifai.runners.models.model_class import ModelClass

class Spy(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        return os.environ.get(name, "not set")
"""
TOKEN = "a-token-that-the-user-chose-for-it"


class Box:
    """An emulator whose processes and run file are not seen from outside, as in a container."""

    def __init__(self, folder: Path) -> None:
        self.inside = Shell(folder / "inside")
        self.outside = Shell(folder / "outside")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.inside.environ["CLARIFAI_EMULATOR_TOKEN"] = TOKEN
        self.outside.environ |= {"CLARIFAI_EMULATOR_URL": self.url, "CLARIFAI_EMULATOR_TOKEN": TOKEN}
        command = ["unshare", "--map-root-user", "--fork", "--pid", "--mount-proc", "--kill-child"]
        words = self.inside.command("up", "--port", str(self.port))
        self.output = folder / "up.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*command, *words], stdout=output, stderr=output, env=self.inside.environ
            )

    def answers(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return self.outside.run("status").returncode != 4

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    probe = ["unshare", "--map-root-user", "--fork", "--pid", "--mount-proc", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this system makes no namespaces of processes for tests (unshare)")
    box = Box(tmp_path_factory.mktemp("box"))
    try:
        wait_for(box.answers, seconds=60)
        yield box
        assert box.outside.ok("down").startswith(f"Stopped the emulator at {box.url} (process ")
        assert box.outside.run("status").returncode == 4
    finally:
        box.stop()


def test_a_directory_is_sent_deployed_and_called(box: Box) -> None:
    said = box.outside.ok("deploy", MODELS / "hello")
    assert f"  · sending {MODELS / 'hello'} to {box.url} (" in said
    assert "Deployed me/demo/models/hello in " in said
    again = box.outside.run("deploy", MODELS / "hello", "--json")
    assert json.loads(again.stdout)["is_new_version"] is False, again.stderr
    done = box.outside.run("predict", "hello", "prompt=you")
    assert done.stdout == "Hello, you!\n", done.stderr


def test_every_command_takes_the_address_and_the_token(box: Box) -> None:
    box.outside.ok("deploy", MODELS / "hello")
    assert box.outside.ok("status").startswith(f"Clarifai emulator at {box.url}\n")
    assert "replica.live" in box.outside.ok("events", "--kind", "replica")
    assert json.loads(box.outside.ok("env", "--json"))["CLARIFAI_API_BASE"] == box.url
    box.outside.ok("fault", "add", "slow", "--latency", "0")
    assert "slow" in box.outside.ok("fault", "list")
    box.outside.ok("fault", "clear")
    box.outside.ok("logs")


def test_the_port_of_a_container_is_no_emulator_that_does_not_run(box: Box, tmp_path: Path) -> None:
    lone = Shell(tmp_path)
    done = lone.run("status", "--port", str(box.port))
    assert done.returncode == 1
    assert f"An emulator answers at {box.url}, but its run file" in done.stderr
    assert "docker exec CONTAINER clarifai-emulator env --control" in done.stderr
    lone.environ["CLARIFAI_EMULATOR_TOKEN"] = TOKEN
    assert lone.ok("status", "--port", str(box.port)).startswith(f"Clarifai emulator at {box.url}\n")
    lone.environ["CLARIFAI_EMULATOR_TOKEN"] = "another-token"
    wrong = lone.run("status", "--url", box.url)
    assert "refused the token in CLARIFAI_EMULATOR_TOKEN." in wrong.stderr
    assert "Each start makes a new one, unless `up` was given one" in wrong.stderr


def test_dev_says_that_it_cannot_watch_from_elsewhere(box: Box) -> None:
    done = box.outside.run("dev", MODELS / "hello")
    assert done.returncode == 1
    assert f"`dev` works where the emulator runs, and {box.url} is elsewhere" in done.stderr


def test_the_token_is_neither_printed_nor_in_the_environment_of_models(box: Box, tmp_path: Path) -> None:
    assert TOKEN not in box.output.read_text()
    inside = json.loads(box.inside.ok("env", "--control", "--json", "--url", box.url))
    assert inside == {"CLARIFAI_EMULATOR_URL": box.url, "CLARIFAI_EMULATOR_TOKEN": TOKEN}
    (file,) = box.inside.state.glob("emulator-*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    spy = shutil.copytree(MODELS / "hello", tmp_path / "spy")
    (spy / "1" / "model.py").write_text(SPY)
    box.outside.ok("deploy", spy, "--model", "me/demo/models/spy")
    assert box.outside.ok("predict", "spy", "name=CLARIFAI_EMULATOR_TOKEN") == "not set\n"


def test_a_home_that_is_shared_with_another_namespace_loses_no_emulator(tmp_path: Path, box: Box) -> None:
    shell = Shell(tmp_path)
    up = Up(shell)
    try:
        command = ["unshare", "--map-root-user", "--fork", "--pid", "--mount-proc", *shell.command("status")]
        seen = subprocess.run(command, capture_output=True, text=True, env=shell.environ)
        assert seen.stdout.startswith(f"Clarifai emulator at {up.started['url']}\n"), seen.stderr
        assert shell.ok("status").startswith(f"Clarifai emulator at {up.started['url']}\n")
    finally:
        shell.ok("down")
        up.wait()


@pytest.mark.parametrize("token", ["short", "with a space in it, and long"])
def test_a_token_that_is_too_weak_is_refused(tmp_path: Path, token: str) -> None:
    shell = Shell(tmp_path)
    shell.environ["CLARIFAI_EMULATOR_TOKEN"] = token
    done = shell.run("up", "--port", "0")
    assert done.returncode == 2
    assert "must have at least 16 printable ASCII characters, without spaces." in done.stderr
