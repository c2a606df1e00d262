"""The assertion that a model, or a tool of it, was called says what was called instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.control.call_records import Call
from pytest_clarifai_emulator.called import WantedCall, require_called


def call(model: str, method: str = "predict", *batch: dict[str, Any], **arguments: Any) -> Call:
    every = batch or (arguments,)
    return Call("id", model, "unary", method, every[0], every, (), 10000, "", None, 12.0)


def tool(name: str, **arguments: Any) -> Call:
    message = {"method": "tools/call", "params": {"name": name, "arguments": arguments}}
    return call("me/demo/calculator", "mcp_transport", msg=json.dumps(message))


LISTED = call("me/demo/calculator", "mcp_transport", msg='{"method": "tools/list"}')
CALLS = [call("me/demo/agent", prompt="Add"), LISTED, tool("add", left=2, right=3)]


def failure(wanted: WantedCall, times: int | None = None, calls: list[Call] = CALLS) -> list[str]:
    with pytest.raises(pytest.fail.Exception) as caught:
        require_called(calls, wanted, times)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("wanted", "times"),
    [
        (WantedCall("calculator"), None),
        (WantedCall("me/demo/calculator", tool="add"), 1),
        (WantedCall("calculator", tool="add", arguments={"left": 2}), None),
        (WantedCall("calculator", tool="add", arguments={"left": pytest.approx(2.0)}), 1),
        (WantedCall("calculator", tool="sub"), 0),
        (WantedCall("agent", "predict", arguments={"prompt": "Add"}), 1),
        (WantedCall("calculator", "mcp_transport"), 2),
    ],
)
def test_a_call_that_was_made(wanted: WantedCall, times: int | None) -> None:
    require_called(CALLS, wanted, times)


def test_each_input_of_a_batch_counts() -> None:
    require_called([call("u/a/m", "predict", {"n": 1}, {"n": 2})], WantedCall("m", arguments={"n": 2}), None)


def test_other_arguments() -> None:
    assert failure(WantedCall("calculator", tool="add", arguments={"left": 3})) == [
        "calculator was not called: tool add(left=3).",
        "It was called:",
        "  me/demo/calculator tool add(left=2, right=3) [10000 SUCCESS in 12 ms]",
    ]


def test_another_tool() -> None:
    assert failure(WantedCall("calculator", tool="ad"))[-1] == "Did you mean 'add'?"


def test_another_number_of_times() -> None:
    assert failure(WantedCall("calculator", tool="add"), 2)[0] == (
        "calculator was called once: tool add; expected 2 times."
    )


def test_a_server_that_was_asked_for_its_tools_only() -> None:
    assert failure(WantedCall("calculator", tool="add"), calls=[LISTED])[-1] == (
        "It was asked once, and no tool was called. An agent that found no tools says so in its log."
    )


def test_a_model_that_was_not_called() -> None:
    said = failure(WantedCall("calculators"))
    assert said[0] == "calculators was not called."
    assert said[1] == "No call of it was made; did you mean 'calculator'. These were:"
    assert len(said) == 2 + len(CALLS)
    assert failure(WantedCall("x"), calls=[])[-1] == (
        "No model was called. Only calls of models that run here are seen: tools that are functions of an agent's "
        "own code are not."
    )


def test_many_calls_are_shortened() -> None:
    said = failure(WantedCall("calculator", tool="sub"), calls=[tool("add", left=n) for n in range(100)])
    assert len(said) == 23
    assert said[-1] == "  … and 80 more"
