"""The endpoints do what the rules about them say: each wrong request is made, by the real client."""

from __future__ import annotations

from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS


@pytest.fixture
def openai(emulator: EmulatorThread) -> Any:
    import openai

    for name in ("hello", "openai"):
        emulator.deploy(MODELS / name)
    return openai


def client(emulator: EmulatorThread, openai: Any, path: str = "/v2/ext/openai/v1") -> Any:
    return openai.OpenAI(base_url=f"{emulator.url}{path}", api_key="any", max_retries=0)


def test_what_the_rules_refuse_the_endpoints_refuse_too(emulator: EmulatorThread, openai: Any):
    messages = [{"role": "user", "content": "Hello"}]
    ask = client(emulator, openai)
    with pytest.raises(openai.APIStatusError, match="This endpoint needs a model whose class has that method"):
        ask.chat.completions.create(model="me/demo/models/hello", messages=messages)
    with pytest.raises(openai.APIStatusError, match=r"`model` must be a model's URL, .* Got 'me/demo/openai'"):
        ask.chat.completions.create(model="me/demo/openai", messages=messages)
    with pytest.raises(openai.NotFoundError, match="There is no /v2/ext/openai/v1/completions"):
        ask.completions.create(model="me/demo/models/openai", prompt="Hello")
    with pytest.raises(openai.BadRequestError, match="/embeddings has no streaming answer"):
        ask.embeddings.create(model="me/demo/models/openai", input="Hello", extra_body={"stream": True})
    with pytest.raises(openai.BadRequestError, match="`stream` must be true or false"):
        ask.chat.completions.create(model="me/demo/models/openai", messages=messages, extra_body={"stream": "yes"})
    with pytest.raises(openai.NotFoundError, match="OpenAI's API is at /v2/ext/openai/v1"):
        client(emulator, openai, "/v2/ext/openai").responses.create(model="me/demo/models/openai", input="Hello")
