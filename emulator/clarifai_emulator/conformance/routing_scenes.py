"""Asks models by every way to name a place, and runs runners that say who they are, for probes of routing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool
from clarifai_emulator.conformance.scripted_runner import ScriptedRunner, scripted_runner

_WAITING = (21351, 21354)
_SECONDS = 30.0


def saying(
    client: PlatformClient, model: MadeModel, word: str, *, place: MadeNodepool | None = None
) -> AbstractContextManager[ScriptedRunner]:
    """Run a runner of the model that answers with ``word``, in a nodepool of its own or in ``place``."""
    return scripted_runner(client, model, lambda item: [word], place=place or scenes.nodepool(client))


def ask(client: PlatformClient, model: MadeModel, *, version: bool = True, **selector: Any) -> Any:
    """Ask once; the answer. ``selector``: ``deployment``, ``nodepool`` and ``runner`` of the runner selector."""
    fields: dict[str, Any] = {"app": model.app, "model_id": model.id, "inputs": [scenes.said("hi")]}
    if version:
        fields["version_id"] = model.version
    if selector:
        fields["runner_selector"] = selector
    return client.call("PostModelOutputs", **fields)


def who(client: PlatformClient, model: MadeModel, *, version: bool = True, **selector: Any) -> str:
    """Ask until somebody answers; what was said, or the status."""

    def look() -> Any:
        answer = ask(client, model, version=version, **selector)
        return None if answer.code in _WAITING else answer

    answer = client.wait(look, seconds=_SECONDS, what="an answer of a runner")
    return scenes.heard(answer) if answer.succeeded else answer.status


def served(client: PlatformClient, model: MadeModel) -> dict[str, Any]:
    """Return the worker of what runs this version of the model."""
    version = {"model_version": {"id": model.version}} if model.version else {}
    return {"model": {"id": model.id, "app_id": model.app, "user_id": client.user_id, **version}}


def named(client: PlatformClient, deployment: str) -> dict[str, Any]:
    """Return the deployment as a runner selector names it."""
    return {"id": deployment, "user_id": client.user_id}


def at(place: MadeNodepool, client: PlatformClient, **fields: Any) -> dict[str, Any]:
    """Return a nodepool as deployments with priorities name it."""
    return {**place.message(client), **fields}
