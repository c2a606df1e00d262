"""OpenAI's own client works by base URL alone with a model of ``OpenAIModelClass``."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults import Fault
from flow.driver import MODELS, running

URL = "https://clarifai.com/me/demo/models/openai"
ASK: Any = [{"role": "user", "content": "hello there"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorThread]:
    with running() as emulator:
        emulator.deploy(MODELS / "openai")
        emulator.deploy(MODELS / "hello")
        yield emulator


@pytest.fixture
def client(shared: EmulatorThread) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{shared.url}/v2/ext/openai/v1", api_key="any-token", max_retries=0) as client:
        yield client


# What works


@pytest.mark.parametrize("model", [URL, "me/demo/models/openai"])
def test_a_chat_is_answered_with_its_usage(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=ASK)
    assert answer.choices[0].message.content == "You said: hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 2)


def test_a_version_can_be_named_and_the_route_is_in_the_headers(
    client: openai.OpenAI, shared: EmulatorThread
) -> None:
    deployed = next(each for each in shared.status()["deployments"] if each["deployment_id"] == "deploy-openai")
    version = deployed["versions"][0]["version_id"]
    raw = client.chat.completions.with_raw_response.create(model=f"{URL}/versions/{version}", messages=ASK)
    assert raw.headers["x-clarifai-emulator-rule"] == "owner_default"
    assert raw.headers["x-clarifai-request-id"]
    assert raw.parse().choices[0].message.content == "You said: hello there"


def test_options_reach_the_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=URL, messages=[{"role": "user", "content": "options"}], temperature=0.5, seed=7
    )
    said = json.loads((answer.choices[0].message.content or "").removeprefix("You said: "))
    assert (said["temperature"], said["seed"]) == (0.5, 7)


def test_a_chat_comes_in_pieces(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=URL, messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [
        chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
    ]
    assert pieces == ["You", "said:", "hello", "there"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 4


def test_a_tool_is_called_and_its_answer_taken(client: openai.OpenAI) -> None:
    asked = client.chat.completions.create(model=URL, messages=ASK, tools=[TOOL]).choices[0]
    assert asked.finish_reason == "tool_calls"
    call: Any = (asked.message.tool_calls or [])[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("look_up", {"text": "hello there"})
    history: Any = [*ASK, asked.message, {"role": "tool", "tool_call_id": call.id, "content": "found"}]
    answer = client.chat.completions.create(model=URL, messages=history, tools=[TOOL])
    assert answer.choices[0].message.content == "You said: found"


def test_a_tool_call_can_be_streamed(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=URL, messages=ASK, tools=[TOOL], stream=True))
    calls = [chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices]
    named: Any = next(call for call in calls if call)
    assert named[0].function.name == "look_up"


def test_responses_whole_and_in_events(client: openai.OpenAI) -> None:
    answer = client.responses.create(model=URL, input="hello there")
    assert answer.output_text == "You said: hello there"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 4
    events = list(client.responses.create(model=URL, input="hello there", stream=True))
    assert events[0].type == "response.created"
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == [
        "You", "said:", "hello", "there",
    ]  # fmt: skip
    assert events[-1].type == "response.completed"


def test_the_clients_own_readers_of_streams_work(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=URL, messages=ASK) as chat:
        assert [event.content for event in chat if event.type == "content.done"] == ["Yousaid:hellothere"]
    with client.responses.stream(model=URL, input="hello there") as stream:
        texts = [event.text for event in stream if event.type == "response.output_text.done"]
        assert texts == [stream.get_final_response().output_text] == ["You said: hello there"]


def test_embeddings_and_images(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=URL, input=["four", "fives"])
    assert [each.embedding for each in answer.data] == [[4.0, 0.5, -1.0], [5.0, 0.5, -1.0]]
    assert answer.usage.prompt_tokens == 2
    images = client.images.generate(model=URL, prompt="a cat", n=2)
    assert [image.b64_json for image in images.data or []] == ["YSBjYXQ=", "YSBjYXQ="]


def test_the_models_that_speak_openai_are_listed(client: openai.OpenAI) -> None:
    listed = list(client.models.list())
    assert [model.id for model in listed] == ["me/demo/models/openai"]
    assert listed[0].owned_by == "me"
    assert client.chat.completions.create(model=listed[0].id, messages=ASK).choices
    assert client.models.retrieve(URL).id == "me/demo/models/openai"


async def test_the_asynchronous_client_works_too(shared: EmulatorThread) -> None:
    base = f"{shared.url}/v2/ext/openai/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="any-token", max_retries=0) as client:
        answer = await client.chat.completions.create(model=URL, messages=ASK)
        assert answer.choices[0].message.content == "You said: hello there"
        stream = await client.chat.completions.create(model=URL, messages=ASK, stream=True)
        pieces = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
        assert [piece for piece in pieces if piece] == ["You", "said:", "hello", "there"]


# What does not


def test_an_unknown_model_is_not_found_in_openais_shape(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="me/demo/models/nothing", messages=ASK)
    body: Any = raised.value.body
    assert (body["type"], body["code"], body["param"]) == ("not_found_error", "21200", None)
    assert "nothing" in body["message"]


def test_a_model_name_that_is_none_is_told_what_one_is(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="gpt-4", messages=ASK)
    assert "`model` must be a model's URL, as https://clarifai.com/USER/APP/models/MODEL" in str(raised.value)
    assert "Got 'gpt-4'." in str(raised.value)


def test_a_model_of_another_class_is_told_apart(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="me/demo/models/hello", messages=ASK)
    assert "Method openai_transport not found in model class" in str(raised.value)
    assert "This endpoint needs a model whose class has that method." in str(raised.value)


def test_a_model_of_another_class_is_told_apart_in_a_stream_too(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        list(client.chat.completions.create(model="me/demo/models/hello", messages=ASK, stream=True))
    assert "This endpoint needs a model whose class has that method." in str(raised.value)


@pytest.mark.parametrize("base", ["", "/v1", "/v2/ext/openai", "/v2/ext/openai/v2"])
def test_a_wrong_base_url_is_told_with_the_right_one(shared: EmulatorThread, base: str) -> None:
    right = f"{shared.url}/v2/ext/openai/v1"
    with openai.OpenAI(base_url=shared.url + base, api_key="any-token", max_retries=0) as client:
        for call in (client.models.list, lambda: client.chat.completions.create(model=URL, messages=ASK)):
            with pytest.raises(openai.NotFoundError) as raised:
                call()
            assert f"OpenAI's API is at /v2/ext/openai/v1: give the client base_url='{right}'." in str(raised.value)


def test_a_model_that_fails_is_a_server_error_with_its_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=URL, messages=[{"role": "user", "content": "fail"}])
    body: Any = raised.value.body
    assert (body["message"], body["type"], body["code"]) == ("the backend is out of order", "server_error", "21313")


def test_a_stream_that_fails_at_once_has_the_status_and_one_that_fails_later_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="the backend is out of order"):
        list(client.chat.completions.create(model=URL, messages=[{"role": "user", "content": "fail"}], stream=True))
    stream = client.chat.completions.create(
        model=URL, messages=[{"role": "user", "content": "now break please"}], stream=True
    )
    pieces: list[str] = []
    with pytest.raises(openai.APIError, match="the backend broke off"):
        pieces.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert pieces == [] or pieces[:3] == ["", "You", "said:"]


def test_a_fault_is_seen_as_openais_client_sees_the_platforms(
    client: openai.OpenAI, shared: EmulatorThread
) -> None:
    with shared.faults.add(Fault(model="openai", status="CONN_THROTTLED", times=1)):
        with pytest.raises(openai.RateLimitError) as raised:
            client.chat.completions.create(model=URL, messages=ASK)
    assert raised.value.status_code == 429


def test_without_a_good_token_it_is_an_authentication_error(shared: EmulatorThread) -> None:
    with openai.OpenAI(base_url=f"{shared.url}/v2/ext/openai/v1", api_key="no good token", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError, match=r"Invalid format of key\."):
            client.chat.completions.create(model=URL, messages=ASK)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/chat/completions", b"{", 400, "The body of POST /chat/completions is no JSON: "),
        ("POST", "/chat/completions", b"[]", 400, "The body must be a JSON object, got an array."),
        ("POST", "/chat/completions", b"{}", 400, "Got null."),
        (
            "POST",
            "/chat/completions",
            b'{"model":"a/b/models/c","stream":"yes"}',
            400,
            "`stream` must be true or false",
        ),
        (
            "POST",
            "/embeddings",
            b'{"model":"a/b/models/c","stream":true}',
            400,
            "/embeddings has no streaming answer",
        ),
        ("POST", "/chat/completion", b"{}", 404, "Did you mean /v2/ext/openai/v1/chat/completions?"),
        ("POST", "/v1/embeddings", b"{}", 404, "Did you mean /v2/ext/openai/v1/embeddings?"),
        (
            "POST",
            "/completions",
            b"{}",
            404,
            "There is no /v2/ext/openai/v1/completions: models here have chat completions. Let the client use "
            "these: OpenAILike(…, is_chat_model=True) in llama-index, ChatOpenAI in LangChain, the prefix openai/ "
            "in LiteLLM, client.chat.completions in OpenAI's own.",
        ),
        ("GET", "/chat/completions", None, 405, "this path knows POST."),
        ("POST", "/models", b"{}", 405, "this path knows GET."),
    ],
)
def test_what_cannot_be_read_is_said_in_openais_shape(
    shared: EmulatorThread, method: str, path: str, body: bytes | None, status: int, says: str
) -> None:
    request = urllib.request.Request(
        f"{shared.url}/v2/ext/openai/v1{path}", data=body, method=method, headers={"Authorization": "Bearer t"}
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)
    with raised.value as answer:
        assert answer.code == status
        error = json.loads(answer.read())["error"]
    assert says in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
