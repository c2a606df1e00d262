"""Containers can see a model directory, or the reason is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.mounting import room_for_two, why_not_mounted
from clarifai_emulator.models.directory import read_model_directory

HERE = Engine("unix:///s", "here", "docker", "27")
CONFIG = "model: {id: hello, user_id: me, app_id: demo}\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers run on this machine on Linux only")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a model directory that all may read."""
    folder = tmp_path / "model"
    (folder / "1").mkdir(parents=True)
    for name, text in {"1/model.py": "one", "requirements.txt": "clarifai\n", "config.yaml": CONFIG}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    for each in (folder, folder / "1"):
        each.chmod(0o755)
    return folder


def why(folder: Path, engine: Engine = HERE) -> str:
    return why_not_mounted(read_model_directory(folder), engine)


def test_containers_of_this_machine_see_what_all_may_read(folder: Path) -> None:
    assert why(folder) == ""
    assert why(folder, Engine("unix:///s", "here", "rootless podman", "5")) == ""


@pytest.mark.parametrize(
    ("address", "kind"), [("tcp://10.0.0.1:2375", "docker"), ("unix:///s", "docker desktop")], ids=str
)
def test_those_of_another_machine_do_not(folder: Path, address: str, kind: str) -> None:
    assert why(folder, Engine(address, "here", kind, "27")) == (  # type: ignore[arg-type]
        f"containers of {kind} at {address} do not run on this machine itself"
    )


@pytest.mark.parametrize(("name", "mode"), [(".", 0o700), ("1", 0o700), ("1/model.py", 0o600)])
def test_what_the_containers_user_may_not_read_is_named(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    assert why(folder) == f"the user of its containers may not read {folder / name} (chmod -R o+rX {folder})"


def test_checkpoints_of_the_image_would_be_hidden(folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG + "checkpoints: {type: huggingface, repo_id: a/b, when: build}\n")
    assert why(folder) == "its checkpoints are in its image (checkpoints.when: build in config.yaml)"


def test_there_is_room_for_two_for_a_moment() -> None:
    assert room_for_two("256Mi") == str(512 * 1024**2)
    assert room_for_two("") == ""
