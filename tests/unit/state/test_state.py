"""Damaged states: whatever happened to the files, no start shows other data than was written, and a repair keeps a
copy, saves what can be read, and names what is lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App, Model, User

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.state.state_check import check_state
from clarifai_emulator.state.state_file import StateFile
from clarifai_emulator.state.state_repair import RepairReport, repair_state
from clarifai_emulator.state.state_schema import FILE, REPAIRED
from clarifai_emulator.store import Key, Kind, Store

PAGE = 4096
APPS, LINES = 90, 300
SEEDS = 24
Contents = tuple[dict[tuple[Kind, Key], Any], list[str], str | None]
Damaging = Callable[[Path], object]


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a state that was closed, and the same one as a kill leaves it, with a write-ahead log."""
    folder = tmp_path_factory.mktemp("states")
    import asyncio

    async def write() -> None:
        store = Store()
        file = StateFile(folder / "open", store, TABLE)
        file.open()
        store.put(Kind.USER, ("me",), User(id="me"))
        for number in range(APPS):
            name = f"app-{number}"
            store.put(Kind.APP, ("me", name), App(id=name, user_id="me", description=f"{number} " * 60))
            store.put(Kind.MODEL, ("me", name, "m"), Model(id="m", user_id="me", app_id=name))
        file.commit()
        file.keep_lines(
            [("runner", f'{{"user_id": "me", "time": 1e12, "n": {n}}}', f"line {n}") for n in range(LINES)]
        )
        file.note("topology", '{"apps": []}')
        shutil.copytree(folder / "open", folder / "killed")
        file.close()
        (folder / "open").rename(folder / "closed")

    asyncio.run(write())
    return {"closed": folder / "closed", "killed": folder / "killed"}


@pytest.fixture(params=["closed", "killed"])
def state(request: pytest.FixtureRequest, states: dict[str, Path], tmp_path: Path) -> Path:
    """Return a copy of a state that may be damaged."""
    return Path(shutil.copytree(states[request.param], tmp_path / "state"))


def contents(directory: Path) -> Contents:
    """Open a state as an emulator does, and return all that it holds. Raises ``ConfigError``."""
    store = Store()
    file = StateFile(directory, store, TABLE)
    file.open()
    try:
        lines = [message for _, _, message in file.lines()]
        items = {(kind, key): store.get(kind, key) for kind in store.kinds for key in store.keys(kind)}
        return items, lines, file.noted("topology")
    finally:
        file.close()


@pytest.fixture(scope="module")
def written(states: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return contents(Path(shutil.copytree(states["closed"], tmp_path_factory.mktemp("whole") / "state")))


def change(path: Path, place: int, *, by: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[place : place + len(by)] = by
    path.write_bytes(data)


def flip(path: Path, place: int, bit: int = 0) -> None:
    change(path, place, by=bytes([path.read_bytes()[place] ^ (1 << bit)]))


def log_of(directory: Path) -> Path:
    """Return the write-ahead log of a state, or its file where it has none."""
    log = directory / f"{FILE}-wal"
    return log if log.exists() else directory / FILE


def with_sql(*statements: str) -> Damaging:
    def damage(directory: Path) -> None:
        with sqlite3.connect(directory / FILE) as database:
            for statement in statements:
                database.execute(statement)
        database.close()

    return damage


def truncated(share: float) -> Damaging:
    def damage(directory: Path) -> None:
        path = log_of(directory)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def zeroed_page(number: int) -> Damaging:
    def damage(directory: Path) -> None:
        path = log_of(directory)
        is_log = path.name.endswith("-wal")
        change(path, 32 + number * (PAGE + 24) if is_log else number * PAGE, by=bytes(PAGE))

    return damage


def directory_in_its_place(directory: Path) -> None:
    for each in directory.glob(f"{FILE}*"):
        each.unlink()
    (directory / FILE).mkdir()


def emptied_beside_uploads(directory: Path) -> None:
    for each in directory.glob(f"{FILE}*"):
        each.unlink()
    (directory / FILE).touch()
    (directory / "uploaded-versions" / ("a" * 32)).mkdir(parents=True)


def broken_off_repair(directory: Path) -> None:
    flip(log_of(directory), 5 * PAGE)
    (directory / REPAIRED).write_bytes(b"whatever")


def without_log(directory: Path) -> None:
    (directory / f"{FILE}-wal").unlink(missing_ok=True)


CUT = (truncated(0.001), truncated(0.5), truncated(0.999))
DAMAGES: dict[str, Damaging] = {
    "cut off in the first page": CUT[0],
    "cut in half": CUT[1],
    "without its last bytes": CUT[2],
    "the first page zeroed": zeroed_page(0),
    "the second page zeroed": zeroed_page(1),
    "a page in the middle zeroed": zeroed_page(12),
    "text in place of it": lambda directory: change(log_of(directory), 0, by=b"no longer a database" * 300),
    "no table of resources": with_sql("DROP TABLE resources"),
    "no table of log lines": with_sql("DROP TABLE log_lines"),
    "no table of notes": with_sql("DROP TABLE notes"),
    "no table at all, and no mark": with_sql("PRAGMA application_id = 7"),
    "a format that no release has": with_sql("PRAGMA user_version = 99999"),
    "content that is no message": with_sql("UPDATE resources SET content = x'ff' WHERE key = 'me\x1fapp-3'"),
    "content of another type": with_sql("UPDATE resources SET content = 7 WHERE key = 'me\x1fapp-3'"),
    "a source that is no JSON": with_sql("UPDATE log_lines SET source = '{no' WHERE place = 5"),
    "a log line of bytes": with_sql("UPDATE log_lines SET message = x'ff' WHERE place = 5"),
    "a note that was changed": with_sql("UPDATE notes SET content = 'other'"),
    "a directory in its place": directory_in_its_place,
    "emptied beside uploads": emptied_beside_uploads,
    "a repair that was broken off": broken_off_repair,
    "bytes before it": lambda directory: log_of(directory).write_bytes(b"x" * 7 + log_of(directory).read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_each_kind_of_damage_is_told_and_repaired(state: Path, written: Contents, damage: Damaging) -> None:
    damage(state)
    # A log that ends with an earlier change is what a crash leaves: nothing tells the two apart.
    may_be_earlier = damage in CUT and log_of(state).name.endswith("-wal")
    _require_told_and_repaired(state, written, may_be_earlier=may_be_earlier)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_bytes_that_have_changed_anywhere_are_told_and_repaired(state: Path, written: Contents, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(draw.choice((1, 1, 1, 5, 50))):
        path = draw.choice(sorted(state.glob(f"{FILE}*")))
        if path.stat().st_size and not path.name.endswith("-shm"):
            flip(path, draw.randrange(path.stat().st_size), draw.randrange(8))
    _require_told_and_repaired(state, written)


@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_pages_that_are_lost_anywhere_are_told_and_repaired(state: Path, written: Contents, seed: int) -> None:
    draw = random.Random(seed)
    path = log_of(state)
    for _ in range(draw.choice((1, 2, 10))):
        start = draw.randrange(max(path.stat().st_size // 512, 1)) * 512
        change(path, start, by=draw.choice((bytes(512), draw.randbytes(PAGE), bytes(PAGE))))
    _require_told_and_repaired(state, written)


def test_without_its_write_ahead_log_a_state_is_an_earlier_one_or_is_refused(
    states: dict[str, Path], written: Contents, tmp_path: Path
) -> None:
    killed = Path(shutil.copytree(states["killed"], tmp_path / "state"))
    without_log(killed)
    try:
        items, _, _ = contents(killed)
    except ConfigError:
        return
    assert items.items() <= written[0].items()


def _require_told_and_repaired(state: Path, written: Contents, *, may_be_earlier: bool = False) -> None:
    before = {path.name: path.read_bytes() for path in state.glob(f"{FILE}*") if path.is_file()}
    refused = _refused(check_state, state)
    report = None if refused else check_state(state, TABLE)
    after = {path.name: path.read_bytes() for path in state.glob(f"{FILE}*") if path.is_file()}
    assert after == before  # a check changes nothing
    trial = Path(shutil.copytree(state, state.with_name("trial")))
    try:
        found = contents(trial)
        if may_be_earlier:
            assert found[0].items() <= written[0].items()
            assert found[1] == written[1][: len(found[1])]
        else:
            assert found == written
        is_refused = False
    except ConfigError:
        is_refused = True
    if report is not None:
        assert bool(report.damages) == is_refused, (report, is_refused)
    if refused:
        assert "format" in refused or "no state of an emulator" in refused
        return
    repaired = repair_state(state, TABLE)
    _require_whole(state, repaired, written, before)


def _refused(check: Callable[..., object], state: Path) -> str:
    try:
        check(state, TABLE)
    except ConfigError as error:
        return error.what
    return ""


def _require_whole(state: Path, repaired: RepairReport, written: Contents, before: dict[str, bytes]) -> None:
    items, lines, note = contents(state)
    assert items.items() <= written[0].items()  # nothing but what was written
    assert set(lines) <= set(written[1])
    assert note in (None, written[2])
    if repaired.kept_in is not None and not (repaired.kept_in / FILE).is_dir():
        for name, data in before.items():
            if name in (FILE, f"{FILE}-wal"):
                assert (repaired.kept_in / name).read_bytes() == data
    assert check_state(state, TABLE).damages == ()
    assert repair_state(state, TABLE).kept_in is None
