"""Lists the keys of an app, and keeps a limited credential from making or reading a wider one.

The id of a key is the credential itself: whoever reads it has all its rights.
"""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.issued_keys import caller_of
from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.listing import page_of
from clarifai_emulator.api.handlers.resource_verbs import require_owner
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.compute_rows import HIDDEN
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Kind


def handlers(resources: Resources, served: dict[str, Handler]) -> dict[str, Handler]:
    """Return the RPCs of keys that do more than their row says. ``served``: those of the rows."""

    def list_app_keys(call: ApiCall, request: Any) -> Any:
        """Answer ListAppKeys: the caller's keys that give access to one app."""
        owner = require_owner(resources, call, request, Kind.KEY)
        app_id = request.user_app_id.app_id
        keys = (
            key
            for key in resources.store.keys(Kind.KEY, (owner,))
            if any(app.id == app_id for app in resources.stored(Kind.KEY, key).apps)
        )
        response = call.rpc.response_type()
        response.keys.extend(resources.shown(Kind.KEY, key) for key in page_of(request, keys))
        return response

    return {
        "PostKeys": _no_more_than_the_caller(served["PostKeys"]),
        "PatchKeys": _hides_wider_keys(_no_more_than_the_caller(served["PatchKeys"])),
        "GetKey": _hides_wider_keys(served["GetKey"]),
        "ListKeys": _hides_wider_keys(served["ListKeys"]),
        "ListAppKeys": _hides_wider_keys(list_app_keys),
    }


def _hides_wider_keys(handler: Any) -> Handler:
    """Return the handler with the ids left out of keys that may do more than the caller's."""

    def hiding(call: ApiCall, request: Any) -> Any:
        response = handler(call, request)
        owner = call.caller.resolve(request.user_app_id.user_id)
        for key in response.keys if hasattr(response, "keys") else [response.key]:
            if not call.caller.covers(caller_of(key, owner)):
                key.id = HIDDEN
        return response

    return hiding


def _no_more_than_the_caller(handler: Any) -> Handler:
    """Return the handler behind a look at the keys of its request: a limited credential makes no wider one."""

    def checked(call: ApiCall, request: Any) -> Any:
        has = call.caller
        for index, key in enumerate(request.keys):
            is_new = call.rpc.name == "PostKeys"
            for name, own in (("scopes", has.scopes), ("endpoints", has.endpoints)):
                given = set(getattr(key, name))
                if own is None or (not given and not is_new):
                    continue
                more = sorted(given - own) if given else ["all (none is listed)"]
                if more:
                    raise _wider(
                        f"keys[{index}].{name}: your own key does not have {', '.join(more)}.",
                        "List only what it has, or use a key that has more.",
                    )
            expires_at = key.expires_at.seconds if key.HasField("expires_at") else None
            if not has.outlives(expires_at) and (is_new or expires_at is not None):
                raise _wider(
                    f"keys[{index}].expires_at: your own key expires before that.",
                    "Give it an end that is no later than your key's, or use a key that lasts longer.",
                )
        return handler(call, request)

    return checked


def _wider(details: str, hint: str) -> CallerError:
    return CallerError(StatusCode.CONN_INSUFFICIENT_SCOPES, details, hint=hint, row="requests.no-wider-key")
