"""Answers for users, and for what the caller's credential may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import User
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.scopes import scope_names
from clarifai_emulator.store import Kind

_PUBLIC_FIELDS = ("id", "first_name", "last_name", "company_name", "created_at", "visibility", "image")


def handlers(resources: Resources) -> dict[str, Handler]:
    """GetUser and the three that list scopes. A user exists once it calls or owns something."""
    users = _Users(resources)
    return {
        "GetUser": users.get_user,
        "MyScopes": users.my_scopes,
        "MyScopesRoot": _scopes,
        "MyScopesUser": _scopes,
    }


def organisations_of(resources: Resources, call: ApiCall, request: Any) -> list[tuple[str, str]]:
    """Ids and names of the organisations that a user is in. Raises ``CallerError`` for somebody else's."""
    user_id, caller = call.caller.resolve_user(request.user_app_id), call.caller.user_id
    resources.require_user(user_id, caller)
    if not resources.organisations.may_change(caller, user_id):
        raise CallerError(
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            f"User {caller!r} may not list the organisations of user {user_id!r}.",
            hint="Ask for your own: the user id 'me'.",
        )
    others = sorted(resources.organisations.of_user.get(user_id, frozenset()) - {user_id})
    users = [resources.store.get(Kind.USER, (each,)) or User(id=each) for each in others]
    return [(user.id, user.company_name or user.id) for user in users]


@dataclass(frozen=True, slots=True)
class _Users:
    resources: Resources

    def get_user(self, call: ApiCall, request: Any) -> Any:
        """GetUser: the caller (``me``, empty, or by id), or what others may know of another user. Raises
        ``CallerError`` 11101 for one that is not known."""
        user_id = call.caller.resolve_user(request.user_app_id)
        caller = call.caller.user_id
        self.resources.require_user(user_id, caller)
        self.resources.ensure_user(user_id)
        response = call.rpc.response_type()
        response.user.CopyFrom(self.resources.store.get(Kind.USER, (user_id,)))
        if not self.resources.organisations.may_change(caller, user_id):
            for field, _ in response.user.ListFields():
                if field.name not in _PUBLIC_FIELDS:
                    response.user.ClearField(field.name)
        return response

    def my_scopes(self, call: ApiCall, request: Any) -> Any:
        """MyScopes: the scopes of the caller's credential, and the app that is asked about if it may see it."""
        response = _scopes(call, request)
        key = (call.caller.resolve_user(request.user_app_id), request.user_app_id.app_id)
        caller = call.caller.user_id
        if self.resources.store.get(Kind.APP, key) is not None and self.resources.visible(Kind.APP, key, caller):
            response.app.CopyFrom(self.resources.shown(Kind.APP, key, caller))
        return response


def _scopes(call: ApiCall, _request: Any) -> Any:
    response = call.rpc.response_type()
    has = call.caller.scopes
    response.scopes.extend(name for name in scope_names() if has is None or name in has)
    return response
