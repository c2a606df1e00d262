"""The files of a model directory as the dev loop compares them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clarifai_emulator.models import code as reading
from clarifai_emulator.models.code import CodeReader
from clarifai_emulator.models.directory import content_hash
from clarifai_emulator.models.version_source import Watched


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.py").write_text("one")
    (tmp_path / "config.yaml").write_text("model: {}")
    (tmp_path / "helper.py").write_text("A = 1")
    return tmp_path


def test_the_digest_is_the_content_hash_of_the_directory(directory: Path) -> None:
    assert CodeReader(directory, Watched()).read().digest == content_hash(directory)


def test_pipes_and_devices_are_no_part_of_it_and_are_never_read(directory: Path) -> None:
    before = CodeReader(directory, Watched()).read()
    os.mkfifo(directory / "1" / "pipe.py")
    (directory / "1" / "zero").symlink_to("/dev/zero")  # would be read for ever
    assert CodeReader(directory, Watched()).read().digest == before.digest == content_hash(directory)


def test_a_change_is_found_by_content_and_named(directory: Path) -> None:
    reader = CodeReader(directory, Watched())
    before = reader.read()
    os.utime(directory / "helper.py", (1, 1))
    assert reader.read().digest == before.digest
    (directory / "helper.py").write_text("A = 2")
    (directory / "new.py").write_text("")
    (directory / "config.yaml").unlink()
    assert before.changed(reader.read()) == ["config.yaml", "helper.py", "new.py"]


def test_a_file_is_read_again_only_when_it_may_have_changed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_SETTLED_NS", -10_000_000_000)
    reader = CodeReader(directory, Watched())
    first = reader.read()
    opened: list[Path] = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or whole(path))
    assert reader.read() == first or reader.read().digest == first.digest
    assert opened == []
    (directory / "helper.py").write_text("A = 2")
    assert reader.read().digest != first.digest
    assert opened == [directory / "helper.py"]


def test_texts_are_kept_of_what_a_plan_looks_into(directory: Path) -> None:
    (directory / "weights.json").write_text("{}")
    code = CodeReader(directory, Watched()).read()
    assert (code.text("1/model.py"), code.text("config.yaml"), code.text("helper.py")) == (
        "one",
        "model: {}",
        "A = 1",
    )
    assert code.text("weights.json") == ""
    assert code.model_file == "1/model.py"
    (directory / "model.py").write_text("two")
    assert CodeReader(directory, Watched()).read().model_file == "1/model.py", "it is not in the image"
    (directory / "Dockerfile").write_text("FROM python\nCOPY . /home/nonroot/main\n")
    assert CodeReader(directory, Watched()).read().model_file == "model.py"


def test_a_large_file_counts_by_size_and_time(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "HASH_CONTENT_BELOW", 4)
    reader = CodeReader(directory, Watched())
    before = reader.read()
    os.utime(directory / "helper.py", (1, 1))
    assert before.changed(reader.read()) == ["helper.py"]


@pytest.mark.parametrize("above", [False, True])
def test_an_ignore_file_holds_for_what_is_below_it(directory: Path, above: bool) -> None:
    (directory / "out").mkdir()
    (directory / "out" / "run.json").write_text("{}")
    (directory / "notes.txt").write_text("x")
    root = directory.parent if above else directory
    lines = f"{directory.name}/out/\n*.txt\n1/\n" if above else "out/\n*.txt\n1/\n"
    (root / ".gitignore").write_text(lines)
    (root / ".git").mkdir()
    try:
        files = CodeReader(directory, Watched()).read().files
    finally:
        (root / ".gitignore").unlink()
        (root / ".git").rmdir()
    assert sorted(files) == ["1/model.py", "config.yaml", "helper.py"], "the model itself counts all the same"


def test_an_ignore_file_above_a_directory_in_no_repository_does_not_hold(directory: Path) -> None:
    (directory.parent / ".gitignore").write_text("*.py\n")
    try:
        assert "helper.py" in CodeReader(directory, Watched()).read().files
    finally:
        (directory.parent / ".gitignore").unlink()
