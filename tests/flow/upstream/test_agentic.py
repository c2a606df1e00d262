"""The scenarios of the SDK's `runners/test_agentic_class.py` without an MCP server: chats, responses and tools.

Upstream the class is called in the test's process; here its replica answers OpenAI's own client.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, running, write_model

# This class iterates over what OpenAI's client gives it; the sample model's stand-in is no iterator.
CHUNKS = """
from openai.types.chat import ChatCompletionChunk

Events.__iter__ = lambda self: (ChatCompletionChunk.model_validate(each) for each in self._chunks)
"""
MODEL = "me/demo/models/agentic"
TOOL: Any = {"type": "function", "function": {"name": "shout", "parameters": {"type": "object", "properties": {}}}}
USER: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    code = (MODELS / "openai" / "1" / "model.py").read_text()
    code = code.replace("openai_class import OpenAIModelClass", "agentic_class import AgenticModelClass")
    code = code.replace("OpenAi(OpenAIModelClass)", "Agentic(AgenticModelClass)")
    with running(hold_seconds=20) as emulator:
        emulator.deploy(write_model(tmp_path_factory.mktemp("agentic"), "agentic", code + CHUNKS))
        yield emulator


@pytest.fixture
def client(serving: EmulatorThread) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{serving.url}/v2/ext/openai/v1", api_key="any", max_retries=0) as client:
        yield client


def test_a_chat_is_answered_whole_and_in_pieces(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=USER)
    assert whole.choices[0].message.content == "You said: hello there"
    pieces = client.chat.completions.create(model=MODEL, messages=USER, stream=True)
    said = [each.choices[0].delta.content for each in pieces if each.choices and each.choices[0].delta.content]
    assert "".join(said) == "Yousaid:hellothere"


def test_a_response_is_answered_whole_and_in_events(client: openai.OpenAI) -> None:
    assert client.responses.create(model=MODEL, input="hello").output_text == "You said: hello"
    events = list(client.responses.create(model=MODEL, input="hello", stream=True))
    assert events[-1].type == "response.completed"


def test_the_caller_s_own_tools_are_handed_on(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=USER, tools=[TOOL])
    (call,) = answer.choices[0].message.tool_calls or []
    assert (answer.choices[0].finish_reason, call.type) == ("tool_calls", "function")


@pytest.mark.parametrize("stream", [False, True])
def test_what_its_backend_refuses_reaches_the_caller(client: openai.OpenAI, stream: bool) -> None:
    fails: Any = [{"role": "user", "content": "fail"}]
    with pytest.raises(openai.APIError, match="the backend is out of order"):
        list(client.chat.completions.create(model=MODEL, messages=fails, stream=stream))  # type: ignore[call-overload]
