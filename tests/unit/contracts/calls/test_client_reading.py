"""Client files are read as Python reads them; what cannot be read says why, and what to do."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls import client_reading
from clarifai_emulator.contracts.calls.client_reading import (
    UnreadableClient,
    decode_client,
    parse_client,
    read_client,
)
from clarifai_emulator.contracts.calls.client_source import Source

LATIN = "# -*- coding: latin-1 -*-\nx = 'é'\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"x = 1\r\ny = 2\rz = 3\n", "x = 1\ny = 2\nz = 3\n"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (LATIN.encode("latin-1"), LATIN),
        (b"\x0cx = 1\n", "\x0cx = 1\n"),
        (b"", ""),
    ],
)
def test_text_is_decoded_as_python_does(content: bytes, text: str):
    assert decode_client(content) == text


@pytest.mark.parametrize(
    ("content", "reason", "hint"),
    [
        ("x = 1".encode("utf-16"), "is UTF-16 text, which Python does not read", "Save it as UTF-8."),
        ("x = 1".encode("utf-32"), "is UTF-32 text, which Python does not read", "Save it as UTF-8."),
        (b"\x89PNG\r\n\0\0", "holds NUL bytes: it is not text", "Leave it out of the paths."),
        (b"x = 1\ny = '\xe9'\n", "is not UTF-8 text: byte 0xe9 in line 2", "name its encoding in its first line"),
        (b"# coding: nonsense\n", "names an encoding that cannot be used: unknown encoding", "Save it as UTF-8"),
        (b"# coding: rot13\n", "names an encoding that cannot be used: 'rot13' is not a text", "Save it as UTF-8"),
    ],
)
def test_what_is_not_text_is_told(content: bytes, reason: str, hint: str):
    with pytest.raises(UnreadableClient) as told:
        decode_client(content)

    assert told.value.reason.startswith(reason)
    assert hint in told.value.hint


DEEP = [
    "-" * 100_000 + "1",
    "1" + "+1" * 100_000,
    "1" + "+1" * 500,
    "a" + ".b" * 500,
    "if x: pass\n" + "elif x: pass\n" * 500,
    "if x: pass\n" + "elif x: pass\n" * 20_000,
    "lambda: " * 5_000 + "1",
    "x = " + "[" * 180 + "]" * 180,
]


@pytest.mark.parametrize("text", DEEP, ids=lambda text: text[:12])
def test_code_that_is_nested_too_deep_is_told(text: str):
    source = Source(Path("deep.py"), text.encode())

    with pytest.raises(UnreadableClient, match="has code that is nested deeper than 150 levels"):
        _ = source.nodes
    with pytest.raises(UnreadableClient, match="nested deeper"):
        _ = source.tree


def test_generated_code_without_end_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_reading, "_MOST_CODE", 2**20)

    with pytest.raises(UnreadableClient, match=r"has 3.0 MiB of code; what has more than 1 MiB is not read"):
        parse_client("x = 1\n" * (2**19))


def test_python_2_is_told_with_its_line():
    with pytest.raises(UnreadableClient, match=r"is not Python 3\.1.*Missing parentheses") as told:
        parse_client("x = 1\nprint 'x'\n")

    assert (told.value.line, told.value.column) == (2, 1)


def test_what_is_no_file_is_told(tmp_path: Path):
    fifo, folder, loop, dangling = (tmp_path / f"{name}.py" for name in ("fifo", "folder", "loop", "dangling"))
    os.mkfifo(fifo)
    folder.mkdir()
    loop.symlink_to(loop)
    dangling.symlink_to("nowhere\n.py")

    said = [_reason(each) for each in (fifo, folder, loop, dangling, Path("/dev/zero"), tmp_path / "gone.py")]

    assert said == [
        "is a named pipe, not a file",
        "is a folder, not a file",
        "is a link that leads back to itself",
        r"is a link to nowhere\n.py, which is not there",
        "is a device, not a file",
        "was removed before it could be read",
    ]


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "client.py").write_text("x = 1")
    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(UnreadableClient, match="may not be read by this user") as told:
        read_client(tmp_path / "client.py")
    assert told.value.hint == "Make it readable (`chmod +r`), or leave it out of the paths."


def test_a_file_that_does_not_fit_is_not_read(tmp_path: Path):
    huge = tmp_path / "huge.py"
    with huge.open("wb") as file:
        file.truncate(40 * 2**30)

    assert _reason(huge) == "has 40,960 MiB; files of more than 256 MiB are not read"


def test_places_in_long_lines_with_wide_characters_are_counted_in_characters():
    source = Source(Path("wide.py"), ("x = ['é', '😀', a" + ", 'ü', b" * 20_000 + "]\n").encode())

    names = [node for node in source.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]

    line = source.lines[0]
    assert {line[source.start(each)[1] - 1] for each in names} == {"a", "b"}


def _reason(path: Path) -> str:
    with pytest.raises(UnreadableClient) as told:
        read_client(path)
    return told.value.reason
