"""An engine's disk is really full: what cannot be built or started says so, and what makes room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.engine import connect
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from docker_containers import log, write_looks
from docker_engine import BASE_IMAGE, SETTINGS, TestEngine, import_base
from flow.driver import running

# The base image has about 300 MB.
DISK = "400m"
TOO_MUCH = "RUN head -c 200M /dev/zero > /filler"


@pytest.fixture(scope="module")
def disk(engine: TestEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount a small disk."""
    if engine.process is None:
        pytest.skip("the engine that runs here is not ours: a second one beside it is not started")
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "small-disk", folder], check=True)
    yield folder
    subprocess.run(["umount", "--recursive", folder], check=True)


@pytest.fixture(scope="module")
def small(disk: Path) -> Iterator[EmulatorThread]:
    """Yield an emulator whose engine keeps everything on the small disk."""
    # In a network of its own: two engines in one take each other's bridges away.
    engine = TestEngine(data=disk / "data", prefix=["unshare", "--net"])
    engine.start(print)
    try:
        client, _ = connect(engine.address)
        import_base(client, print)
        client.close()
        # No container of this engine ever asks for work: any address will do.
        docker = replace(SETTINGS, engine=engine.address, listen="127.0.0.1")
        with running(backend="docker", docker=docker) as emulator:
            yield emulator
    finally:
        engine.stop()


def write_dockerfile(folder: Path, model_id: str, *steps: str) -> Path:
    """Write a model directory with a Dockerfile of its own."""
    directory = write_looks(folder, model_id)
    (directory / "Dockerfile").write_text("\n".join([f"FROM {BASE_IMAGE}", *steps]) + "\n")
    return directory


def test_a_build_that_fills_the_disk_says_so_names_its_step_and_what_makes_room(
    small: EmulatorThread, tmp_path: Path
) -> None:
    lines: list[str] = []
    with pytest.raises(ModelError) as raised:
        small.deploy(write_dockerfile(tmp_path, "large", TOO_MUCH), progress=lines.append)
    assert raised.value.summary == f"The image of large cannot be built: it failed at the step `{TOO_MUCH}`."
    assert raised.value.hint == (
        "The engine's disk is full: `docker system df` shows what fills it, `docker builder prune` and "
        "`docker image prune` make room."
    )
    assert "No space left on device" in raised.value.log
    assert any("No space left on device" in line for line in lines)
    assert "No space left on device" in log(small, "builder")
    assert log(small, "builder").endswith(raised.value.hint)


def test_a_model_directory_that_does_not_fit_on_the_engines_disk_says_so(
    small: EmulatorThread, tmp_path: Path
) -> None:
    directory = write_dockerfile(tmp_path, "heavy", "COPY . /model")
    with (directory / "1" / "weights.bin").open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(ModelError) as raised:
        small.deploy(directory)
    assert raised.value.summary == "The image of heavy cannot be built: it failed."
    assert raised.value.hint.startswith("The engine's disk is full: `docker system df` shows what fills it")
    assert raised.value.summary in log(small, "builder")
    assert log(small, "builder").endswith(raised.value.hint)


def test_a_container_that_does_not_fit_any_more_says_so(small: EmulatorThread, disk: Path, tmp_path: Path) -> None:
    directory = write_dockerfile(tmp_path, "fits", "RUN echo built")
    # Its image is built; what it has not is the SDK.
    with pytest.raises(ModelError, match="The container of fits cannot be started: the image has no `python`"):
        small.deploy(directory)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):  # no space left on device
        while file.write(b"\0" * (1 << 20)):
            pass
    try:
        with pytest.raises(ModelError) as raised:
            small.deploy(directory)
        assert raised.value.summary == "The container of fits cannot be started: the engine's disk is full."
        assert raised.value.hint == "`docker system df` shows what fills it; `docker image prune` makes room."
    finally:
        filler.unlink()
