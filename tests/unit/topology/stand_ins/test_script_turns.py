"""A script's answer to a request: which turn it is, and what is said of a request that does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.topology.stand_ins.script_turns import (
    ConversationRequest,
    UnfitRequest,
    fitting_answer,
    next_answer,
)

MODEL = "openai/chat-completion/models/gpt-4o"
ADD = {"add": {"properties": {"left": {}, "right": {}}, "required": ["left", "right"]}}


def text(said: str, contains: str = "") -> dict[str, Any]:
    return {"text": said, "contains": contains, "calls": []}


def call(tool: str, contains: str = "", *, unchecked: bool = False, **arguments: Any) -> dict[str, Any]:
    calls = [{"tool": tool, "arguments": json.dumps(arguments), "unchecked": unchecked}]
    return {"text": "", "contains": contains, "calls": calls}


SCRIPT = [call("add", "2 and 3", left=2, right=3), text("The sum is 5.", "5")]


def asked(answers: int = 0, latest: str = "Add 2 and 3", sender: str = "user", **more: Any) -> ConversationRequest:
    return ConversationRequest(answers, latest, sender, more.pop("opening", latest), more.pop("tools", ADD))


def refusal(request: ConversationRequest, *scripts: list[dict[str, Any]]) -> str:
    with pytest.raises(UnfitRequest) as caught:
        next_answer(MODEL, scripts or [SCRIPT], request)
    return str(caught.value)


def test_the_turn_is_the_number_of_answers_in_the_conversation() -> None:
    assert next_answer(MODEL, [SCRIPT], asked()) is SCRIPT[0]
    assert next_answer(MODEL, [SCRIPT], asked(1, "5", "tool", opening="Add 2 and 3")) is SCRIPT[1]
    assert next_answer(MODEL, [SCRIPT], asked()) is SCRIPT[0]  # another conversation


def test_the_script_is_the_first_that_fits_the_beginning_of_the_conversation() -> None:
    scripts = [[text("a plan", "PLAN"), text("done")], [text("else")]]
    assert next_answer(MODEL, scripts, asked(latest="Make a plan")) is scripts[0][0]
    assert next_answer(MODEL, scripts, asked(1, "go on", opening="Make a plan")) is scripts[0][1]
    assert next_answer(MODEL, scripts, asked()) is scripts[1][0]


def test_a_script_that_has_ended_says_so() -> None:
    assert refusal(asked(2, "and now?", opening="Add 2 and 3")) == (
        f"The script of {MODEL} has ended: it has 2 steps, and this is request 3 of a conversation. Last "
        "came 'and now?' (user). Add a step, or let the conversation end earlier."
    )


def test_a_message_that_does_not_fit_is_shown_beside_what_was_expected() -> None:
    assert refusal(asked(1, "error: timeout", "tool", opening="Add 2 and 3")) == (
        f"Step 2 of the script of {MODEL} expects a message that contains '5'. Last came 'error: timeout' "
        "(tool). Change what is sent, or the step's `contains`."
    )


def test_a_conversation_that_no_script_is_for() -> None:
    assert refusal(asked(latest="Sing"), [text("1", "plan")], [text("2", "sum")]) == (
        f"No script of {MODEL} is for a conversation that begins with 'Sing': the first steps expect 'plan', "
        "'sum'. Change a first step's `contains`, or add a script without it, at the end."
    )


def test_a_result_without_its_call_is_no_beginning() -> None:
    assert "got the result of a tool in a conversation without the call of it" in refusal(asked(0, "5", "tool"))


def test_a_tool_must_be_offered() -> None:
    assert refusal(asked(tools={"sub": {}, "mul": {}, "adds": {}})) == (
        f"Step 1 of the script of {MODEL} calls the tool 'add', which the request does not offer: it offers adds, "
        "mul, sub. Did you mean 'adds'? `unchecked: true` calls it all the same."
    )
    assert "it offers none. An agent whose tool server cannot be reached offers none: see its log." in refusal(
        asked(tools={})
    )
    unchecked = [call("nonsense", unchecked=True)]
    assert next_answer(MODEL, [unchecked], asked()) is unchecked[0]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (call("add", left=2), "with no 'right'; the tool takes left, right."),
        (
            call("add", left=2, right=3, up=4),
            "with 'up', which the tool does not have; the tool takes left, right.",
        ),
        (
            {"text": "", "contains": "", "calls": [{"tool": "add", "arguments": "{", "unchecked": False}]},
            "with arguments that are no JSON object: '{'; the tool takes left, right.",
        ),
    ],
)
def test_the_arguments_must_be_those_of_the_tool(step: dict[str, Any], said: str) -> None:
    told = refusal(asked(), [step])
    assert told.startswith(f"Step 1 of the script of {MODEL} calls the tool 'add' {said}")
    assert told.endswith("Change the step's `arguments`; `unchecked: true` calls it all the same.")


def test_answers_in_any_order_are_chosen_by_the_last_message() -> None:
    answers = [call("add", "2 and 3", left=2, right=3), text("The sum is 5.", "5"), text("What?")]
    assert fitting_answer(MODEL, answers, asked()) is answers[0]
    assert fitting_answer(MODEL, answers, asked(1, "5", "tool")) is answers[1]
    assert fitting_answer(MODEL, answers, asked(7, "hm")) is answers[2]
    with pytest.raises(UnfitRequest, match=r"no answer to 'hm'. Give it one without `contains`."):
        fitting_answer(MODEL, answers[:2], asked(latest="hm"))


def test_long_messages_are_shortened() -> None:
    assert len(refusal(asked(latest="x" * 100_000))) < 600
