"""Lines of a replica are told apart: the model's, the runner's, and the runner's noise when it stops."""

from __future__ import annotations

import pytest

from clarifai_emulator.backends.printed import LogOrigin, Printed, sdk_line, without_colours

THREAD = "|\x1b[90m  thread=140507900536512 \x1b[0m"


def sdk(message: str, level: str = "INFO") -> str:
    """Return a line as the SDK's logger prints it, colours and all."""
    return f"[\x1b[32m{level}\x1b[0m] \x1b[34m22:16:25.379585\x1b[0m \x1b[32m{message}\x1b[0m {THREAD}"


def origins(*lines: str, printed: Printed | None = None) -> list[LogOrigin]:
    printed = printed or Printed()
    return [origin for line in lines for _, origin in printed.read(line)]


@pytest.mark.parametrize(
    "message",
    [
        "Starting 16 threads...",
        "No secrets path configured, running without secrets",
        "ModelServer initialized successfully",
        "Successfully created new gRPC channel.",
        "Control connection established, listening for cancellations...",
        "model_predict | 200 OK | 1.29ms | req_id=sdk-python-12.5.0-7182",
        "Stopping runner...",
    ],
)
def test_what_the_runner_says_of_itself_is_the_runners(message: str) -> None:
    assert origins(sdk(message)) == [LogOrigin.RUNNER]


def test_what_a_model_logs_with_the_sdks_own_logger_is_the_models() -> None:
    assert origins(sdk("weights are there"), "a print", "  an indented one", "") == [LogOrigin.MODEL] * 4


def test_the_traceback_of_a_failing_method_is_the_models() -> None:
    lines = [
        sdk("Error in predict", "ERROR"),
        "Traceback (most recent call last):",
        '  File "/m/1/model.py", line 3, in predict',
        "KeyError: 'nope'",
    ]
    assert origins(*lines) == [LogOrigin.MODEL] * 4


STOP = [
    sdk("gRPC error in receive_iterator", "ERROR"),
    "Traceback (most recent call last):",
    '  File "/venv/clarifai_protocol/base_runner.py", line 1212, in receive_iterator',
    "    raise self",
    "grpc._channel._MultiThreadedRendezvous: <_MultiThreadedRendezvous of RPC that terminated with:",
    "\tstatus = StatusCode.CANCELLED",
    '\tdetails = "Locally cancelled by application!"',
    ">",
]


def test_the_traceback_of_a_lost_connection_is_noise_and_what_comes_after_it_is_not() -> None:
    assert origins(*STOP, "predict called") == [LogOrigin.RUNNER, *[LogOrigin.NOISE] * 7, LogOrigin.MODEL]


def test_a_runner_that_stops_says_so_once_and_the_rest_is_noise() -> None:
    found = origins(sdk("Stopping runner..."), *STOP, sdk("Successfully created new gRPC channel."), *STOP)
    assert found == [LogOrigin.RUNNER, *[LogOrigin.NOISE] * 17]


def test_what_the_model_prints_while_it_stops_is_still_its_own() -> None:
    printed = Printed()
    printed.stop()
    assert origins("saving the cache", sdk("cache saved"), printed=printed) == [LogOrigin.MODEL, LogOrigin.MODEL]


@pytest.mark.parametrize(
    ("error", "origin"), [("KeyboardInterrupt", LogOrigin.NOISE), ("OSError: x", LogOrigin.MODEL)]
)
def test_a_bare_traceback_at_the_end_is_noise_if_only_the_stop_raised_it(error: str, origin: LogOrigin) -> None:
    printed = Printed()
    printed.stop()
    lines = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', error]
    assert origins(*lines, printed=printed) == [origin] * 3


def test_a_traceback_that_the_end_cuts_off_is_not_lost() -> None:
    printed = Printed()
    printed.stop()
    assert origins("Traceback (most recent call last):", printed=printed) == []
    assert list(printed.flush()) == [("Traceback (most recent call last):", LogOrigin.MODEL)]


def test_a_line_of_the_sdks_logger_is_read_with_and_without_colours_and_as_json() -> None:
    assert sdk_line(sdk("a | b", "WARNING")) == sdk_line("[WARNING] 22:16:25.379585 a | b |  thread=1 ")
    said = sdk_line("[INFO] 22:16:25.379585 done | req_id=sdk-1 thread=12 ")
    assert said is not None
    assert (said.level, said.message, said.context) == ("INFO", "done", "req_id=sdk-1")
    said = sdk_line('{"msg": "done", "@timestamp": "2026-11-28T22:16:25Z", "level": "info"}')
    assert said is not None
    assert (said.level, said.message) == ("INFO", "done")
    assert sdk_line("[INFO]nothing of the kind") is None
    assert sdk_line('{"@timestamp" broken') is None
    assert without_colours("\x1b[31mred\x1b[0m") == "red"
