"""Log lines as `logs` shows them: chosen, with their time and place in front, and harmless in a terminal."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import click
import pytest

from clarifai_emulator.cli.log_lines import LogFilter, log_text, printable, read_since

NOW = 1_795_904_480.25


def line(message: str, **fields: Any) -> dict[str, Any]:
    return {
        "time": time.time(),
        "message": message,
        "log_type": "runner",
        "stream": "model",
        "deployment_id": "deploy-a",
        "replica_id": "0123456789",
        "model": "me/demo/a",
        **fields,
    }


def shown(lines: LogFilter, *kept: dict[str, Any], then: tuple[dict[str, Any], ...] = ()) -> list[str]:
    answers = [*({"line": each} for each in kept), {"kept": len(kept)}, *({"line": each} for each in then)]
    return [each["message"] for answer in answers for each in lines.take(answer)]


def test_a_line_begins_with_its_time_its_deployment_and_its_replica() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  deploy-a 01234567  hi", click.unstyle(log_text(line("hi"))))


def test_a_line_of_another_day_begins_with_the_day() -> None:
    found = click.unstyle(log_text(line("hi", time=time.time() - 3 * 86_400)))
    assert re.match(r"\d\d-\d\d \d\d:\d\d:\d\d", found)


def test_a_line_of_a_build_names_the_model() -> None:
    built = line("installing", log_type="builder", stream="emulator", deployment_id="", replica_id="")
    assert click.unstyle(log_text(built)).endswith("  a  [build] installing")


def test_a_line_of_the_sdks_logger_has_its_time_once() -> None:
    text = click.unstyle(log_text(line("[INFO] 22:16:25.379585 done | req_id=sdk-1 thread=12 ")))
    assert text.endswith("deploy-a 01234567  INFO done  req_id=sdk-1")


def test_tail_is_of_the_lines_that_are_wanted_and_what_comes_later_is_not_counted() -> None:
    kept = [line("one"), line("two"), line("starting", stream="runner"), line("three")]
    lines = LogFilter(tail=2, model_only=True)
    assert shown(lines, *kept, then=(line("four"), line("stopping", stream="runner"))) == ["two", "three", "four"]
    assert shown(LogFilter(tail=0), *kept, then=(line("four"),)) == ["four"]


def test_grep_is_looked_for_in_what_was_said() -> None:
    lines = LogFilter(pattern=re.compile("err|warn"))
    assert shown(lines, line("an error"), line("fine"), then=(line("warned"), line("fine"))) == [
        "an error",
        "warned",
    ]


def test_the_runners_noise_is_shown_when_asked_for() -> None:
    noise = line("Traceback (most recent call last):", stream="runner-noise")
    assert shown(LogFilter(), noise, line("hi")) == ["hi"]
    assert len(shown(LogFilter(noise=True), noise, line("hi"))) == 2


def test_what_a_model_prints_moves_no_cursor_and_of_a_progress_bar_the_last_is_left() -> None:
    assert printable("\x1b]0;title\x07\x1b[2Jhi\x00\x08") == r"\x1b]0;title\x07\x1b[2Jhi\x00\x08"
    assert printable("10%\r 50%\r100%\r") == "100%"
    assert printable("a\tb äöü 日本") == "a\tb äöü 日本"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1.5h", 5400)]
)
def test_since_takes_how_long_ago(text: str, seconds: float) -> None:
    assert read_since(text, NOW) == NOW - seconds


def test_since_takes_timestamps_and_a_time_of_day_that_was_last() -> None:
    assert read_since("2026-11-28T22:21:20Z", NOW) == 1_795_904_480
    assert read_since("1795904480.5", NOW) == 1_795_904_480.5
    now = datetime(2026, 11, 28, 12, 0).timestamp()
    assert read_since("11:59", now) == now - 60
    assert read_since("12:01:00", now) == now + 60 - 86_400


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "25:00", "m5"])
def test_since_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        read_since(text, NOW)
