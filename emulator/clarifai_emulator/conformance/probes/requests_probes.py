"""Probes of requests, answers and credentials."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scripted_runner import asked, scripted_runner


@probe("requests.credential-malformed")
def credentials(client: PlatformClient) -> Any:
    """Show credentials that cannot be one."""

    def shown(header: str) -> Any:
        return client.call("ListApps", metadata={"authorization": header})

    return {
        "none": shown(""),
        "no scheme": shown("abc"),
        "lower-case key": shown("key abcdef0123456789abcdef0123456789"),
        "odd characters": shown("Key $$$"),
        "unknown": shown("Key 00000000000000000000000000000000"),
    }


@probe("requests.app-key")
def app_key(client: PlatformClient) -> Any:
    """Use a key of one app elsewhere."""
    own, another = client.shared(scenes.app), scenes.app(client)
    scopes = ["Apps_Get", "Models_Get", "Concepts_Get"]
    key = {"description": client.name("key"), "scopes": scopes, "apps": [{"id": own, "user_id": client.user_id}]}
    limited = client.with_token(client.do("PostKeys", keys=[key]).message.keys[0].id)
    return {
        "its app": limited.call("ListModels", app=own),
        "another app": limited.call("ListModels", app=another),
        "an RPC for users": limited.call("ListApps"),
        "a scope that it lacks": limited.call("PostModels", app=own, models=[{"id": client.name("model")}]),
    }


@probe("requests.method-raises")
def method_raises(client: PlatformClient) -> Any:
    """Call a model whose method raises."""
    failure = {"status": {"code": 10020, "description": "Failure", "details": "boom", "stack_trace": ["line 1"]}}
    model = scenes.version(client)
    with scripted_runner(client, model, lambda item: [failure]) as runner:
        scenes.deployment(client, model, runner.place)
        answer = asked(client, runner, model)
    return {**answer.pick("status.details", "status.stack_trace"), "outputs": len(answer.message.outputs)}
