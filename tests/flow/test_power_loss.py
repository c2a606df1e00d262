"""A machine that loses its power forgets what was not synced: nothing that an emulator had answered is among it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.processes import emulator_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a shim of fsync is preloaded, as Linux can"),
]
SHIM = Path(__file__).with_name("forgetful_disk.c")
WRITES = 40


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path)
    for name, value in disk.environ.items():
        monkeypatch.setenv(name, value)
    return disk


class Disk:
    """A folder on a disk that forgets what was not synced when its power goes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._memory = folder / "kept", folder / "memory"
        self._memory.mkdir()
        library = folder / "forgetful_disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)
        self.environ = {
            "LD_PRELOAD": str(library),
            "FORGETFUL_FOLDER": str(self.folder),
            "FORGETFUL_MEMORY": str(self._memory),
        }

    def lose_power(self) -> None:
        """Leave each file as it was when it was last synced, and none that never was."""
        for file in [each for each in self.folder.rglob("*") if each.is_file()]:
            synced = self._memory / str(file).replace("/", "%")
            if synced.exists():
                shutil.copyfile(synced, file)
            else:
                file.unlink()


def test_what_was_answered_is_there_after_a_loss_of_power(tmp_path: Path, disk: Disk) -> None:
    assert apps_after_a_loss_of_power(tmp_path, disk, "machine") == [f"app-{n:03}" for n in range(WRITES)]


def test_with_durability_for_crashes_of_the_process_only_the_last_writes_may_be_lost(
    tmp_path: Path, disk: Disk
) -> None:
    there = apps_after_a_loss_of_power(tmp_path, disk, "process")
    assert there == [f"app-{n:03}" for n in range(len(there))], "what is there has no gaps"
    assert len(there) < WRITES, "the disk has forgotten nothing: then the other test says nothing, either"


def apps_after_a_loss_of_power(folder: Path, disk: Disk, durability: str) -> list[str]:
    options = ["--state", str(disk.folder), "--durability", durability]
    with emulator_process(folder, options=options) as emulator:
        client = emulator.client()
        for number in range(WRITES):
            app = {"id": f"app-{number:03}"}
            answer = client.call("PostApps", user_app_id={"user_id": "me"}, apps=[app])
            assert answer.status.code == StatusCode.SUCCESS, answer
        client.close()
        emulator.end(signal.SIGKILL)
    disk.lose_power()
    with emulator_process(folder, options=options) as emulator:
        client = emulator.client()
        found = client.call("ListApps", user_app_id={"user_id": "me"}, per_page=1000).apps
        client.close()
    return sorted(app.id for app in found if app.id.startswith("app-"))
