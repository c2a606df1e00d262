"""The file of a run has all tests by name, and as many records of them as there is room for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.page.page_file import MOST_BYTES
from pytest_clarifai_emulator.run_file import RunFile, with_room


def record(name: str, size: int = 0) -> str:
    event = {"seq": 1, "time": 5.0, "kind": "request.finished", "request_id": name, "padding": "x" * size}
    log = {"lines": [{"seq": 7, "text": name}], "left_out": 2}
    return json.dumps({"events": [event], "calls": [], "logs": {"r1": log}, "state": None, "notes": []})


def saved_in(path: Path) -> Any:
    (found,) = re.findall(r'id="saved">(.*?)</script>', path.read_text(), re.S)
    return json.loads(found)


@pytest.fixture
def file() -> Any:
    file = RunFile("project")
    yield file
    file.close()


def test_records_of_tests_are_put_together(file: RunFile, tmp_path: Path) -> None:
    for name in ("a", "b"):
        file.keep(file.test(name), record(name))
    file.test("c").outcome = "skipped"
    file.write(tmp_path / "run.html")
    saved = saved_in(tmp_path / "run.html")
    assert [(each["id"], each["outcome"]) for each in saved["tests"]] == [
        *(("a", "passed"), ("b", "passed"), ("c", "skipped"))
    ]
    assert [each["request_id"] for each in saved["events"]] == ["a", "b"]
    assert saved["answers"]["log?replica=r1"] == {"lines": [{"seq": 7, "text": "b"}], "left_out": 4}
    assert saved["notes"] == []


def test_when_there_is_no_room_for_all_failures_come_first_then_the_newest(file: RunFile, tmp_path: Path) -> None:
    for number in range(5):
        file.keep(file.test(str(number)), record(str(number), MOST_BYTES // 3))
    file.test("1").outcome = "failed"
    file.write(tmp_path / "run.html")
    saved = saved_in(tmp_path / "run.html")
    assert [each["request_id"] for each in saved["events"]] == ["1", "4"]
    assert saved["notes"] == [
        "To keep the file small, it has no calls and logs of 3 tests: the oldest of those that passed."
    ]
    assert [bool(each["notes"]) for each in saved["tests"]] == [True, False, True, True, False]
    assert (tmp_path / "run.html").stat().st_size < 20_000_000


def test_marks_that_take_more_room_in_the_file_are_counted_so(file: RunFile, tmp_path: Path) -> None:
    for number in range(9):
        file.keep(file.test(str(number)), record(str(number)).replace("padding", "<" * 700_000))
    file.write(tmp_path / "run.html")
    assert len(saved_in(tmp_path / "run.html")["events"]) == 4
    assert (tmp_path / "run.html").stat().st_size < 20_000_000


def test_long_texts_are_shortened_and_all_the_more_when_there_are_many(file: RunFile) -> None:
    test = file.test("a")
    file.say(test, "x" * 50_000)
    assert len(test.said[0]) < 21_000
    assert "30000 characters are left out" in test.said[0]
    for number in range(1_000):
        file.say(file.test(str(number)), "y" * 50_000)
    assert len(file.test("999").said[0]) < 500
    assert sum(test.text_size for test in (file.test(str(number)) for number in range(1_000))) < 5_000_000


def test_one_that_is_too_large_leaves_no_room_for_older_ones(file: RunFile) -> None:
    file.keep(file.test("old"), record("old"))
    file.keep(file.test("large"), record("large", MOST_BYTES))
    file.keep(file.test("new"), record("new"))
    chosen, left_out = with_room({name: file.test(name) for name in ("old", "large", "new")})
    assert (chosen, left_out) == ({"new"}, {"old", "large"})
