"""Serves models that take and give one text, as those behind the OpenAI-compatible API and MCP do, at no cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.scripted_runner import ScriptedItem, ScriptedRunner, asked, scripted_runner
from clarifai_emulator.conformance.seen import HttpAnswer

OPENAI = "/v2/ext/openai/v1"
MCP = "/v2/ext/mcp/v1"
_BEARER = "Bearer {}"
# What a deployment is answered until its first runner is known.
_WAITING = (404, 502, 503, 504)
_SECONDS = 20.0

# Gives what the model answers to a message: text, data to be sent as JSON, or an exception for one that fails.
AnswerOf = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class TextModel:
    """Holds a model that is deployed, and what came to its runner."""

    model: MadeModel
    runner: ScriptedRunner

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """Return the method and the message of each request that came, without the first, which tried it."""
        return [(method_of(item), json.loads(item.text)) for item in self.runner.items if item.text != "hi"]

    def name(self, client: PlatformClient, form: str = "https://clarifai.com/{}") -> str:
        """Return the model's name as OpenAI's clients give it."""
        return form.format(f"{client.user_id}/{self.model.app}/models/{self.model.id}")

    def mcp_path(self, client: PlatformClient) -> str:
        """Return the path of the model's MCP server."""
        return f"{MCP}/users/{client.user_id}/apps/{self.model.app}/models/{self.model.id}"


@contextmanager
def text_model(client: PlatformClient, answer_of: AnswerOf) -> Generator[TextModel]:
    """Deploy a model whose runner answers each message with ``answer_of(message)``, while the block runs."""
    model = scenes.version(client)

    def script(item: ScriptedItem) -> Any:
        if item.text == "hi":
            return ["hi"]
        answers = answer_of(json.loads(item.text))
        return [_output(each) for each in (answers if isinstance(answers, list) else [answers])]

    with scripted_runner(client, model, script) as runner:
        asked(client, runner, model)
        scenes.deployment(client, model, runner.place)
        yield TextModel(model, runner)


def posted(client: PlatformClient, path: str, body: Any, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Post with a Bearer token, and again while the model's deployment is not yet known everywhere."""
    named = {"authorization": _BEARER.format(client.account.pat), **(headers or {})}

    def look() -> HttpAnswer | None:
        answer = client.rest("POST", path, body, headers=named)
        return None if answer.http_status in _WAITING else answer

    return client.wait(look, seconds=_SECONDS, what="an answer of the model")


def method_of(item: ScriptedItem) -> str:
    """Return the method that a request names."""
    return str(item.request.inputs[0].data.metadata["_method_name"])


def failed(details: str) -> dict[str, Any]:
    """Return the answer of a runner whose model raised."""
    return {"status": {"code": 10020, "description": "Failure", "details": details}}


def _output(answer: Any) -> dict[str, Any]:
    if isinstance(answer, dict) and "status" in answer:
        return answer
    text = answer if isinstance(answer, str) else json.dumps(answer)
    success = {"code": 10000, "description": "Ok"}
    part = {"id": "return", "data": {"string_value": text}}
    return {"status": success, "outputs": [{"status": success, "data": {"parts": [part]}}]}
