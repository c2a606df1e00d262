"""An upload survives kill -9 at every moment: after a restart what was answered is there, and runs or says why."""

from __future__ import annotations

import random
import shutil
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.models.uploaded import name_of
from flow.driver import MODELS, Client, free_port, inference_request, text_of, wait_for
from flow.processes import EmulatorProcess, command, emulator_process
from flow.uploading import Request, Uploader, archive_of, config, whole

pytestmark = [pytest.mark.slow]

READING = "reading the method signatures of model.py"
AGAIN = "its build was broken off: building it from its archive again"


WAITING = """
import os, time

while not os.path.exists('{file}'):
    time.sleep(0.02)
"""
# Ends the emulator that its own process is or descends from, as the system does where memory runs out.
DEADLY = b"""
import os
import signal

pid = os.getpid()
while pid > 1:
    parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    if b"clarifai_emulator\\0up\\0" in open(f"/proc/{pid}/cmdline", "rb").read():
        os.kill(pid, signal.SIGKILL)
    pid = parent
"""


class Platform:
    """An emulator with a state directory, which is killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "kept"
        self.options = ["--state", str(self.state)]
        self._port = free_port()

    @contextmanager
    def run(self) -> Generator[tuple[EmulatorProcess, Uploader]]:
        with emulator_process(self.folder, port=self._port, options=self.options) as emulator:
            wait_for(lambda: _answers(emulator), seconds=30)
            uploader = Uploader(emulator.url)
            yield emulator, uploader
            uploader.close()

    def files(self) -> list[str]:
        """List the folder of uploads, two levels deep."""
        return [
            str(path.relative_to(self.state / "uploaded-versions"))
            for path in (self.state / "uploaded-versions").glob("*/*")
        ]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def _answers(emulator: EmulatorProcess) -> bool:
    assert emulator.process.poll() is None, (emulator.temporary.parent / "emulator.log").read_text()
    client = Client(emulator.url)
    try:
        return bool(client.call("GetUser", user_app_id={"user_id": "me"}, timeout=1).user.id)
    except grpc.RpcError:
        return False
    finally:
        client.close()


def waiting_for(file: Path) -> bytes:
    """Make an archive whose build goes on when this file is there."""
    source = WAITING.format(file=file).encode() + (MODELS / "hello" / "1" / "model.py").read_bytes()
    return archive_of(**{"1__model.py": source})


def broken_off(platform: Platform, go_on: Path, how: signal.Signals) -> str:
    """Upload a version whose emulator ends while it is built; its build waits until ``go_on`` is there."""
    with platform.run() as (emulator, uploader):
        version_id: str = uploader.send(whole(waiting_for(go_on)))[-1].model_version_id
        wait_for(lambda: READING in uploader.build_log(version_id))
        emulator.end(how)
    return version_id


def serves(uploader: Uploader, version_id: str) -> str:
    """Return what the version answers, once it is built and deployed."""
    version = uploader.built(version_id)
    assert version.status.code == StatusCode.MODEL_TRAINED, version.status
    uploader.deploy(version_id)
    return answer(uploader)


def answer(uploader: Uploader) -> str:
    return text_of(uploader.client.call("PostModelOutputs", inference_request("hello", prompt="you")))


def test_while_the_archive_comes_nothing_is_left_of_it(platform: Platform) -> None:
    go_on = threading.Event()

    def half() -> Iterator[Request]:
        yield config(4_000_000)
        yield Request(content_part={"part_number": 1, "data": bytes(1_000_000)})
        go_on.wait(20)

    with platform.run() as (emulator, uploader):
        call = uploader.stream(half())
        assert next(call).status.code == StatusCode.UPLOAD_IN_PROGRESS
        assert len(platform.files()) == 1
        emulator.end(signal.SIGKILL)
        with pytest.raises(grpc.RpcError):
            next(call)
        go_on.set()
    assert len(platform.files()) == 1
    with platform.run() as (_, uploader):
        assert platform.files() == []
        assert uploader.versions() == []


def test_as_soon_as_the_version_was_answered_it_is_built_after_the_restart(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of()))[-1].model_version_id
        emulator.end(signal.SIGKILL)
        assert list(emulator.temporary.iterdir()) == []
    with platform.run() as (_, uploader):
        assert serves(uploader, version_id) == "Hello, you!"


def test_while_it_is_built_the_build_begins_again_and_its_log_goes_on(platform: Platform) -> None:
    go_on = platform.folder / "go on"
    version_id = broken_off(platform, go_on, signal.SIGKILL)
    go_on.touch()
    with platform.run() as (_, uploader):
        assert serves(uploader, version_id) == "Hello, you!"
        log = uploader.build_log(version_id)
        again = f"{AGAIN} (start 2 of 3)"
        assert [line for line in log if line in (READING, again)] == [READING, again, READING]


def test_a_build_goes_on_too_after_an_emulator_that_was_stopped_in_good_order(platform: Platform) -> None:
    go_on = platform.folder / "go on"
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(waiting_for(go_on)))[-1].model_version_id
        emulator.end(signal.SIGTERM)
    go_on.touch()
    with platform.run() as (_, uploader):
        assert serves(uploader, version_id) == "Hello, you!"


def test_once_it_is_built_and_deployed_it_serves_again_without_another_build(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of()))[-1].model_version_id
        assert serves(uploader, version_id) == "Hello, you!"
        assert uploader.build_log(version_id).count(READING) == 1, "what was answered is kept"
        emulator.end(signal.SIGKILL)
    with platform.run() as (_, uploader):
        assert answer(uploader) == "Hello, you!"
        assert uploader.build_log(version_id).count(READING) == 1


def test_a_version_that_failed_is_still_one_that_failed_for_the_same_reason(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of(**{"config.yaml": b"model: [\n"})))[-1].model_version_id
        status = uploader.built(version_id).status
        assert status.code == StatusCode.MODEL_BUILDING_FAILED
        emulator.end(signal.SIGKILL)
    with platform.run() as (_, uploader):
        assert uploader.version(version_id).status == status
        assert platform.files() == []


def test_the_files_of_a_version_that_failed_go_with_the_next_start_if_they_had_not_gone(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of(**{"config.yaml": b"model: [\n"})))[-1].model_version_id
        status = uploader.built(version_id).status
        wait_for(lambda: platform.files() == [])
        emulator.end(signal.SIGKILL)
    left = platform.state / "uploaded-versions" / name_of(("me", "demo", "hello", version_id))
    left.mkdir()
    (left / "archive").write_bytes(archive_of())
    with platform.run() as (_, uploader):
        assert platform.files() == []
        assert uploader.version(version_id).status == status


def test_without_its_archive_a_build_that_was_broken_off_has_failed(platform: Platform) -> None:
    go_on = platform.folder / "go on"
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(waiting_for(go_on)))[-1].model_version_id
        emulator.end(signal.SIGKILL)
    shutil.rmtree(platform.state / "uploaded-versions")
    go_on.touch()
    with platform.run() as (_, uploader):
        status = uploader.version(version_id).status
        assert status.code == StatusCode.MODEL_BUILDING_FAILED
        assert status.description == (
            "Its build did not end where it was uploaded, and its archive is not here. Upload it again."
        )


@pytest.mark.of_processes("its model.py ends the process that it descends from")
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc: Linux only")
def test_a_build_that_ends_the_emulator_is_given_up_after_three_starts(platform: Platform) -> None:
    go_on = platform.folder / "go on"
    with platform.run() as (emulator, uploader):
        source = WAITING.format(file=go_on).encode() + DEADLY
        deadly = uploader.send(whole(archive_of(**{"1__model.py": source})))[-1].model_version_id
        wait_for(lambda: READING in uploader.build_log(deadly))
        innocent = uploader.send(whole(archive_of()))[-1].model_version_id
        wait_for(lambda: READING in uploader.build_log(innocent))
        go_on.touch()
        assert emulator.process.wait(timeout=15) == -signal.SIGKILL
    for start in (2, 3):
        go_on.unlink()
        with platform.run() as (emulator, uploader):  # of the log, what was answered is kept
            wait_for(lambda start=start: f"{AGAIN} (start {start} of 3)" in uploader.build_log(deadly))
            go_on.touch()
            assert emulator.process.wait(timeout=15) == -signal.SIGKILL
    with platform.run() as (_, uploader):
        status = uploader.version(deadly).status
        assert status.code == StatusCode.MODEL_BUILDING_FAILED
        assert status.description == (
            "The emulator ended unexpectedly each of the 3 times that it built this version, which is therefore "
            "not built again. Perhaps the machine had too little memory for it, or its model.py ends other "
            "processes. Mend that, and upload it again."
        )
        wait_for(lambda: len(platform.files()) == 2)  # the archive and the model directory of the innocent one
        log = uploader.build_log(deadly)
        assert [line for line in log if AGAIN in line] == [f"{AGAIN} (start 2 of 3)", f"{AGAIN} (start 3 of 3)"]
        assert log[-1] == status.description
        assert serves(uploader, innocent) == "Hello, you!", "the other one is not held to have done it"


def test_stops_in_good_order_are_no_reason_to_give_a_build_up(platform: Platform) -> None:
    go_on = platform.folder / "go on"
    version_id = broken_off(platform, go_on, signal.SIGTERM)
    for count in range(2, 5):
        with platform.run() as (emulator, uploader):
            wait_for(lambda count=count: uploader.build_log(version_id).count(READING) == count)
            emulator.end(signal.SIGTERM)
    go_on.touch()
    with platform.run() as (_, uploader):
        assert serves(uploader, version_id) == "Hello, you!"


def test_what_was_exported_while_it_was_built_has_failed_where_it_is_imported(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    file, other = tmp_path / "platform.json", tmp_path / "other"
    other.mkdir()
    with emulator_process(tmp_path) as first:
        first.client().close()
        uploader = Uploader(first.url)
        version_id = uploader.send(whole(waiting_for(go_on)))[-1].model_version_id
        assert command(tmp_path, "export", "--port", str(first.port), str(file)).returncode == 0
        assert uploader.version(version_id).status.code == StatusCode.MODEL_BUILDING
        uploader.close()
        with emulator_process(other) as second:
            second.client().close()
            assert command(other, "import", "--port", str(second.port), str(file)).returncode == 0
            uploader = Uploader(second.url)
            assert uploader.version(version_id).status.description == (
                "Its build did not end where it was uploaded, and its archive is not here. Upload it again."
            )
            uploader.close()
            second.end(signal.SIGTERM)
        first.end(signal.SIGTERM)


def test_a_state_directory_that_was_moved_takes_its_versions_along(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of()))[-1].model_version_id
        assert serves(uploader, version_id) == "Hello, you!"
        emulator.end(signal.SIGTERM)
    moved = platform.folder / "moved"
    platform.state.rename(moved)
    platform.state, platform.options = moved, ["--state", str(moved)]
    with platform.run() as (_, uploader):
        assert uploader.built(version_id).status.code == StatusCode.MODEL_TRAINED
        assert answer(uploader) == "Hello, you!"
        assert "is gone: building it from its archive again" in "\n".join(uploader.build_log(version_id))


def test_the_files_of_a_version_that_was_deleted_are_gone(platform: Platform) -> None:
    with platform.run() as (emulator, uploader):
        version_id = uploader.send(whole(archive_of()))[-1].model_version_id
        uploader.built(version_id)
        uploader.client.call("DeleteModelVersion", **uploader.app, model_id="hello", version_id=version_id)
        emulator.end(signal.SIGKILL)
    with platform.run() as (_, uploader):
        assert platform.files() == []
        assert uploader.versions() == []


@pytest.mark.parametrize("seed", range(3))
def test_at_any_moment_what_was_answered_is_there(platform: Platform, seed: int) -> None:
    answered: list[str] = []
    with platform.run() as (emulator, uploader):
        killer = threading.Timer(random.Random(seed).uniform(0.05, 0.8), emulator.process.kill)
        killer.start()
        with suppress(grpc.RpcError):
            while True:
                answered.append(uploader.send(whole(archive_of(), count=4))[-1].model_version_id)
        killer.join()
        emulator.process.wait(timeout=15)
    with platform.run() as (_, uploader):
        there = [version.id for version in uploader.versions()]
        assert set(answered) <= set(there)
        assert len(there) - len(answered) <= 1  # the one whose answer did not come
        for version_id in there:
            assert uploader.built(version_id).status.code == StatusCode.MODEL_TRAINED
        assert len(platform.files()) == 2 * len(there)  # of each its archive and its model directory
        assert list(emulator.temporary.iterdir()) == []


def test_without_a_state_directory_the_next_emulator_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    def left() -> list[Any]:
        return list(emulator.temporary.iterdir())

    with emulator_process(tmp_path) as emulator:
        emulator.client().close()
        uploader = Uploader(emulator.url)
        uploader.built(uploader.send(whole(archive_of()))[-1].model_version_id)
        uploader.close()
        with emulator_process(tmp_path) as another:
            another.client().close()
            assert len(left()) == 1  # somebody uses it
            another.end(signal.SIGTERM)
        emulator.end(signal.SIGKILL)
    assert len(left()) == 1
    with emulator_process(tmp_path) as emulator:
        emulator.client().close()
        assert left() == []
        emulator.end(signal.SIGTERM)
