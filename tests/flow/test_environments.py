"""A model whose requirements the emulator's own interpreter does not satisfy runs in an environment of its own."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from uv import find_uv_bin

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.uv_runs import uv_environment
from flow.driver import (
    MODELS,
    Client,
    inference_request,
    running,
    sdk_model,
    text_of,
    write_model,
)

OF_PROCESSES = pytest.mark.of_processes(
    "about the Python environments of processes; of images: tests/docker/test_image.py"
)
MODEL = """
import sys
import humanize
from clarifai.runners.models.model_class import ModelClass

class Sized(ModelClass):
    @ModelClass.method
    def predict(self, size: int) -> str:
        return humanize.naturalsize(size)

    @ModelClass.method
    def python(self) -> str:
        return f"{sys.version_info.major}.{sys.version_info.minor}"
"""


def _model(tmp_path: Path, requirements: str, *, python_version: str = "") -> Path:
    directory = Path(shutil.copytree(MODELS / "hello", tmp_path / "sized"))
    config = directory / "config.yaml"
    text = config.read_text().replace("id: hello", "id: sized", 1)
    config.write_text(text + (f'\nbuild_info:\n  python_version: "{python_version}"\n' if python_version else ""))
    (directory / "requirements.txt").write_text(requirements)
    (directory / "1" / "model.py").write_text(MODEL)
    return directory


FINDS = """
import shutil
from clarifai.runners.models.model_class import ModelClass

class Finds(ModelClass):
    @ModelClass.method
    def predict(self, command: str) -> str:
        return shutil.which(command)
"""


@OF_PROCESSES
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_model_finds_the_commands_of_its_environment_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_method: Literal["fork", "spawn"]
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with running(start_method=start_method) as emulator:
        emulator.deploy(write_model(tmp_path, "finds", FINDS))
        client = Client(emulator.url)
        found = text_of(client.call("PostModelOutputs", inference_request("finds", command="clarifai")))
        client.close()
    assert found == str(Path(sys.executable).parent / "clarifai")


@OF_PROCESSES
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_requirements_are_installed_once_and_the_model_runs_with_them(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    directory = _model(tmp_path, "clarifai\nhumanize==4.12.0\n")
    with running(cache_dir=tmp_path / "cache") as other:
        said: list[str] = []
        deployed = other.deploy(directory, progress=said.append)
        assert "built with uv for its requirements.txt" in deployed.environment
        assert any("building a Python environment for sized: humanize" in line for line in said)
        said.clear()
        other.reset()
        other.deploy(directory, progress=said.append)
        assert not any("building" in line for line in said)


@OF_PROCESSES
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_model_may_ask_for_another_python(emulator: EmulatorThread, tmp_path: Path) -> None:
    wanted = _another_python()
    directory = _model(tmp_path, "clarifai\nhumanize\n", python_version=wanted)
    emulator.deploy(directory)
    assert sdk_model("sized").predict(size=1_000_000) == "1.0 MB"
    assert sdk_model("sized").python() == wanted


def test_a_requirement_that_does_not_exist_is_named(emulator: EmulatorThread, tmp_path: Path) -> None:
    directory = _model(tmp_path, "clarifai\nthis-package-does-not-exist-anywhere==1.0\n")
    with running(cache_dir=tmp_path / "cache") as other, pytest.raises(ModelError) as raised:
        other.deploy(directory)
    assert "this-package-does-not-exist-anywhere" in str(raised.value)
    assert emulator.status()["deployments"] == []


def _another_python() -> str:
    """Return a version that this Python is not, of those that the platform builds: 3.11 and 3.12."""
    current = ".".join(platform.python_version_tuple()[:2])
    for version in ("3.12", "3.11"):
        found = subprocess.run(
            [find_uv_bin(), "python", "find", "--no-python-downloads", version],
            env=uv_environment(os.environ),
            capture_output=True,
            check=False,
        )
        if version != current and found.returncode == 0:
            return version
    pytest.skip("no second Python on this machine: needs 3.11 or 3.12 beside the one that runs the tests")
