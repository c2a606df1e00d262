"""Probes of the OpenAI-compatible API, with a scripted runner behind it."""

from __future__ import annotations

import json
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.seen import HttpAnswer
from clarifai_emulator.conformance.text_models import OPENAI, posted, text_model

_CHAT = f"{OPENAI}/chat/completions"
_MESSAGES = [{"role": "user", "content": "hello"}]


def _chat(client: PlatformClient, model: str, **more: Any) -> HttpAnswer:
    return posted(client, _CHAT, {"model": model, "messages": _MESSAGES, **more})


def _error(answer: HttpAnswer) -> Any:
    """Return an error as OpenAI's clients read it, without its text."""
    body = answer.json
    if not isinstance(body, dict):
        return {"http": answer.http_status, "body": "no JSON object"}
    error = body.get("error")
    shape = sorted(error) if isinstance(error, dict) else sorted(body)
    return {"fields": shape, "http": answer.http_status, **_picked(answer, "error.type", "error.code")}


def _picked(answer: HttpAnswer, *paths: str) -> dict[str, Any]:
    return {path: value for path, value in answer.pick(*paths).items() if path != "status"}


def _told(message: Any) -> Any:
    return {"object": "told", "endpoint": message.get("openai_endpoint")}


@probe("openai.endpoints")
def endpoints(client: PlatformClient) -> Any:
    """Ask each endpoint, name the model in each form, show both kinds of token."""
    with text_model(client, _told) as served:
        name = served.name(client)
        answers = {
            path: posted(client, OPENAI + path, {"model": name, "input": "x", "prompt": "x", "messages": _MESSAGES})
            for path in ("/chat/completions", "/responses", "/embeddings", "/images/generations")
        }
        forms = ("https://clarifai.com/{}", "{}", "{}/versions/" + served.model.version)
        key = {"authorization": f"Key {client.account.pat}"}
        return {
            "endpoints": {path: [each.http_status, each.json.get("endpoint")] for path, each in answers.items()},
            "forms": [_chat(client, served.name(client, form)).http_status for form in forms],
            "Key": posted(client, _CHAT, {"model": name, "messages": _MESSAGES}, key).http_status,
        }


@probe("openai.transport-methods")
def transport_methods(client: PlatformClient) -> Any:
    """Look what the model is sent, and what of its answer comes back, whole and as a stream."""
    chunk = {"object": "chat.completion.chunk", "choices": [], "odd": [1, None]}

    def answer_of(message: Any) -> Any:
        return [chunk, {**chunk, "usage": {"total_tokens": 3}}] if message.get("stream") else {"odd": [1, None]}

    with text_model(client, answer_of) as served:
        whole = _chat(client, served.name(client), temperature=0.5, unknown_field={"a": 1})
        stream = _chat(client, served.name(client), stream=True)
        return {
            "sent": [[method, sorted(message)] for method, message in served.calls],
            "endpoint": served.calls[0][1]["openai_endpoint"],
            "unknown field": served.calls[0][1]["unknown_field"],
            "answer": whole.json,
            "content type": stream.headers.get("content-type", "").partition(";")[0],
            "chunks": _events(stream),
        }


def _events(answer: HttpAnswer) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


@probe("openai.routed-as-unnamed")
def routed_as_unnamed(client: PlatformClient) -> Any:
    """Ask a model that is not deployed, and one that is, with fields that would name a deployment elsewhere."""
    model = scenes.version(client)
    body = {"model": f"{client.user_id}/{model.app}/models/{model.id}", "messages": _MESSAGES}
    by_grpc = client.call("PostModelOutputs", **model.address, inputs=[scenes.said("hi")])
    with text_model(client, _told) as served:
        selector = {"deployment": {"id": "nowhere", "user_id": client.user_id}}
        return {
            "not deployed": _error(client.rest("POST", _CHAT, body)),
            "not deployed, over gRPC": by_grpc,
            "names one in the body": _chat(client, served.name(client), runner_selector=selector).http_status,
        }


@probe("openai.models-listed")
def models_listed(client: PlatformClient) -> Any:
    """List the models, with one of the user's that says it has OpenAI's method, and one that does not."""
    signature = {"name": "openai_transport"}
    speaks = scenes.version(client, method_signatures=[signature])
    other = scenes.version(client)
    answer = client.rest("GET", f"{OPENAI}/models")
    listed = {each["id"]: each for each in (answer.json or {}).get("data", [])}
    ours = [each for id, each in listed.items() if id.endswith(speaks.id)]
    return {
        "http": answer.http_status,
        "ours": [{**each, "created": each.get("created", 0) > 0} for each in ours],
        "one without the method": any(id.endswith(other.id) for id in listed),
        "fields": sorted(answer.json or {}),
    }


@probe("openai.error-shape")
def error_shape(client: PlatformClient) -> Any:
    """Make each kind of error: of the request, the model's name, the token, and of the model itself."""
    body = {"model": f"{client.user_id}/nowhere/models/nothing", "messages": _MESSAGES}

    def own_error(message: Any) -> Any:
        return {"code": 21313, "description": "Model prediction failed", "details": "out of order"}

    with text_model(client, own_error) as served:
        of_model = _chat(client, served.name(client))
    return {
        "unknown model": _error(client.rest("POST", _CHAT, body)),
        "no name": _error(client.rest("POST", _CHAT, {"model": "gpt-4", "messages": _MESSAGES})),
        "no JSON": _error(client.rest("POST", _CHAT, b"{")),
        "no token": _error(client.rest("POST", _CHAT, body, headers={"authorization": ""})),
        "unknown token": _error(client.with_token("0" * 32).rest("POST", _CHAT, body)),
        "its own": _error(of_model),
    }


@probe("openai.completions")
def completions(client: PlatformClient) -> Any:
    """Ask for endpoints that are not there."""
    body = {"model": f"{client.user_id}/nowhere/models/nothing", "prompt": "hello"}
    return {path: _error(client.rest("POST", OPENAI + path, body)) for path in ("/completions", "/nothing")}
