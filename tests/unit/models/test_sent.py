"""A model directory on its way to an emulator elsewhere: packed the same way each time, unpacked without trust."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.packing import packed
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.sent import SentDirectories


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "my model"
    (folder / "1").mkdir(parents=True)
    (folder / "config.yaml").write_text("model: {id: m}")
    (folder / "1" / "model.py").write_text("pass")
    return folder


def archive_of(directory: Path) -> bytes:
    with packed(directory) as archive:
        archive.seek(0)
        return archive.read()


async def pieces(data: bytes, size: int = 700) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_the_same_files_are_the_same_bytes_whenever_they_were_written(directory: Path) -> None:
    before = archive_of(directory)
    os.utime(directory / "config.yaml", (1, 1))
    assert archive_of(directory) == before
    (directory / "config.yaml").write_text("model: {id: n}")
    assert archive_of(directory) != before


def test_what_is_no_part_of_a_model_is_left_out_and_what_builds_its_image_is_not(directory: Path) -> None:
    for name in (".git/config", "venv/bin/python", "1/__pycache__/model.pyc"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text("x")
    (directory / "Dockerfile").write_text("FROM scratch")
    (directory / "dangling").symlink_to("nowhere")
    os.mkfifo(directory / "pipe")
    os.mknod(directory / "socket", stat.S_IFSOCK | 0o600)
    assert names(archive_of(directory)) == ["1/model.py", "Dockerfile", "config.yaml"]


def test_links_are_followed_and_twins_are_two_files(directory: Path) -> None:
    (directory / "weights.bin").symlink_to(directory / "config.yaml")
    os.link(directory / "config.yaml", directory / "twin.yaml")
    with tarfile.open(fileobj=io.BytesIO(archive_of(directory))) as tar:
        assert {member.type for member in tar.getmembers()} == {tarfile.REGTYPE}
        assert {"weights.bin", "twin.yaml"} <= set(tar.getnames())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="nowhere does not exist") as caught:
        packed(tmp_path / "nowhere")
    assert "a model directory holds config.yaml" in caught.value.hint


async def test_the_same_directory_comes_to_lie_in_the_same_place_again(directory: Path, tmp_path: Path) -> None:
    sent = SentDirectories(tmp_path / "sent", max_bytes=1_000_000)
    first = await sent.receive(pieces(archive_of(directory)), directory.name)
    assert first.name == "my-model"
    assert (first / "1" / "model.py").read_text() == "pass"
    assert await sent.receive(pieces(archive_of(directory)), directory.name) == first
    (directory / "1" / "model.py").write_text("pass  # edited")
    assert await sent.receive(pieces(archive_of(directory)), directory.name) != first
    assert list((tmp_path / "sent" / "incoming").iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", "", "a/b\n\x1b[0m", "x" * 5000])
async def test_a_name_leads_nowhere_else(directory: Path, tmp_path: Path, name: str) -> None:
    sent = SentDirectories(tmp_path / "sent", max_bytes=1_000_000)
    path = await sent.receive(pieces(archive_of(directory)), name)
    assert path.parent.parent == tmp_path / "sent"
    assert path.name.isprintable()


async def test_an_archive_that_is_too_large_or_none_leaves_nothing_behind(directory: Path, tmp_path: Path) -> None:
    sent = SentDirectories(tmp_path / "sent", max_bytes=1000)
    with pytest.raises(ModelError, match="has more than 1000 bytes") as caught:
        await sent.receive(pieces(archive_of(directory)), "m")
    assert "--max-upload-bytes" in caught.value.hint
    with pytest.raises(ModelError, match="is damaged, or no tar archive"):
        await sent.receive(pieces(b"not an archive"), "m")
    assert [each.name for each in (tmp_path / "sent").rglob("*")] == ["incoming"]


async def test_what_no_version_runs_any_more_goes_with_the_next_start(directory: Path, tmp_path: Path) -> None:
    root = tmp_path / "sent"
    sent = SentDirectories(root, max_bytes=1_000_000)
    old = await sent.receive(pieces(archive_of(directory)), "m")
    (directory / "config.yaml").write_text("model: {id: new}")
    new = await sent.receive(pieces(archive_of(directory)), "m")
    (root / "a user's own").mkdir()
    SentDirectories(root, max_bytes=1).sweep([new, directory])
    assert new.is_dir()
    assert not old.exists()
    assert (root / "a user's own").is_dir()


async def test_without_a_state_directory_it_goes_with_the_emulator(directory: Path) -> None:
    sent = SentDirectories(max_bytes=1_000_000)
    path = await sent.receive(pieces(archive_of(directory)), "m")
    assert path.is_dir()
    sent.close()
    assert not path.parent.parent.exists()
