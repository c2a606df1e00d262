"""Files that a model writes into its own directory are no edits of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from clarifai_emulator.models.code import Code, CodeReader
from clarifai_emulator.models.version_source import Watched
from clarifai_emulator.models.written import WrittenFiles, are_the_models_own, changed_while_loading


class Folder:
    """Holds a model directory, and what was found in it. ``at_work``: whether the model is, at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Sequence[str]] = []
        self.written = WrittenFiles(lambda directory, files: self.told.append(files))
        self.reader = self.written.reader(path, Watched())
        self.at_work = True

    def read(self) -> Code:
        return self.reader.read()

    def save(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def found_after(self, *files: tuple[str, str]) -> Sequence[str]:
        before = self.read()
        for name, text in files:
            self.save(name, text)
        return self.written.find(self.path, before, self.read(), lambda time: self.at_work)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.save("1/model.py", "A = 1")
    folder.save("labels.txt", "a b")
    return folder


def test_a_file_that_appears_while_the_model_works_is_its_own(folder: Folder) -> None:
    digest = folder.read().digest
    assert folder.found_after(("1/history.json", "{}")) == ["1/history.json"]
    assert folder.told == [["1/history.json"]]
    folder.save("1/history.json", '{"again": 1}')
    assert folder.read().digest == digest


def test_one_that_was_there_is_its_own_once_it_changed_so_a_second_time(folder: Folder) -> None:
    assert folder.found_after(("labels.txt", "a b c")) == []
    assert folder.found_after(("labels.txt", "a b c d")) == ["labels.txt"]


def test_the_same_change_that_is_looked_at_twice_is_one(folder: Folder) -> None:
    before = folder.read()
    folder.save("labels.txt", "a b c")
    after = folder.read()
    for _ in range(3):
        assert folder.written.find(folder.path, before, after, lambda time: True) == []


def test_an_edit_while_the_model_rests_counts(folder: Folder) -> None:
    folder.at_work = False
    assert folder.found_after(("labels.txt", "1"), ("new.txt", "2")) == []
    assert folder.found_after(("labels.txt", "3"), ("new.txt", "4")) == []
    assert folder.told == []


@pytest.mark.parametrize("name", ["1/model.py", "1/helper.py", "config.yaml", "requirements.txt", "Dockerfile"])
def test_code_and_config_always_count(folder: Folder, name: str) -> None:
    assert [folder.found_after((name, str(number))) for number in range(3)] == [[], [], []]


def test_other_directories_and_other_readers_are_not_concerned(folder: Folder) -> None:
    folder.found_after(("1/history.json", "{}"))
    assert "1/history.json" in CodeReader(folder.path, Watched()).read().files
    assert not folder.written.of(Path("/elsewhere"))


def test_code_without_files_is_what_would_be_read_without_them(folder: Folder) -> None:
    without = folder.read()
    folder.save("new.txt", "1")
    assert folder.read().without({"new.txt"}).digest == without.digest
    assert without.without({"new.txt"}) is without


def test_it_is_said_which_files_and_how_to_leave_them_out() -> None:
    assert are_the_models_own(["a.bin"]).startswith("a.bin is written by the model itself, so it is no edit")
    assert "a, b, c and 1 more are written by the model" in are_the_models_own(["a", "b", "c", "d"])
    for text in (are_the_models_own(["a"]), changed_while_loading(["a"])):
        assert text.endswith("with --exclude or .gitignore")
