"""Fuzzing a method takes a bounded time, whatever the method does."""

import threading
from itertools import count
from typing import Any

from clarifai.runners.utils.method_signatures import build_function_signature

from clarifai_emulator.contracts.values.fuzz import Fuzzed, fuzz


def divide(n: int) -> float: ...


def last_error(limit: int = 0) -> str: ...


def fuzzed(call: Any, method: Any = divide, **options: Any) -> Fuzzed:
    [result] = fuzz([build_function_signature(method)], call, **options)
    return result


def crash(method: str, arguments: dict[str, Any]) -> float:
    return 1 / 0


def test_a_failure_is_told_with_the_smallest_arguments_while_there_is_time():
    result = fuzzed(crash)

    assert result.finding is not None
    assert (result.finding.message, result.is_cut_short) == ("divide(): fails for n=0: division by zero", False)


def test_once_its_time_is_up_no_call_is_begun_and_what_failed_is_told():
    def fail(method: str, arguments: dict[str, Any]) -> float:
        if arguments["n"]:
            raise ValueError("not zero")
        return 0.5

    seconds = count(step=10)  # it is asked for at the start, and before each call but the first

    result = fuzzed(fail, method_seconds=25, clock=lambda: next(seconds))

    assert (result.calls, result.is_cut_short) == (3, True)
    assert result.finding is not None
    assert result.finding.rule == "crashing-method"


def test_a_method_that_went_well_as_long_as_its_time_lasted_is_cut_short_without_a_finding():
    seconds = count(step=10)

    result = fuzzed(lambda method, arguments: 0.5, method_seconds=25, clock=lambda: next(seconds))

    assert result == Fuzzed("divide", 3, None, is_cut_short=True)


def test_a_method_is_called_once_at_least_however_little_time_it_has():
    result = fuzzed(crash, method_seconds=0)

    assert result.calls == 1
    assert result.finding is not None


def test_an_empty_dict_in_place_of_an_empty_text_is_no_result_of_another_type():
    """Calls without arguments of a method that returns '': so the SDK's client gives it back."""

    def answer(method: str, arguments: dict[str, Any]) -> Any:
        return "" if arguments else {}

    result = fuzzed(answer, last_error)
    assert result.finding is not None
    assert (result.finding.rule, result.finding.severity) == ("result-lost", "warning")
    assert result.finding.message == (
        "last_error(): the result of a call without arguments is '': the SDK's client gets {} in its place."
    )

    def fail(method: str, arguments: dict[str, Any]) -> Any:
        return 1 / 0 if arguments else {}

    worse = fuzzed(fail, last_error).finding
    assert worse is not None
    assert worse.rule == "crashing-method"


def test_a_call_that_hangs_is_told_and_none_follows_it():
    let_go = threading.Event()
    calls: list[dict[str, Any]] = []

    def hang(method: str, arguments: dict[str, Any]) -> float:
        calls.append(arguments)
        let_go.wait(30)
        return 0.5

    try:
        result = fuzzed(hang, seconds=0.05)
    finally:
        let_go.set()

    assert len(calls) == 1
    assert result.finding is not None
    assert result.finding.message == f"divide(): no answer after 0.05 s to n={calls[0]['n']}."
