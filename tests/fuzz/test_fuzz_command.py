"""``make fuzz`` says what it can do, reads one file again, and names what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.__main__ import Fuzzed, main, table


def test_a_reader_that_there_is_not_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["http3"])
    assert "there is no reader http3; there are: http2, http1, json, archive, cassette" in capsys.readouterr().err


def test_a_replay_needs_the_reader_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--replay", str(tmp_path / "file")])
    assert "--replay needs the one reader that the file is for" in capsys.readouterr().err


def test_a_file_that_failed_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "crash"
    file.write_bytes(b"version: 7\n")
    assert main(["cassette", "--replay", str(file)]) == 0
    assert capsys.readouterr().out == f"{file} is read as it should be.\n"


def test_the_table_names_each_file_that_failed_and_how_to_read_it_again() -> None:
    text = table(
        [Fuzzed("json", 1_000_000, 209, 80, []), Fuzzed("http1", 12, 3, 4, [".fuzz/http1/failed/crash-1"])]
    )
    assert text.splitlines()[1] == "json         1,000,000     209      80  none"
    assert "make fuzz ARGS='http1 --replay .fuzz/http1/failed/crash-1'" in text
