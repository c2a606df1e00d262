"""The state file: what a commit wrote is there again, in its order; what is no state is refused with the reason."""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import stat
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App, ComputeCluster, Nodepool, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError, ConfigError
from clarifai_emulator.logbook import RUNNER, LogBook
from clarifai_emulator.models.version_source import ModelSource, WantedSecret, Watched
from clarifai_emulator.resources.kind_table import TABLE
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.state.asking import asking
from clarifai_emulator.state.kept_logs import KeptLogs
from clarifai_emulator.state.state_file import LogLimits, StateFile
from clarifai_emulator.state.state_schema import FILE
from clarifai_emulator.state.transfer import export_state, import_state
from clarifai_emulator.store import Kind, Store

SOURCE = ModelSource(Path("/models/hello"), Path("/venv/bin/python"), "hash", "an environment")
CONTAINED = ModelSource(
    Path("/models/hello"),
    Path(),
    "hash",
    "the image hello:1",
    backend="docker",
    image="hello:1",
    secrets=(WantedSecret("token", "HF_TOKEN", "its default"),),
    watched=Watched(("*.py",), ("old/",)),
    mounted=True,
)


def copied(directory: Path) -> Path:
    copy = directory / "copy"
    copy.mkdir()
    for path in directory.glob(f"{FILE}*"):
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def opened(directory: Path) -> tuple[Store, StateFile]:
    store = Store()
    file = StateFile(directory, store, TABLE)
    file.open()
    return store, file


async def test_what_was_committed_is_there_again_in_its_order(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "state")
    for name in ("one", "two", "three"):
        store.put(Kind.APP, ("me", name), App(id=name))
    store.put(Kind.APP, ("me", "one"), App(id="one", description="changed; its place stays"))
    store.put(Kind.SOURCE, ("me", "app", "hello", "v"), SOURCE)
    store.put(Kind.SOURCE, ("me", "app", "hello", "w"), CONTAINED)
    store.put(Kind.APP, ("me", "gone"), App(id="gone"))
    store.delete(Kind.APP, ("me", "gone"))
    file.commit()
    file.close()

    store, file = opened(tmp_path / "state")
    assert [app.id for app in store.list(Kind.APP)] == ["three", "two", "one"]
    assert store.get(Kind.APP, ("me", "one")) == App(id="one", description="changed; its place stays")
    assert store.get(Kind.SOURCE, ("me", "app", "hello", "v")) == SOURCE
    assert store.get(Kind.SOURCE, ("me", "app", "hello", "w")) == CONTAINED
    file.close()


async def test_what_is_listed_by_its_last_change_is_so_again(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "state")
    for second, name in enumerate(("one", "two", "three")):
        store.put(Kind.APP, ("me", name), App(id=name, modified_at={"seconds": second}))  # pyright: ignore[reportArgumentType]
    store.put(Kind.APP, ("me", "one"), App(id="one", modified_at={"seconds": 9}), to_front=True)  # pyright: ignore[reportArgumentType]
    file.close()
    again, second_file = opened(tmp_path / "state")
    assert [each.id for each in again.list(Kind.APP)] == ["one", "three", "two"]
    second_file.close()


async def test_a_commit_is_whole_or_nothing_and_what_was_not_committed_is_not_there(tmp_path: Path) -> None:
    store, file = opened(tmp_path)
    store.put(Kind.APP, ("me", "kept"), App(id="kept"))
    file.commit()
    store.put(Kind.APP, ("me", "lost"), App(id="lost"))
    # As a kill leaves it: the files as they are at this moment.
    copy = copied(tmp_path)
    found, other = opened(copy)
    assert [app.id for app in found.list(Kind.APP)] == ["kept"]
    other.close()
    file.close()


async def test_what_changes_without_a_request_is_committed_in_the_next_turn(tmp_path: Path) -> None:
    store, file = opened(tmp_path)
    store.put(Kind.APP, ("me", "soon"), App(id="soon"))
    await asyncio.sleep(0)
    assert file._changed == {}  # pyright: ignore[reportPrivateUsage]
    file.close()
    found, other = opened(tmp_path)
    assert found.count(Kind.APP) == 1
    other.close()


def fill_disk(file: StateFile) -> None:
    """Let the file grow no further, as on a full disk."""
    database = file._database  # pyright: ignore[reportPrivateUsage]
    assert database is not None
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")


def make_room(file: StateFile) -> None:
    database = file._database  # pyright: ignore[reportPrivateUsage]
    assert database is not None
    database.execute("PRAGMA max_page_count = 1000000")


LARGE = "x" * 100_000  # needs pages of its own


async def test_a_request_that_cannot_be_written_is_refused_and_undone_and_others_go_on(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "state")
    for name in ("kept", "changed", "gone"):
        store.put(Kind.APP, ("me", name), App(id=name))
    file.commit()
    fill_disk(file)
    store.put(Kind.APP, ("me", "changed"), App(id="changed", description=LARGE))
    store.put(Kind.APP, ("me", "new"), App(id="new", description=LARGE))
    store.delete(Kind.APP, ("me", "gone"))
    with pytest.raises(CallerError) as refused:
        file.commit()
    assert refused.value.code == StatusCode.INTERNAL_DATABASE_ISSUE
    assert refused.value.message == (
        f"What this request changes could not be written to {tmp_path / 'state'}: database or disk is full. "
        "Nothing was changed. Make room on that disk, and send it again."
    )
    assert sorted(app.id for app in store.list(Kind.APP)) == ["changed", "gone", "kept"]
    assert store.get(Kind.APP, ("me", "changed")) == App(id="changed")
    file.commit()  # of a request that only reads
    make_room(file)
    store.put(Kind.APP, ("me", "later"), App(id="later", description=LARGE))
    file.commit()
    file.close()
    found, other = opened(tmp_path / "state")
    assert sorted(app.id for app in found.list(Kind.APP)) == ["changed", "gone", "kept", "later"]
    other.close()


async def test_a_request_whose_change_meets_a_damaged_page_is_refused_with_the_way_to_repair_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, file = opened(tmp_path / "state")

    def damaged(*_: object) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(file, "_write", damaged)
    monkeypatch.setattr(file, "_read", damaged)
    store.put(Kind.APP, ("me", "new"), App(id="new"))
    with pytest.raises(CallerError) as refused:
        file.commit()
    assert refused.value.message == (
        f"What this request changes could not be written to {tmp_path / 'state'}: database disk image is "
        "malformed. Nothing was changed. The files are damaged: stop the emulator, and run "
        f"`clarifai-emulator state repair {tmp_path / 'state'}`."
    )
    monkeypatch.undo()
    file.close()


async def test_a_request_that_waits_before_its_answer_is_refused_too_and_others_are_not(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "state")
    store.put(Kind.APP, ("me", "built"), App(id="built"))
    file.commit()
    fill_disk(file)

    async def upload() -> None:
        asking.set("upload")
        store.put(Kind.APP, ("me", "uploaded"), App(id="uploaded", description=LARGE))
        store.put(Kind.APP, ("me", "built"), App(id="built", description="of the upload, and of the build"))
        await asyncio.sleep(0.01)  # the next turns of the event loop could not write it
        file.commit()

    async def look() -> None:
        asking.set("look")
        await asyncio.sleep(0.005)
        file.commit()

    refused, looked = await asyncio.gather(
        asyncio.create_task(upload()), asyncio.create_task(look()), return_exceptions=True
    )
    assert isinstance(refused, CallerError)
    assert refused.code == StatusCode.INTERNAL_DATABASE_ISSUE
    assert looked is None
    assert [(app.id, app.description) for app in store.list(Kind.APP)] == [("built", "")]
    make_room(file)
    file.close()
    found, other = opened(tmp_path / "state")
    assert [(app.id, app.description) for app in found.list(Kind.APP)] == [("built", "")]
    other.close()


async def test_what_another_change_waits_to_write_is_not_undone_with_a_request(tmp_path: Path) -> None:
    store, file = opened(tmp_path / "state")
    fill_disk(file)
    store.put(Kind.APP, ("me", "built"), App(id="built", description=LARGE))  # without a request
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.set("call")
    store.put(Kind.APP, ("me", "built"), App(id="built", description=LARGE + "more"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    file.commit()
    assert store.get(Kind.APP, ("me", "built")) is not None
    make_room(file)
    file.close()


async def test_what_changed_without_a_request_is_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("clarifai_emulator.state.state_file._RETRY_SECONDS", 0)
    store, file = opened(tmp_path / "state")
    fill_disk(file)
    store.put(Kind.APP, ("me", "built"), App(id="built", description=LARGE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    file.commit()  # of a request that only reads
    assert store.get(Kind.APP, ("me", "built")) is not None
    make_room(file)
    for _ in range(5):
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == [
        f"What has changed could not be written to {tmp_path / 'state'}: database or disk is full. It is tried "
        "again until it is written; make room on that disk.",
        f"What has changed is written to {tmp_path / 'state'} again.",
    ]
    file.close()
    found, other = opened(tmp_path / "state")
    assert found.count(Kind.APP) == 1
    other.close()


async def test_a_commit_is_synced_unless_that_is_not_wanted(tmp_path: Path) -> None:
    for is_synced, level in ((True, 2), (False, 1)):
        file = StateFile(tmp_path / str(is_synced), Store(), TABLE, is_synced=is_synced)
        file.open()
        database = file._database  # pyright: ignore[reportPrivateUsage]
        assert database is not None
        assert database.execute("PRAGMA synchronous").fetchone() == (level,)
        file.close()


async def test_runners_are_kept_only_where_their_user_starts_them_and_shared_compute_is_not(tmp_path: Path) -> None:
    store, file = opened(tmp_path)
    store.put(Kind.COMPUTE_CLUSTER, ("me", "own"), ComputeCluster(id="own", cluster_type="local-dev"))
    store.put(Kind.COMPUTE_CLUSTER, ("me", "local"), ComputeCluster(id="local", cluster_type="dedicated"))
    store.put(Kind.COMPUTE_CLUSTER, ("clarifai", "shared"), ComputeCluster(id="shared"))
    store.put(Kind.NODEPOOL, ("clarifai", "shared", "n"), Nodepool(id="n"))
    store.put(Kind.RUNNER, ("me", "own", "n", "r"), Runner(id="r"))
    store.put(Kind.RUNNER, ("me", "local", "n", "r"), Runner(id="r"))
    file.commit()
    file.close()
    found, other = opened(tmp_path)
    assert list(found.keys(Kind.RUNNER)) == [("me", "own", "n", "r")]
    assert set(found.keys(Kind.COMPUTE_CLUSTER)) == {("me", "own"), ("me", "local")}
    assert found.count(Kind.NODEPOOL) == 0
    other.close()


async def test_after_a_reset_only_what_there_is_now_is_kept(tmp_path: Path) -> None:
    store, file = opened(tmp_path)
    store.put(Kind.APP, ("me", "old"), App(id="old"))
    file.commit()
    store.reset()
    store.put(Kind.APP, ("me", "new"), App(id="new"))
    file.replace()
    file.close()
    found, other = opened(tmp_path)
    assert [app.id for app in found.list(Kind.APP)] == ["new"]
    other.close()


async def test_the_file_is_readable_for_its_user_only(tmp_path: Path) -> None:
    _, file = opened(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600
    file.close()
    file.close()  # may be called twice


async def test_log_lines_are_there_again_and_the_oldest_of_too_many_are_not(tmp_path: Path) -> None:
    limits = LogLimits(lines=2, seconds=math.inf)
    file = StateFile(tmp_path, Store(), TABLE, log_limits=limits)
    file.open()
    book = LogBook()
    logs = KeptLogs(file, book)
    logs.start()
    for number in range(3):
        book.append(RUNNER, f"line {number}", user_id="me", runner_id="r", replica_id="x", origin="model", time=7.5)
    logs.write()
    file.close()
    file = StateFile(tmp_path, Store(), TABLE, log_limits=limits)
    file.open()
    book = LogBook()
    logs = KeptLogs(file, book)
    logs.start()
    entries = list(book.entries(RUNNER, runner_id="r"))
    assert [entry.message for entry in entries] == ["line 1", "line 2"]
    assert entries[0].meta.user_app_id.user_id == "me"
    lines = list(book.lines(RUNNER))
    assert {(line.time, line.replica_id, line.origin) for line in lines} == {(7.5, "x", "model")}
    logs.write()
    file.close()


async def test_log_lines_are_bounded_by_number_size_and_age_while_they_come(tmp_path: Path) -> None:
    def kept(limits: LogLimits, messages: list[str], *, time: float = 1e12) -> list[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        file = StateFile(folder, Store(), TABLE, log_limits=limits)
        file.open()
        for start in range(0, len(messages), 100):
            lines = [("runner", json.dumps({"time": time}), each) for each in messages[start : start + 100]]
            file.keep_lines(lines)
        database = file._database  # pyright: ignore[reportPrivateUsage]
        assert database is not None
        found = [each for (each,) in database.execute("SELECT message FROM log_lines ORDER BY place")]
        file.close()
        return found

    many = [f"{number:04d}" for number in range(2000)]
    assert kept(LogLimits(lines=10), many) == many[-10:]
    source = len(json.dumps({"time": 1e12}))
    assert kept(LogLimits(bytes=5 * (4 + source)), many) == many[-5:]
    assert kept(LogLimits(), many, time=7.5) == []
    assert kept(LogLimits(), many) == many


# What a newer version has written


def with_planets(directory: Path) -> Path:
    """Write a state as a version does that has planets; give its directory."""
    table = {**TABLE, Kind("planet"): Record(kind=Kind("planet"), message=App)}
    store = Store()
    store.add_kind(Kind("planet"))
    file = StateFile(directory, store, table)
    file.open()
    for name in ("venus", "mars"):
        store.put(Kind("planet"), ("me", name), App(id=name))
    store.put(Kind.APP, ("me", "a"), App(id="a"))
    file.close()
    return directory


def planets(directory: Path) -> list[tuple[str, bytes]]:
    with sqlite3.connect(directory / FILE) as file:
        found = file.execute("SELECT key, content FROM resources WHERE kind = 'planet' ORDER BY place").fetchall()
    file.close()
    return found


async def test_a_kind_that_this_version_does_not_know_is_kept_as_it_is_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = planets(with_planets(tmp_path))
    store, file = opened(tmp_path)
    assert caplog.messages == [
        f"The state in {tmp_path} holds resources of kinds that this version does not know: planet (2). They "
        "are kept as they are, and not served; the version that wrote them serves them."
    ]
    assert [app.id for app in store.list(Kind.APP)] == ["a"]
    store.put(Kind.APP, ("me", "b"), App(id="b"))
    file.replace()  # all is written again, these too
    file.close()
    assert (
        planets(tmp_path)
        == written
        == [(f"me\x1f{name}", App(id=name).SerializeToString()) for name in ("venus", "mars")]
    )


async def test_a_kind_that_this_version_does_not_know_is_exported_with_the_others(
    tmp_path: Path,
) -> None:
    store, file = opened(with_planets(tmp_path / "first"))
    document = json.loads(json.dumps(export_state(store, TABLE)))
    file.close()
    found, file = opened(tmp_path / "second")
    import_state(found, TABLE, document)
    file.close()
    assert planets(tmp_path / "second") == planets(tmp_path / "first")
    planet = Record(kind=Kind("planet"), message=App)
    later = Store()
    import_state(later, {**TABLE, planet.kind: planet}, document)
    assert later.get(planet.kind, ("me", "mars")) == App(id="mars")


def test_a_kind_that_no_row_describes_is_refused_where_it_is_put() -> None:
    with pytest.raises(KeyError, match="no row of the table of resources describes the kind 'planet'"):
        Store().put(Kind("planet"), ("me", "mars"), App())


# What cannot be used


def refusal(directory: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        StateFile(directory, Store(), TABLE).open()
    return str(raised.value)


async def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    _, file = opened(tmp_path)
    assert refusal(tmp_path) == (
        f"The state in {tmp_path} is in use by another emulator.\n"
        "Stop that one (`clarifai-emulator status` shows it), or name another directory with --state."
    )
    file.close()


async def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all, but long enough to be looked at" * 10)
    assert refusal(tmp_path) == (
        f"The state in {tmp_path} is damaged: {FILE} is no database, or its beginning is damaged.\n"
        f"`clarifai-emulator state check {tmp_path}` lists what is damaged; `clarifai-emulator state repair "
        f"{tmp_path}` keeps a copy of it and saves what can be read."
    )


async def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("CREATE TABLE theirs (id)")
    other.close()
    assert f"{tmp_path / FILE} is no state of an emulator." in refusal(tmp_path)


@pytest.mark.parametrize(
    ("number", "age", "hint"),
    [
        (99, "a newer", "Start that release, or name another directory with --state."),
        (0, "an older", "Start that release, `clarifai-emulator export` there, and `import` here."),
    ],
)
async def test_a_format_of_another_release_is_refused_with_the_way_out_and_left_as_it_is(
    tmp_path: Path, number: int, age: str, hint: str
) -> None:
    _, file = opened(tmp_path)
    file.close()
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute(f"PRAGMA user_version = {number}")
    other.close()
    before = (tmp_path / FILE).read_bytes()
    assert refusal(tmp_path) == (
        f"{tmp_path / FILE} has format {number}, of {age} release; this one reads format 2.\n{hint}"
    )
    assert (tmp_path / FILE).read_bytes() == before


async def test_a_resource_that_cannot_be_read_is_refused_and_not_dropped(tmp_path: Path) -> None:
    store, file = opened(tmp_path)
    store.put(Kind.APP, ("me", "a"), App(id="a"))
    file.close()
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("UPDATE resources SET content = x'ff'")
    other.close()
    assert (
        f"The state in {tmp_path} is damaged: app me/a: it is not what was written (its checksum differs).\n"
        in (refusal(tmp_path))
    )


async def test_a_file_of_the_format_before_is_read_and_gets_checksums(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as before:
        before.executescript(
            """
            CREATE TABLE resources (place INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,
                content BLOB NOT NULL, UNIQUE (kind, key));
            CREATE TABLE log_lines (place INTEGER PRIMARY KEY AUTOINCREMENT, log_type TEXT NOT NULL,
                source TEXT NOT NULL, message TEXT NOT NULL);
            PRAGMA application_id = 1131176306;
            PRAGMA user_version = 1;
            """
        )
        content = App(id="a", description="ä").SerializeToString()
        before.execute("INSERT INTO resources (kind, key, content) VALUES ('app', 'me\x1fa', ?)", (content,))
        before.execute(
            "INSERT INTO log_lines (log_type, source, message) VALUES ('runner', ?, 'said')",
            (json.dumps({"time": 1e12, "user_id": "me"}),),
        )
    before.close()
    for _ in range(2):
        store, file = opened(tmp_path)
        assert [app.description for app in store.list(Kind.APP)] == ["ä"]
        assert [message for _, _, message in file.lines()] == ["said"]
        file.close()


async def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be used: Not a directory." in refusal(tmp_path / "file" / "state")
