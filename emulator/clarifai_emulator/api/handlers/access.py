"""Lists the keys of an app, and keeps a limited credential from making a wider one."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.listing import page_of
from clarifai_emulator.api.handlers.resource_verbs import require_owner
from clarifai_emulator.errors import CallerError
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
        "PatchKeys": _no_more_than_the_caller(served["PatchKeys"]),
        "ListAppKeys": list_app_keys,
    }


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
                    raise CallerError(
                        StatusCode.CONN_INSUFFICIENT_SCOPES,
                        f"keys[{index}].{name}: your own key does not have {', '.join(more)}.",
                        hint="List only what it has, or use a key that has more.",
                    )
        return handler(call, request)

    return checked
