"""Applications that call hosted models run offline: stand-ins serve them, on shared compute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from clarifai.client import Model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ConfigError
from flow.driver import MODELS, PORT, Client, inference_request, running, wait_for
from flow.hosted import require_served_by_a_stand_in

GPT = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
TOPOLOGY = f"""
stand_ins:
  - model: {GPT}
    answers:
      - {{contains: weather, text: "It is sunny, as ever."}}
      - I am a stand-in.
  - model: https://clarifai.com/clarifai/main/models/hello
    path: {MODELS / "hello"}
"""


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("hosting")
    (folder / "topology.yaml").write_text(TOPOLOGY)
    with running(topology=(folder / "topology.yaml",), cache_dir=folder / "cache") as emulator:
        yield emulator


def hosted(emulator: EmulatorThread, url: str) -> Any:
    assert f":{PORT}" not in emulator.url
    return Model(url=url, base_url=emulator.url, pat="any-token")


def test_canned_answers_of_every_form(hosting: EmulatorThread) -> None:
    model = hosted(hosting, GPT)
    assert model.predict(prompt="How is the WEATHER?") == "It is sunny, as ever."
    assert model.predict(prompt="Who are you?") == "I am a stand-in."
    assert list(model.generate(prompt="weather")) == ["It", " is", " sunny,", " as", " ever."]
    history = [{"role": "user", "content": "hi"}, {"role": "user", "content": "weather?"}]
    assert model.predict(chat_history=history) == "It is sunny, as ever."


def test_openais_client_is_shown_hosted_models_and_may_name_them_by_their_id_alone(hosting: EmulatorThread) -> None:
    with openai.OpenAI(base_url=f"{hosting.url}/v2/ext/openai/v1", api_key="any-token", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["openai/chat-completion/models/gpt-4o"]
        for name in ("gpt-4o", "openai/chat-completion/models/gpt-4o"):
            asked: Any = [{"role": "user", "content": "The weather?"}]
            answer = client.chat.completions.create(model=name, messages=asked)
            assert answer.choices[0].message.content == "It is sunny, as ever."
        with pytest.raises(openai.BadRequestError, match=r"a hosted model's id alone will do\. Got 'gpt-5'"):
            client.chat.completions.create(model="gpt-5", messages=asked)


def test_canned_answers_as_openai_has_them(hosting: EmulatorThread) -> None:
    model = hosted(hosting, GPT)
    content = [{"type": "text", "text": "The weather?"}]
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}
    answer = json.loads(model.openai_transport(json.dumps(request)))
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "It is sunny, as ever."}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}

    request |= {"stream": True, "stream_options": {"include_usage": True}}
    chunks = [json.loads(each) for each in model.openai_stream_transport(json.dumps(request))]
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    assert "".join(deltas) == "It is sunny, as ever."
    assert chunks[-1]["usage"]["total_tokens"] == 7
    assert {each["object"] for each in chunks} == {"chat.completion.chunk"}


def test_they_are_routed_to_shared_compute_and_the_route_says_so(hosting: EmulatorThread) -> None:
    require_served_by_a_stand_in(hosting, prompt="x")


def test_a_directory_stands_in(hosting: EmulatorThread) -> None:
    model = hosted(hosting, "https://clarifai.com/clarifai/main/models/hello")
    assert model.predict(prompt="you") == "Hello, you!"


def test_another_model_of_that_user_is_not_hosted(hosting: EmulatorThread) -> None:
    client = Client(hosting.url)
    request = inference_request("gpt-5", user="openai", app="chat-completion", prompt="x")
    assert client.call("PostModelOutputs", request).status.code == StatusCode.MODEL_DOES_NOT_EXIST
    client.close()


def test_without_an_answer_that_fits(tmp_path: Path) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text(f"stand_ins: [{{model: {GPT}, answers: [{{contains: weather, text: Sunny.}}]}}]\n")
    with running(topology=(topology,), cache_dir=tmp_path / "cache") as emulator:
        client = Client(emulator.url)
        request = inference_request("gpt-4o", user="openai", app="chat-completion", prompt="news?")
        status = wait_for(lambda: client.call("PostModelOutputs", request).status)
        assert "This stand-in has no answer to 'news?'. Give it one without `contains`." in status.details
        emulator.reset()
        assert client.call("PostModelOutputs", request).status.code != StatusCode.MODEL_NOT_DEPLOYED
        client.close()


def test_ones_own_model_needs_no_stand_in(tmp_path: Path) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text("stand_ins: [{model: me/main/models/mine, answers: [x]}]\n")
    with (
        pytest.raises(ConfigError, match="model 'mine' of user 'me' is your own;") as caught,
        running(topology=(topology,)),
    ):
        pass
    assert f"{topology}:1: " in str(caught.value)
