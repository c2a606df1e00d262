"""Load times: a model that loads its weights is shown with how long that takes, and took the last time."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.cli.load_times import Loading, LoadTimes, seconds_text


def starting(replica: str = "r", at: float = 100.0) -> dict[str, object]:
    event = {"kind": "replica.starting", "time": at, "replica_id": replica}
    return {**event, "deployment_id": "deploy-a", "model_id": "a"}


def test_the_time_of_the_last_load_is_remembered_over_runs(tmp_path: Path) -> None:
    file = tmp_path / "dev" / "times.json"
    loading = Loading(LoadTimes(file), lambda model: model)
    loading.feed(starting())
    assert loading.texts(100.2) == ["a: loading weights…"]
    loading.feed({**starting(), "kind": "replica.live", "time": 124.0})
    assert loading.texts(130.0) == []
    again = Loading(LoadTimes(file), lambda model: model)
    again.feed(starting())
    assert again.texts(112.0) == ["a: loading weights… 12 s (last time 24 s)"]


def test_a_load_that_failed_is_not_remembered(tmp_path: Path) -> None:
    times = LoadTimes(tmp_path / "times.json")
    loading = Loading(times, lambda model: model)
    loading.feed(starting())
    loading.feed({**starting(), "kind": "replica.crashed", "time": 101.0})
    assert loading.texts(102.0) == []
    assert times.last("a") is None


def test_in_lines_it_is_told_at_the_beginning_and_then_less_and_less_often(tmp_path: Path) -> None:
    loading = Loading(LoadTimes(tmp_path / "times.json"), lambda model: model)
    loading.feed(starting())
    told = [second for second in range(200) if list(loading.news(100.0 + second))]
    assert told == [0, 5, 10, 20, 30, 60, 120, 180]


@pytest.mark.parametrize("content", ["", "not json", "[1]", '{"a": "long"}', '{"a": -1}'])
def test_a_file_that_cannot_be_used_is_done_without_and_written_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "times.json"
    file.write_text(content)
    times = LoadTimes(file)
    assert times.last("a") is None
    times.note("a", 2.0)
    assert times.last("a") == 2.0


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    times = LoadTimes(tmp_path / "file" / "times.json")
    times.note("a", 2.0)
    assert times.last("a") is None


def test_seconds_are_told_as_people_say_them() -> None:
    assert [seconds_text(each) for each in (0.31, 9.94, 12.4, 119, 125)] == [
        "0.3 s",
        "9.9 s",
        "12 s",
        "119 s",
        "2 min 5 s",
    ]
