"""Keys and secrets. A secret's value goes in and never comes out; neither is ever logged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Key as ApiKey
from clarifai_grpc.grpc.api.resources_pb2 import Secret
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.chain import Call, Handler
from clarifai_emulator.api.handlers.listing import page_of
from clarifai_emulator.api.handlers.resource import Resources
from clarifai_emulator.api.handlers.rows import Draft, Match, Problem, Resource
from clarifai_emulator.api.handlers.verbs import require_owner, serve
from clarifai_emulator.store import Key, Kind

APP_KEY = "app_specific_key"
PAT = "personal_access_token"


def handlers(resources: Resources) -> dict[str, Handler]:
    """The RPCs of keys and secrets."""
    rows = _Access(resources)
    keys = Resource(
        kind=Kind.KEY,
        stem="Key",
        name="key",
        message=ApiKey,
        in_request="key_id",
        does_not_exist=StatusCode.CONN_KEY_NOT_FOUND,
        invalid_argument=StatusCode.CONN_INVALID_REQUEST,
        not_found_text="The key does not exist.",
        assigns_id=True,
        hides_id=True,  # it is the credential itself, and error texts are logged
        filters=("not_expired", "scopes", "endpoints", "type"),
        prepare=_prepare_key,
        validate=_validate_key,
        matches=rows.key_matches,
    )
    secrets = Resource(
        kind=Kind.SECRET,
        stem="Secret",
        name="secret",
        message=Secret,
        in_request="id",
        does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
        invalid_argument=StatusCode.CONN_INVALID_REQUEST,
        read_only=("version",),
        actions=("overwrite", "merge"),
        prepare=_prepare_secret,
        validate=_validate_secret,
        show=_hide_value,
    )
    return {
        **serve(resources, keys),
        **serve(resources, secrets),
        "ListAppKeys": rows.list_app_keys,
    }


@dataclass(frozen=True, slots=True)
class _Access:
    resources: Resources

    def key_matches(self, _call: Call, request: Any) -> Match:
        now = self.resources.clock.now()

        def match(_key: Key, key: Any) -> bool:
            expired = key.HasField("expires_at") and key.expires_at.ToNanoseconds() / 1e9 <= now
            return (
                not (request.not_expired and expired)
                and request.type in ("", key.type)
                and set(request.scopes) <= set(key.scopes)
                and set(request.endpoints) <= set(key.endpoints)
            )

        return match

    def list_app_keys(self, call: Call, request: Any) -> Any:
        """ListAppKeys: the caller's keys that give access to one app."""
        owner = require_owner(call, request)
        app_id = request.user_app_id.app_id
        keys = (
            key
            for key in self.resources.store.keys(Kind.KEY, (owner,))
            if any(app.id == app_id for app in self.resources.stored(Kind.KEY, key).apps)
        )
        response = call.rpc.response_type()
        response.keys.extend(self.resources.shown(Kind.KEY, key) for key in page_of(request, keys))
        return response


def _prepare_key(draft: Draft) -> None:
    draft.message.type = draft.message.type or APP_KEY


def _validate_key(draft: Draft) -> Iterator[Problem]:
    key = draft.message
    if key.type not in (APP_KEY, PAT):
        yield Problem("type", f"{key.type!r} is neither {APP_KEY} nor {PAT}")
    if key.type == PAT and key.apps:
        yield Problem("apps", f"must be empty for a {PAT}: it gives access to every app")
    if key.type == APP_KEY and len(key.apps) > 1:
        yield Problem("apps", "an app key gives access to one app only")


def _prepare_secret(draft: Draft) -> None:
    secret, old = draft.message, draft.old
    secret.version = 1 if old is None else old.version + (secret.value != old.value)


def _validate_secret(draft: Draft) -> Iterator[Problem]:
    if not draft.message.value:
        yield Problem("value", "must not be empty")


def _hide_value(_key: Key, secret: Secret) -> None:
    secret.ClearField("value")
