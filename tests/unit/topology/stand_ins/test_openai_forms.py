"""OpenAI's requests as turns of a conversation, and answers in OpenAI's forms."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.topology.stand_ins import openai_forms as forms

TWO = {
    "text": "",
    "calls": [{"tool": "add", "arguments": '{"left": 2, "right": 3}'}, {"tool": "now", "arguments": "{}"}],
}
TEXT: dict[str, Any] = {"text": "The sum is 5.", "calls": []}
USER = {"role": "user", "content": "Add"}


def called(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "add", "arguments": "{}"}


def output(call_id: str, text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def test_messages_of_a_chat() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]
    assert forms.chat_conversation(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}, {"role": "assistant"}]
    ) == [("system", "Be brief."), ("user", "a  b"), ("assistant", "")]


def test_several_calls_are_one_answer_of_a_response_wherever_their_results_stand() -> None:
    apart = [USER, called("call_1_1"), called("call_1_2"), output("call_1_1", "5"), output("call_1_2", "noon")]
    mixed = [USER, called("call_1_1"), output("call_1_1", "5"), called("call_1_2"), output("call_1_2", "noon")]
    expected = [("user", "Add"), ("assistant", ""), ("tool", "5"), ("tool", "noon")]
    assert forms.response_conversation({"input": apart}) == expected
    assert forms.response_conversation({"input": mixed}) == expected
    again = [*apart, called("call_2_1"), output("call_2_1", "6")]
    assert forms.response_conversation({"input": again}) == [*expected, ("assistant", ""), ("tool", "6")]


def test_a_text_and_calls_are_one_answer_and_reasoning_is_none() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]}
    assert forms.response_conversation({"input": [USER, {"type": "reasoning"}, said, called("call_1_1")]}) == [
        ("user", "Add"),
        ("assistant", "Wait."),
    ]
    assert forms.response_conversation({"input": [USER, said, said]})[1:] == [("assistant", "Wait.")] * 2


def test_answers_that_came_before_may_be_named_by_the_last_of_them() -> None:
    request = {"input": "and now?", "previous_response_id": forms.whole_response({"input": "x"}, TEXT, 2)["id"]}
    assert forms.response_conversation(request) == [("assistant", ""), ("assistant", ""), ("user", "and now?")]


def test_offered_tools_of_both_forms() -> None:
    schema = {"properties": {"left": {}}}
    chat = {"type": "function", "function": {"name": "add", "parameters": schema}}
    response = {"type": "function", "name": "add", "parameters": schema}
    assert forms.offered_tools({"tools": [chat]}) == forms.offered_tools({"tools": [response]}) == {"add": schema}
    assert forms.offered_tools({"tools": [response], "tool_choice": "none"}) == {}
    assert forms.offered_tools({"tools": [{"type": "web_search"}]}) == forms.offered_tools({}) == {}


def test_chunks_of_a_chat_join_to_the_whole() -> None:
    request = {"messages": [USER], "stream_options": {"include_usage": True}}
    whole = forms.chat_completion(request, TWO, 1)
    calls: dict[int, dict[str, str]] = {}
    chunks = list(forms.chat_chunks(request, TWO, 1))
    for chunk in chunks[:-1]:
        for piece in chunk["choices"][0]["delta"].get("tool_calls", ()):
            call = calls.setdefault(piece["index"], {"id": piece.get("id", ""), "name": "", "arguments": ""})
            call["name"] += piece["function"].get("name", "")
            call["arguments"] += piece["function"]["arguments"]
    (choice,) = whole["choices"]
    assert [
        {"id": each["id"], "name": each["function"]["name"], "arguments": each["function"]["arguments"]}
        for each in choice["message"]["tool_calls"]
    ] == list(calls.values())
    assert (choice["finish_reason"], chunks[-2]["choices"][0]["finish_reason"]) == ("tool_calls", "tool_calls")
    assert chunks[-1]["usage"] == whole["usage"]
    assert choice["message"]["content"] is None


def test_events_of_a_response_join_to_the_whole_and_are_numbered() -> None:
    events = list(forms.response_events({"input": "Add"}, {**TWO, "text": "One moment."}, 1))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    whole = events[-1]["response"]
    assert [item["type"] for item in whole["output"]] == ["message", "function_call", "function_call"]
    text = "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta")
    arguments = [each for each in events if each["type"] == "response.function_call_arguments.delta"]
    assert text == "One moment."
    assert json.loads("".join(each["delta"] for each in arguments if each["output_index"] == 1)) == {
        "left": 2,
        "right": 3,
    }
    assert [each["output_index"] for each in events if each["type"] == "response.output_item.done"] == [0, 1, 2]


def test_the_same_request_gets_the_same_ids() -> None:
    first, second = (forms.chat_completion({"messages": [USER]}, TWO, 1) for _ in range(2))
    assert {**first, "created": 0} == {**second, "created": 0}
    assert first["choices"][0]["message"]["tool_calls"][0]["id"] == "call_1_1"


@pytest.mark.parametrize("odd", [3, ["text"], [None], [[]]])
def test_what_is_no_list_of_objects_is_refused_by_name(odd: Any) -> None:
    with pytest.raises(ValueError, match=r"`messages` must be a list of objects, got .* in it"):
        forms.chat_conversation(odd)
    with pytest.raises(ValueError, match=r"`input` must be a list of objects, got .* in it"):
        forms.response_conversation({"input": odd})
    with pytest.raises(ValueError, match=r"`tools` must be a list of objects, got .* in it"):
        forms.offered_tools({"tools": odd})


def test_odd_tools_and_contents_are_read_as_empty() -> None:
    assert forms.offered_tools({"tools": [{"function": "add"}, {"function": {"name": "x", "parameters": 3}}]}) == {
        "x": {}
    }
    assert forms.chat_conversation([{"role": 3, "content": {"a": 1}}, {}]) == [("3", ""), ("None", "")]
    assert forms.response_conversation({"input": [{"type": "function_call", "call_id": 7}]}) == [("assistant", "")]
