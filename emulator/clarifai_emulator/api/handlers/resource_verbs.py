"""Answers Post, Get, List, Patch and Delete, written once for every row of the table of resources.

request → whose, which → allowed? → ``Resources`` checks and stores → shown
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.listing import page_of, refuse_unknown_filters
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.descriptors import is_repeated
from clarifai_emulator.resources.resource import Resources, at_path
from clarifai_emulator.resources.roles import roles_that_change
from clarifai_emulator.resources.rows import Resource
from clarifai_emulator.store import Key, Kind


def serve(resources: Resources) -> dict[str, Handler]:
    """Return the handlers of every row of the table, for those of its RPCs that the platform has.

    Raises ``TypeError`` for a row that names a field which the platform's requests do not have, or that has no RPC.
    """
    return {name: handler for row in resources.served for name, handler in _handlers(resources, row).items()}


def _handlers(resources: Resources, row: Resource) -> dict[str, Handler]:
    one, many = row.stem, f"{row.stem}s"
    forms = {
        "Post": (post, (many,)),
        "Get": (get, (one,)),
        "List": (list_page, (many,)),
        "Patch": (patch, (one, many)),
        "Delete": (delete, (one, many)),
    }
    found: dict[str, Handler] = {}
    for verb in row.verbs:
        handler, ends = forms[verb]
        for name in (f"{verb}{end}" for end in ends):
            if name in rpc_table():
                _require_fields(row, verb, name)
                found[name] = partial(handler, resources, row)
    if not found:
        raise TypeError(f"The platform has no RPC {' or '.join(f'{verb}{row.stem}' for verb in row.verbs)}.")
    return found


def _require_fields(row: Resource, verb: str, rpc: str) -> None:
    paths = [parent.in_request for parent in row.parents] + ([row.in_request] if verb == "Get" else [])
    for path in paths:
        message = rpc_table().request_of(rpc)
        for name in path.split("."):
            if message is None or name not in message.fields_by_name:
                raise TypeError(f"The row of {row.noun}s names {path!r}, which {rpc} does not have.")
            message = message.fields_by_name[name].message_type


def post(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Any:
    """Create the items of a request for the caller: all or none."""
    owner = require_owner(resources, call, request, row.kind)
    _, *parents = _prefix(row, call, request)
    makes = resources.behaviour.apps == "on-mention"
    keys = resources.post(row.kind, owner, parents, _items(row, request), makes_parents=makes)
    return _answer(resources, row, call, keys)


def get(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Any:
    """Show one resource."""
    return _answer(resources, row, call, [target(resources, row, call, request)])


def list_page(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Any:
    """Show a page of what the caller may see: of one user, or of everybody when the request names no user."""
    own_fields = ("user_app_id", "page", "per_page", *(parent.in_request for parent in row.parents))
    refuse_unknown_filters(request, known=own_fields + row.filters, ignored=row.ignored_filters)
    caller = call.caller.user_id
    prefix = _prefix(row, call, request)
    if not request.user_app_id.user_id and not any(prefix[1:]):
        prefix = ()
    else:
        resources.require_user(prefix[0], caller)
        resources.require_parents(row, (*prefix, ""), caller)
    keys = resources.below(row.kind, prefix)
    if not prefix or prefix[0] != caller:
        keys = (key for key in keys if resources.visible(row.kind, key, caller))
    if all(each.name in own_fields + row.ignored_filters for each, _ in request.ListFields()):
        # Nothing is filtered or sorted: what lies before the page is not looked at.
        return _answer(resources, row, call, page_of(request, keys))
    matches = row.matches(resources, request)
    found = (
        (key, item)
        for key in keys
        for item in (resources.store.get(row.kind, key),)
        if matches is None or matches(key, item)
    )
    return _answer(resources, row, call, [key for key, _ in page_of(request, row.order(request, found))])


def patch(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Any:
    """Change the items of a request: all or none."""
    owner = require_owner(resources, call, request, row.kind)
    _, *parents = _prefix(row, call, request)
    items = _items(row, request)
    if call.rpc.name == f"Patch{row.stem}" and items and not items[0].id:
        items[0].id = at_path(request, row.in_request)  # REST names the one resource in its path
    return _answer(resources, row, call, resources.patch(row.kind, owner, parents, items, request.action))


def delete(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Any:
    """Remove what a request names; nothing when one of them does not exist."""
    require_owner(resources, call, request, row.kind)
    prefix = _prefix(row, call, request)
    ids = _ids(row, request)
    if getattr(request, "delete_all", False):
        keys = list(resources.below(row.kind, prefix))
    elif not ids:
        # The text of a recorded answer (Clarifai/docs, a comment on its page about managing compute).
        raise CallerError(
            row.invalid_argument, "Must supply a list of 'ids' to delete.", hint="Check your request fields."
        )
    else:
        keys = resources.to_delete(row.kind, prefix, ids)
    resources.delete(row.kind, keys)
    return call.rpc.response_type()


def target(resources: Resources, row: Resource, call: ApiCall, request: Any) -> Key:
    """The key of the resource that a Get request names. Raises ``CallerError`` when there is none that the
    caller may see."""
    pattern = (*_prefix(row, call, request), at_path(request, row.in_request))
    key = resources.find(row.kind, pattern)
    if key is None:
        key = _made(resources, row, call, pattern)
    if key is None or not resources.visible(row.kind, key, call.caller.user_id):
        raise _noted(call, resources.missing(row.kind, pattern, call.caller.user_id))
    return key


def _noted(call: ApiCall, error: CallerError) -> CallerError:
    """Note an error's hint for the log. Who raises an error must not hold it: its trace holds the frame."""
    call.notes["hint"] = error.hint
    return error


def _made(resources: Resources, row: Resource, call: ApiCall, key: Key) -> Key | None:
    """Make what is not there and return its key: an app of the caller, where that was chosen."""
    if row.make is None or resources.behaviour.apps != "on-mention":
        return None
    if key[0] != call.caller.user_id or not call.caller.may_add(row.stem):
        return None
    row.make(resources, key)
    return key


def require_owner(resources: Resources, call: ApiCall, request: Any, kind: Kind) -> str:
    """The user whose resources a writing request changes. Raises ``CallerError`` 11007 unless that is the caller,
    or an organisation the caller is a member of, with a role that changes resources of this kind."""
    owner, caller = call.caller.resolve_user(request.user_app_id), call.caller.user_id
    if not resources.organisations.may_change(caller, owner):
        raise CallerError(
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            f"User {caller!r} may not change resources of user {owner!r}.",
            hint=f"Send the request with a PAT of {owner!r}, or name your own user id.",
            row="reading.write-for-another",
        )
    if not resources.organisations.may_change_kind(caller, owner, kind):
        role, noun = resources.organisations.role(caller, owner).name, resources.row(kind).noun
        raise CallerError(
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            f"User {caller!r} may not change any {noun} of {owner!r}: its role there is {role}.",
            hint=f"Roles that may: {', '.join(roles_that_change(kind))}.",
        )
    return owner


def _answer(resources: Resources, row: Resource, call: ApiCall, keys: Iterable[Key]) -> Any:
    response = call.rpc.response_type()
    fields = response.DESCRIPTOR.fields_by_name
    shown = [resources.shown(row.kind, key, call.caller.user_id) for key in keys]
    if row.names in fields:
        getattr(response, row.names).extend(shown)
    elif row.name in fields and shown:
        getattr(response, row.name).CopyFrom(shown[0])
    return response


def _prefix(row: Resource, call: ApiCall, request: Any) -> Key:
    ids = (at_path(request, parent.in_request) for parent in row.parents)
    return (call.caller.resolve_user(request.user_app_id), *ids)


def _items(row: Resource, request: Any) -> list[Any]:
    """The items of a Post or Patch request: every field of the row's message type, single or list."""
    items: list[Any] = []
    for each in request.DESCRIPTOR.fields:
        if each.message_type is row.message.DESCRIPTOR:
            if is_repeated(each):
                items.extend(getattr(request, each.name))
            elif request.HasField(each.name):
                items.append(getattr(request, each.name))
    return items


def _ids(row: Resource, request: Any) -> list[str]:
    for name in ("ids", f"{row.name}_ids"):
        if name in request.DESCRIPTOR.fields_by_name:
            return list(getattr(request, name))
    return [at_path(request, row.in_request)]
