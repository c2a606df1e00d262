"""Users, and what the caller's credential may do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from clarifai_grpc.grpc.auth.scope import scope_pb2

from clarifai_emulator.api.chain import Call, Handler
from clarifai_emulator.api.handlers.resource import Resources
from clarifai_emulator.store import Kind

_PUBLIC_FIELDS = ("id", "first_name", "last_name", "company_name", "created_at", "visibility", "image")


def handlers(resources: Resources) -> dict[str, Handler]:
    """GetUser and the three that list scopes. A user exists once it calls or owns something."""
    users = _Users(resources)
    return {
        "GetUser": users.get_user,
        "MyScopes": users.my_scopes,
        "MyScopesRoot": _all_scopes,
        "MyScopesUser": _all_scopes,
    }


@dataclass(frozen=True, slots=True)
class _Users:
    resources: Resources

    def get_user(self, call: Call, request: Any) -> Any:
        """GetUser: the caller (``me``, empty, or by id), or what others may know of another user. Raises
        ``CallerError`` 11101 for one that is not known."""
        user_id = call.resolve_user(request.user_app_id)
        caller = call.caller.user_id
        self.resources.require_user(user_id, caller)
        self.resources.ensure_user(user_id)
        response = call.rpc.response_type()
        response.user.CopyFrom(self.resources.store.get(Kind.USER, (user_id,)))
        if user_id != caller:
            for field, _ in response.user.ListFields():
                if field.name not in _PUBLIC_FIELDS:
                    response.user.ClearField(field.name)
        return response

    def my_scopes(self, call: Call, request: Any) -> Any:
        """MyScopes: every scope, since the emulator's tokens are not limited."""
        response = _all_scopes(call, request)
        key = (call.resolve_user(request.user_app_id), request.user_app_id.app_id)
        if self.resources.store.get(Kind.APP, key) is not None:
            response.app.CopyFrom(self.resources.shown(Kind.APP, key))
        return response


def _all_scopes(call: Call, _request: Any) -> Any:
    response = call.rpc.response_type()
    response.scopes.extend(_scope_names())
    return response


@cache
def _scope_names() -> tuple[str, ...]:
    return tuple(name for name in scope_pb2.S.keys() if name != "undef")  # noqa: SIM118 - an enum wrapper
