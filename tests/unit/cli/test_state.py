"""The commands `state check` and `state repair` say what is damaged, what was saved and what is lost, by name."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App
from click.testing import CliRunner, Result

from clarifai_emulator.cli.state import state
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.state.state_schema import FILE, REPAIRED
from clarifai_emulator.store import Kind, Store


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Return a state with two apps and a log line."""
    store = Store()
    file = StateFile(tmp_path / "platform", store, TABLE)
    file.open()
    for name in ("kept", "spoilt"):
        store.put(Kind.APP, ("me", name), App(id=name))
    file.keep_lines([("runner", '{"user_id": "me", "time": 1e12}', "said")])
    file.close()
    return tmp_path / "platform"


def change(directory: Path, statement: str) -> None:
    with sqlite3.connect(directory / FILE) as database:
        database.execute(statement)
    database.close()


def spoil(directory: Path) -> None:
    change(directory, "UPDATE resources SET content = x'0a' WHERE key = 'me\x1fspoilt'")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(state, list(map(str, arguments)))


def test_a_state_without_damage_is_said_to_be_so_and_stays_as_it_is(directory: Path) -> None:
    before = (directory / FILE).read_bytes()
    checked, repaired = run("check", directory), run("repair", directory)
    assert (checked.exit_code, repaired.exit_code) == (0, 0)
    assert checked.output == f"{directory}: 2 resources, 1 log line. Nothing is damaged.\n"
    assert repaired.output == (
        f"{directory}: 2 resources, 1 log line. Nothing is damaged, and nothing was changed.\n"
    )
    assert (directory / FILE).read_bytes() == before


def test_what_is_damaged_is_listed_by_kind_and_id_with_the_command_that_repairs(directory: Path) -> None:
    spoil(directory)
    change(directory, "UPDATE log_lines SET message = 'other'")
    checked = run("check", directory)
    assert checked.exit_code == 1
    assert checked.output == (
        f"{directory} is damaged:\n"
        "  - app me/spoilt: it is not what was written (its checksum differs)\n"
        "  - log line 1: it is not what was written (its checksum differs)\n"
        f"Next: `clarifai-emulator state repair {directory}` keeps a copy of it and saves what can be read.\n"
    )
    found = json.loads(run("check", directory, "--json").output)
    assert found["found"] == {"resources": 2, "log_lines": 1, "notes": 0}
    assert found["damages"][0] == {
        "part": "resource",
        "what": "app me/spoilt: it is not what was written (its checksum differs)",
        "kind": "app",
        "id": ["me", "spoilt"],
    }


def test_a_repair_says_where_the_copy_is_what_it_saved_and_what_is_lost(directory: Path) -> None:
    spoil(directory)
    damaged = (directory / FILE).read_bytes()
    repaired = run("repair", directory)
    assert repaired.exit_code == 0
    kept_in = re.match(r"The damaged files are kept in (.+)\.\n", repaired.output)
    assert kept_in is not None
    assert (Path(kept_in[1]) / FILE).read_bytes() == damaged
    assert repaired.output[kept_in.end() :] == (
        "Saved 1 resource, 1 log line.\n"
        "Lost:\n"
        "  - app me/spoilt: it is not what was written (its checksum differs)\n"
        "Next: start the emulator, and create again what is lost; `up --topology FILE` creates what the files "
        "name.\n"
    )
    assert run("check", directory).exit_code == 0


def test_a_repair_as_json_has_the_same(directory: Path) -> None:
    spoil(directory)
    found = json.loads(run("repair", directory, "--json").output)
    assert found["saved"] == {"resources": 1, "log_lines": 1, "notes": 0}
    assert [each["id"] for each in found["lost"]] == [["me", "spoilt"]]
    assert Path(found["kept_in"]).parent == directory


async def test_a_state_with_a_lost_page_keeps_everything_else_and_names_what_was_on_it(tmp_path: Path) -> None:
    store, names = Store(), [f"app-{number}" for number in range(80)]
    file = StateFile(tmp_path, store, TABLE)
    file.open()
    for name in names:
        store.put(Kind.APP, ("me", name), App(id=name, description=f"all about {name}, " * 20))
    file.close()
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    place = data.index(b"all about app-40") // 4096 * 4096
    data[place : place + 4096] = bytes(4096)
    path.write_bytes(data)
    report = json.loads(run("repair", tmp_path, "--json").output)
    lost = {each["id"][1] for each in report["lost"]}
    assert "app-40" in lost
    assert 2 <= len(lost) <= 12
    assert report["saved"]["resources"] == len(names) - len(lost)
    assert {each["what"].partition(": ")[2] for each in report["lost"]} == {"its page cannot be read"}


def test_a_repair_that_was_broken_off_begins_again_from_its_copy(directory: Path) -> None:
    spoil(directory)
    (directory / "damaged-20260101-000000").mkdir()
    (directory / FILE).rename(directory / "damaged-20260101-000000" / FILE)
    (directory / REPAIRED).write_bytes(b"")
    assert "  - a repair was broken off before it was done\n" in run("check", directory).output
    assert "Saved 1 resource, 1 log line.\n" in run("repair", directory).output
    assert not (directory / REPAIRED).exists()


def test_a_full_disk_leaves_the_state_as_it_was(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(directory)
    before = {path: path.read_bytes() for path in directory.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clarifai_emulator.state.state_repair._write", full)
    refused = run("repair", directory)
    assert refused.exit_code == 1
    assert (
        f"Error: The state in {directory} could not be repaired: No space left on device. It is" in refused.output
    )
    assert {path: path.read_bytes() for path in directory.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("command", ["check", "repair"])
async def test_a_state_that_an_emulator_holds_is_neither_checked_nor_repaired(
    directory: Path, command: str
) -> None:
    file = StateFile(directory, Store(), TABLE)
    file.open()
    refused = run(command, directory)
    assert refused.exit_code == 1
    assert " ".join(refused.output.split()) == (
        f"Error: The state in {directory} is in use by an emulator. Next: Stop it first: `clarifai-emulator down`."
    )
    file.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "does not exist."),
        ("file", "is no directory."),
        ("empty", "There is no state of an emulator in"),
    ],
)
def test_a_directory_without_a_state_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    refused = run("check", tmp_path / name)
    assert refused.exit_code == 1
    assert said in refused.output
    assert "Next: Name the directory that `clarifai-emulator up --state` was given." in refused.output


async def test_a_start_with_a_damaged_state_names_both_commands(directory: Path) -> None:
    spoil(directory)
    with pytest.raises(ConfigError) as refused:
        StateFile(directory, Store(), TABLE).open()
    assert str(refused.value) == (
        f"The state in {directory} is damaged: app me/spoilt: it is not what was written (its checksum differs).\n"
        f"`clarifai-emulator state check {directory}` lists what is damaged; `clarifai-emulator state repair "
        f"{directory}` keeps a copy of it and saves what can be read."
    )
