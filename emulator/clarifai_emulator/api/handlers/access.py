"""Keys and secrets. A secret's value goes in and never comes out; neither is ever logged.

A key that is made here is a credential (``api/access/issued_keys.py``); nobody makes one that may do more than
their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Key as ApiKey
from clarifai_grpc.grpc.api.resources_pb2 import Secret
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.issued_keys import APP_KEY, PAT
from clarifai_emulator.api.access.scopes import scope_problems
from clarifai_emulator.api.chain import Call, Handler
from clarifai_emulator.api.handlers.listing import page_of
from clarifai_emulator.api.handlers.verbs import require_owner, serve
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Problem, Resource
from clarifai_emulator.store import Key, Kind

# A timestamp that no calendar has cannot be shown to anybody.
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


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
        validate=rows.validate_key,
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
    key_handlers = serve(resources, keys)
    return {
        **key_handlers,
        **serve(resources, secrets),
        "PostKeys": _no_more_than_the_caller(key_handlers["PostKeys"]),
        "PatchKeys": _no_more_than_the_caller(key_handlers["PatchKeys"]),
        "ListAppKeys": rows.list_app_keys,
    }


@dataclass(frozen=True, slots=True)
class _Access:
    resources: Resources

    def key_matches(self, request: Any) -> Match:
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

    def validate_key(self, draft: Draft) -> Iterator[Problem]:
        key = draft.message
        if key.type not in (APP_KEY, PAT):
            yield Problem("type", f"{key.type!r} is neither {APP_KEY} nor {PAT}")
        if key.type == PAT and key.apps:
            yield Problem("apps", f"must be empty for a {PAT}: it gives access to every app")
        if key.type == APP_KEY and len(key.apps) > 1:
            yield Problem("apps", "an app key gives access to one app only")
        for problem in scope_problems(key.scopes):
            yield Problem("scopes", problem)
        if not 0 <= key.expires_at.seconds <= _LAST_SECOND or not 0 <= key.expires_at.nanos < 1_000_000_000:
            yield Problem("expires_at", "is not a time between 1970 and 9999")
        if key.organization_id:
            yield from self._organisation_problems(draft)
        users = {each[0] for each in self.resources.store.find_keys(Kind.KEY, key.id)}
        if draft.old is None and users - {draft.owner}:
            # The id is the credential: two users cannot have the same one.
            yield Problem("id", "is taken; choose another id, or leave it out", StatusCode.DATABASE_DUPLICATE_KEY)

    def _organisation_problems(self, draft: Draft) -> Iterator[Problem]:
        organisation = draft.message.organization_id
        if draft.message.type != PAT:
            yield Problem("organization_id", f"is for a {PAT} only")
        if not self.resources.organisations.may_change(draft.owner, organisation):
            yield Problem(
                "organization_id", f"user {draft.owner!r} is not a member of organisation {organisation!r}"
            )

    def list_app_keys(self, call: Call, request: Any) -> Any:
        """ListAppKeys: the caller's keys that give access to one app."""
        owner = require_owner(self.resources, call, request)
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


def _no_more_than_the_caller(handler: Any) -> Handler:
    """The handler, after a look at the keys of its request: a limited credential makes no wider one."""

    def checked(call: Call, request: Any) -> Any:
        has = call.caller
        for index, key in enumerate(request.keys):
            is_new = call.rpc.name == "PostKeys"
            for name, own in (("scopes", has.scopes), ("endpoints", has.endpoints)):
                given = set(getattr(key, name))
                if own is None or (not given and not is_new):
                    continue
                more = sorted(given - own) if given else ["all (none is listed)"]
                if more:
                    raise CallerError(
                        StatusCode.CONN_INSUFFICIENT_SCOPES,
                        f"keys[{index}].{name}: your own key does not have {', '.join(more)}.",
                        hint="List only what it has, or use a key that has more.",
                    )
        return handler(call, request)

    return checked


def _prepare_secret(draft: Draft) -> None:
    secret, old = draft.message, draft.old
    secret.version = 1 if old is None else old.version + (secret.value != old.value)


def _validate_secret(draft: Draft) -> Iterator[Problem]:
    if not draft.message.value:
        yield Problem("value", "must not be empty")


def _hide_value(_key: Key, secret: Secret, _viewer: str) -> None:
    secret.ClearField("value")
