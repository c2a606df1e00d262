"""Writes messages of the API as plain values for a cassette, and reads them.

What is secret or differs each time is left out.
"""

from __future__ import annotations

from typing import Any, cast

from google.protobuf.json_format import ParseDict

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.messages.data_values import arguments_of, method_of, shown_call
from clarifai_emulator.messages.json import as_dict
from clarifai_emulator.replica_tokens import hidden

SCRUBBED = "<scrubbed>"
# Whose values are credentials, wherever they stand.
_SECRET_FIELDS = frozenset({"pat", "token", "session_token", "api_key", "password", "secret_value"})
# Lists of secrets, in requests and answers, and one alone: each has a ``value``.
_HOLDS_SECRETS = ("secret", "secrets")
# Of the status of an answer: a number that is another one each time.
_PASSING = "req_id"
_INFERENCE = ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs")


def answer_from_dict(rpc: str, answer: dict[str, Any]) -> Any:
    """Return the message of a recorded answer."""
    return ParseDict(answer, rpc_table()[rpc].response_type(), ignore_unknown_fields=True)


def call_as_text(rpc: str, request: Any) -> str:
    """Return an inference call as one would write it; empty for other RPCs."""
    if rpc not in _INFERENCE:
        return ""
    return shown_call(method_of(request), arguments_of(request))


def model_of(request: Any, user_id: str) -> ModelKey | None:
    """Return the model that a request of this user is for; None for one that names none."""
    model_id = getattr(request, "model_id", "")
    if not model_id or not hasattr(request, "user_app_id"):
        return None
    owner = request.user_app_id
    return Caller(user_id).resolve(owner.user_id), owner.app_id, model_id


def as_plain(message: Any, secrets: frozenset[str]) -> dict[str, Any]:
    """Return a request or an answer without secrets. ``secrets``: texts that must not be told."""
    told = cast("dict[str, Any]", _scrub(as_dict(message), secrets))
    for name in _HOLDS_SECRETS:
        held = told.get(name, [])
        for each in cast("list[Any]", held if isinstance(held, list) else [held]):
            if isinstance(each, dict) and "value" in each:
                each["value"] = SCRUBBED
    for each in (told, *told.get("outputs", ())):
        if isinstance(each.get("status"), dict):
            each["status"].pop(_PASSING, None)
    return told


def _scrub(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            name: SCRUBBED if name.lower() in _SECRET_FIELDS and isinstance(each, str) else _scrub(each, secrets)
            for name, each in fields.items()
        }
    if isinstance(value, list):
        return [_scrub(each, secrets) for each in cast("list[Any]", value)]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, SCRUBBED)
        return hidden(value)
    return value
