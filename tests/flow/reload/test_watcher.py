"""The watcher, on a real file system: each save once, named, and nothing else."""

from __future__ import annotations

import errno
import queue
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers.api import BaseObserver

from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.reload import watcher as watching
from clarifai_emulator.reload.watcher import Watcher

Watch = Callable[..., "Seen"]


class Seen:
    """The saves a watcher tells of, and what it says."""

    def __init__(self, directory: Path, watched: Watched, **options: Any) -> None:
        self.saves: queue.Queue[Sequence[str]] = queue.Queue()
        self.said: list[str] = []
        self.watcher = Watcher(directory, watched, self.saves.put, self.said.append, **options)
        self.watcher.start()

    def next(self) -> Sequence[str]:
        return self.saves.get(timeout=5)

    def assert_nothing_more(self, seconds: float = 0.3) -> None:
        with pytest.raises(queue.Empty):
            self.saves.get(timeout=seconds)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "1").mkdir(parents=True)
    (root / "1" / "model.py").write_text("one")
    (root / "config.yaml").write_text("model: {}")
    (root / "helper.py").write_text("A = 1")
    return root


@pytest.fixture
def watch(directory: Path) -> Iterator[Watch]:
    started: list[Seen] = []

    def start(watched: Watched = Watched(), **options: Any) -> Seen:  # noqa: B008 - it is frozen
        started.append(Seen(directory, watched, **options))
        return started[-1]

    yield start
    for seen in started:
        seen.watcher.stop()


def write(path: Path, text: str) -> None:
    path.write_text(text)


def replace(path: Path, text: str) -> None:
    """Save as many editors do: write beside the file, and rename."""
    draft = path.with_name(f".{path.name}.swp")
    draft.write_text(text)
    draft.rename(path)


def backup(path: Path, text: str) -> None:
    """Save as vim does: move the old file aside, write a new one, delete the old one."""
    old = path.with_name(path.name + "~")
    path.rename(old)
    path.write_text(text)
    old.unlink()


def in_pieces(path: Path, text: str) -> None:
    with path.open("w") as file:
        for letter in text:
            file.write(letter)
            file.flush()


@pytest.mark.parametrize("save", [write, replace, backup, in_pieces])
@pytest.mark.parametrize("poll", [False, True])
def test_each_way_to_save_is_one_save(
    directory: Path, watch: Watch, save: Callable[[Path, str], None], poll: bool
) -> None:
    seen = watch(poll=poll)
    save(directory / "1" / "model.py", "two three")
    assert seen.next() == ["1/model.py"]
    seen.assert_nothing_more()
    assert seen.watcher.polls is poll
    assert seen.said == []


@pytest.mark.parametrize("poll", [False, True])
def test_a_checkout_of_hundreds_of_files_is_one_save(directory: Path, watch: Watch, poll: bool) -> None:
    seen = watch(poll=poll)
    for number in range(300):
        (directory / f"module{number}.py").write_text(str(number))
    assert len(seen.next()) == 300
    seen.assert_nothing_more()


def test_what_is_no_code_and_what_git_ignores_is_passed_over(directory: Path, watch: Watch) -> None:
    (directory / ".gitignore").write_text("*.log\nout/\n")
    (directory / "out").mkdir()
    seen = watch(Watched(exclude=("*.md", "notes/")))
    for name in ("run.log", "out/answer.txt", "readme.md", "1/model.pyc", ".hidden", "model.py~"):
        (directory / name).write_text("x")
    seen.assert_nothing_more()
    (directory / "helper.py").write_text("A = 2")
    assert seen.next() == ["helper.py"]


def test_only_what_is_included_and_what_makes_a_model_directory_counts(directory: Path, watch: Watch) -> None:
    seen = watch(Watched(include=("*.py",)))
    (directory / "data.json").write_text("{}")
    seen.assert_nothing_more()
    (directory / "config.yaml").write_text("model: {id: a}")
    assert seen.next() == ["config.yaml"]


def test_an_ignore_file_of_the_repository_above_holds(tmp_path: Path, directory: Path, watch: Watch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("model/*.json\n")
    seen = watch()
    (directory / "data.json").write_text("{}")
    seen.assert_nothing_more()


def test_a_folder_that_is_new_and_a_file_that_goes_are_told(directory: Path, watch: Watch) -> None:
    seen = watch()
    (directory / "helper.py").unlink()
    assert seen.next() == ["helper.py"]
    (directory / "package").mkdir()
    (directory / "package" / "inner.py").write_text("B = 1")
    assert seen.next() == ["package/inner.py"]
    assert seen.said == []


def test_without_events_it_polls_and_says_so(
    directory: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_TEST_SECONDS", 0.05)
    monkeypatch.setattr(BaseObserver, "schedule", lambda *_, **__: None)
    seen = watch()
    assert seen.watcher.polls
    assert seen.said == [
        f"{directory} is looked at every 0.2 s, because it sends no events (as network mounts and shared folders "
        "of virtual machines do)."
    ]
    (directory / "helper.py").write_text("A = 3")
    assert seen.next() == ["helper.py"]


def test_a_change_that_no_event_told_of_is_found_and_from_then_on_it_polls(
    directory: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LOOK_AFTER_SECONDS", 0.2)
    seen = watch()
    assert not seen.watcher.polls
    monkeypatch.setattr(seen.watcher, "_note", lambda path, change: None)
    (directory / "helper.py").write_text("A = 4")
    assert seen.next() == ["helper.py"]
    assert seen.said == [f"{directory} is looked at every 0.2 s, because it has changed without an event."]


def test_a_folder_that_cannot_be_written_to_is_polled(
    directory: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    seen = watch()
    assert seen.watcher.polls
    assert "because whether it sends events cannot be tried out: Read-only file system." in seen.said[0]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_change_of_branch_is_one_save(tmp_path: Path, directory: Path, watch: Watch) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(directory), *arguments],
            check=True,
            capture_output=True,
        )

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "other")
    for number in range(50):
        (directory / f"module{number}.py").write_text(str(number))
    (directory / "helper.py").write_text("A = 5")
    git("add", "-A")
    git("commit", "-qm", "two")
    seen = watch()
    git("checkout", "-q", "main")
    assert len(seen.next()) == 51
    seen.assert_nothing_more()
