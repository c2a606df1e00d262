"""Describes keys and secrets. A secret's value is shown to its owner; neither is ever logged.

A key that is made here is a credential (``api/access/issued_keys.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Key as ApiKey
from clarifai_grpc.grpc.api.resources_pb2 import Secret
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft, Match, Problem, Resource
from clarifai_emulator.resources.scopes import scope_problems
from clarifai_emulator.store import Key, Kind

APP_KEY = "app_specific_key"
PAT = "personal_access_token"

# A timestamp that no calendar has cannot be shown to anybody.
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


def _prepare_key(_: Resources, draft: Draft) -> None:
    draft.message.type = draft.message.type or APP_KEY


def _key_matches(resources: Resources, request: Any) -> Match:
    now = resources.clock.now()

    def match(_key: Key, key: Any) -> bool:
        expired = key.HasField("expires_at") and key.expires_at.ToNanoseconds() / 1e9 <= now
        return (
            not (request.not_expired and expired)
            and request.type in ("", key.type)
            and set(request.scopes) <= set(key.scopes)
            and set(request.endpoints) <= set(key.endpoints)
        )

    return match


def _validate_key(resources: Resources, draft: Draft) -> Iterator[Problem]:
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
        yield from _organisation_problems(resources, draft)
    users = {each[0] for each in resources.store.find_keys(Kind.KEY, key.id)}
    if draft.old is None and users - {draft.owner}:
        # The id is the credential: two users cannot have the same one.
        yield Problem("id", "is taken; choose another id, or leave it out", StatusCode.DATABASE_DUPLICATE_KEY)


def _organisation_problems(resources: Resources, draft: Draft) -> Iterator[Problem]:
    organisation = draft.message.organization_id
    if draft.message.type != PAT:
        yield Problem("organization_id", f"is for a {PAT} only")
    if not resources.organisations.may_change(draft.owner, organisation):
        yield Problem("organization_id", f"user {draft.owner!r} is not a member of organisation {organisation!r}")


def _prepare_secret(_: Resources, draft: Draft) -> None:
    """Keep version and time of a secret over a patch, as the platform's answer to one has them (Clarifai/docs
    ``secrets_patch_output.txt``, of 2025-10)."""
    secret, old = draft.message, draft.old
    secret.version = 1
    if old is not None:
        secret.modified_at.CopyFrom(old.modified_at)


def _validate_secret(_: Resources, draft: Draft) -> Iterator[Problem]:
    if not draft.message.value:
        yield Problem("value", "must not be empty")


def _show_secret(resources: Resources, _key: Key, secret: Secret, _viewer: str) -> None:
    """Show the value: all that may see a secret at all are its owner (Clarifai/docs ``secrets_get_output.txt``)."""
    if resources.behaviour.secret_values == "hidden":
        secret.ClearField("value")


KEY = Resource(
    kind=Kind.KEY,
    message=ApiKey,
    does_not_exist=StatusCode.CONN_KEY_NOT_FOUND,
    not_found_text="The key does not exist.",
    assigns_id=True,
    hides_id=True,  # it is the credential itself, and error texts are logged
    filters=("not_expired", "scopes", "endpoints", "type"),
    prepare=_prepare_key,
    validate=_validate_key,
    matches=_key_matches,
)

SECRET = Resource(
    kind=Kind.SECRET,
    message=Secret,
    in_request="id",
    read_only=("version",),
    actions=("overwrite", "merge"),
    prepare=_prepare_secret,
    validate=_validate_secret,
    show=_show_secret,
)
