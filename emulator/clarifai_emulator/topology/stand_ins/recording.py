"""Reads what a cassette holds of one hosted model: its calls, and the methods it had when they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.cassettes import RecordedCall, read_cassette
from clarifai_emulator.messages.address import ModelKey

_INFERENCE = ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs")


@dataclass(frozen=True, slots=True)
class Recording:
    """The recorded calls of a model. ``name``: the cassette's file name. ``signatures``: the ``MethodSignature``
    messages that clients were told, as plain values; empty when nobody asked."""

    name: str
    calls: tuple[RecordedCall, ...]
    signatures: tuple[dict[str, Any], ...] = ()


def recording_of(file: Path, model: ModelKey) -> Recording:
    """Return what a cassette holds of a model. Raises ``ConfigError`` for one that cannot be used, and
    ``LookupError`` that says what there is when there is nothing of this model."""
    calls = read_cassette(file).calls
    inference = [call for call in calls if call.rpc in _INFERENCE and not _was_given_up(call)]
    found = tuple(call for call in inference if _model_of(call) == model)
    if not found:
        there = ", ".join(dict.fromkeys("/".join(_model_of(call)) for call in inference)) or "no model"
        raise LookupError(f"{file} holds no call of {'/'.join(model)}; it holds calls of {there}")
    return Recording(file.name, found, _signatures(calls, model))


def _was_given_up(call: RecordedCall) -> bool:
    """Tell whether the client left before it was answered."""
    return call.rpc == "PostModelOutputs" and not call.answers and call.error is None


def _model_of(call: RecordedCall) -> ModelKey:
    """Return the model that a recorded request names."""
    request = call.requests[0]
    owner = request.get("user_app_id") or {}
    return owner.get("user_id", ""), owner.get("app_id", ""), request.get("model_id", "")


def _signatures(calls: Iterable[RecordedCall], model: ModelKey) -> tuple[dict[str, Any], ...]:
    """Return the signatures that were told last."""
    told: tuple[dict[str, Any], ...] = ()
    for call in calls:
        if call.rpc.startswith(("Get", "List")) and _model_of(call) == model:
            for version in _versions(call.answers):
                told = tuple(version.get("method_signatures") or ()) or told
    return told


def _versions(answers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for answer in answers:
        yield from answer.get("model_versions") or ()
        yield answer.get("model_version") or {}
        yield (answer.get("model") or {}).get("model_version") or {}
