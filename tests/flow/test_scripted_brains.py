"""A stand-in with a script is the brain of an agent: it calls the tools that the script says, and then answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from clarifai.client import Model

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import running

GPT = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
TOPOLOGY = f"""
stand_ins:
  - model: {GPT}
    script:
      - {{contains: 2 and 3, calls: [{{tool: add, arguments: {{left: 2, right: 3}}}}, {{tool: now}}]}}
      - {{contains: "5", text: The sum is 5.}}
  - model: anthropic/completion/models/claude-sonnet-4
    answers:
      - {{contains: sum, tool: add, arguments: {{left: 1, right: 1}}}}
      - {{contains: "2", text: Two.}}
"""
PYTHON_TOOLS = {"add": lambda left, right: left + right, "now": lambda: "noon"}


def tool(name: str, *arguments: str) -> Any:
    properties = {each: {"type": "integer"} for each in arguments}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


OFFERED = [tool("add", "left", "right"), tool("now")]
ADD = {"role": "user", "content": "Add 2 and 3."}


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("hosting")
    (folder / "topology.yaml").write_text(TOPOLOGY)
    with running(topology=(folder / "topology.yaml",), cache_dir=folder / "cache") as emulator:
        yield emulator


@pytest.fixture
def client(hosting: EmulatorThread) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{hosting.url}/v2/ext/openai/v1", api_key="any", max_retries=0) as client:
        yield client


def loop(client: openai.OpenAI, messages: list[Any]) -> str:
    """Run the tool loop that OpenAI's documentation has."""
    while True:
        message = client.chat.completions.create(model=GPT, messages=messages, tools=OFFERED).choices[0].message
        messages.append(message)
        for call in message.tool_calls or ():
            assert call.type == "function"
            result = PYTHON_TOOLS[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
        if not message.tool_calls:
            return message.content or ""


def streamed_loop(client: openai.OpenAI, messages: list[Any]) -> str:
    """Run the loop over streams, whose pieces OpenAI's client joins."""
    while True:
        with client.chat.completions.stream(model=GPT, messages=messages, tools=OFFERED) as stream:
            message = stream.get_final_completion().choices[0].message
        messages.append({**message.model_dump(exclude_none=True)})
        for call in message.tool_calls or ():
            result = PYTHON_TOOLS[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
        if not message.tool_calls:
            return message.content or ""


@pytest.mark.parametrize("run", [loop, streamed_loop])
def test_the_tool_loop_of_openais_client(client: openai.OpenAI, run: Any) -> None:
    messages: list[Any] = [{"role": "system", "content": "Use tools."}, ADD]
    assert run(client, messages) == "The sum is 5."
    assert [each["content"] for each in messages if isinstance(each, dict) and each["role"] == "tool"] == [
        "5",
        "noon",
    ]


@pytest.mark.parametrize("by_id", [False, True])
def test_the_tool_loop_over_responses(client: openai.OpenAI, by_id: bool) -> None:
    offered: Any = [{"type": "function", **each["function"]} for each in OFFERED]
    said: list[Any] = [ADD]
    first = client.responses.create(model=GPT, input=said, tools=offered)
    results = [
        {"type": "function_call_output", "call_id": each.call_id, "output": "5"}
        for each in first.output
        if each.type == "function_call"
    ]
    assert len(results) == 2
    if by_id:
        last = client.responses.create(model=GPT, input=results, previous_response_id=first.id, tools=offered)
    else:
        said += [*first.output, *results]
        with client.responses.stream(model=GPT, input=said, tools=offered) as stream:
            last = stream.get_final_response()
    assert last.output_text == "The sum is 5."


def test_answers_with_calls_are_chosen_by_the_last_message(client: openai.OpenAI) -> None:
    name = "claude-sonnet-4"
    asked: Any = [{"role": "user", "content": "The sum of 1 and 1?"}]
    message = client.chat.completions.create(model=name, messages=asked, tools=OFFERED).choices[0].message
    (call,) = message.tool_calls or ()
    assert call.type == "function"
    assert call.function.arguments == '{"left": 1, "right": 1}'
    asked += [{"role": "user", "content": "2"}]
    assert client.chat.completions.create(model=name, messages=asked).choices[0].message.content == "Two."


def test_the_sdks_own_method_gives_calls_as_json(hosting: EmulatorThread) -> None:
    model: Any = Model(url=GPT, base_url=hosting.url, pat="any-token")
    calls = json.loads(model.predict(prompt="Add 2 and 3.", tools=OFFERED))
    assert [each["function"]["name"] for each in calls] == ["add", "now"]
    history = [ADD, {"role": "assistant", "content": "", "tool_calls": calls}]
    assert model.predict(prompt="It is 5.", chat_history=history) == "The sum is 5."
    assert list(model.generate(prompt="It is 5.", chat_history=history)) == ["The", " sum", " is", " 5."]


@pytest.mark.parametrize(
    ("messages", "tools", "said"),
    [
        (
            [ADD],
            OFFERED[:1],
            "Step 1 of the script of openai/chat-completion/models/gpt-4o calls the tool 'now', which the request "
            "does not offer: it offers add.",
        ),
        ([{"role": "user", "content": "Sing."}], OFFERED, "contains '2 and 3'. Last came 'Sing.' (user)"),
        (
            [ADD, *[{"role": "assistant", "content": "x"}, ADD] * 2],
            OFFERED,
            "has ended: it has 2 steps, and this is request 3 of a conversation. Last came 'Add 2 and 3.' (user).",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_fit_is_refused_at_once(
    hosting: EmulatorThread, messages: Any, tools: Any, said: str, stream: bool
) -> None:
    """The client's own retries are left as they are: a request that does not fit is not asked again."""
    before = len(hosting.events("route.decided"))
    with openai.OpenAI(base_url=f"{hosting.url}/v2/ext/openai/v1", api_key="any") as client:
        with pytest.raises(openai.BadRequestError) as caught:
            list(client.chat.completions.create(model=GPT, messages=messages, tools=tools, stream=stream))
    assert said in str(caught.value)
    assert len(hosting.events("route.decided")) == before + 1


def test_other_endpoints_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="serves /chat/completions and /responses, not /embeddings"):
        client.embeddings.create(model=GPT, input="x")
