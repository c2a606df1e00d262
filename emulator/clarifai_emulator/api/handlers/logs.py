"""Log entries: listing what builds and runners wrote, and adding to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import LogEntry
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.chain import Call, Handler
from clarifai_emulator.api.handlers.listing import MAX_PER_PAGE, refuse_unknown_filters
from clarifai_emulator.errors import CallerError
from clarifai_emulator.logbook import BUILDER, RUNNER, RUNNER_EVENTS, LogBook

DEFAULT_PER_PAGE = 32
# The platform's other types, of which the emulator writes none: their listings are empty.
LOG_TYPES = ("agent", BUILDER, "builder.events", RUNNER, RUNNER_EVENTS, "pipeline.version.run")
_FILTERS = ("model_id", "model_version_id", "compute_cluster_id", "nodepool_id", "runner_id")


def handlers(logbook: LogBook) -> dict[str, Handler]:
    """ListLogEntries and PostLogEntries."""
    logs = _Logs(logbook)
    return {"ListLogEntries": logs.list_entries, "PostLogEntries": logs.post_entries}


@dataclass(frozen=True, slots=True)
class _Logs:
    logbook: LogBook

    def list_entries(self, call: Call, request: Any) -> Any:
        """ListLogEntries: the caller's entries of one type, oldest first.

        Without ``page``, the last one (proto comment). A page past the end is empty, where the comment says
        that the last one comes again: a client that reads to the first empty page would never end.
        """
        known = ("user_app_id", "page", "per_page", "log_type", "compute_cluster_user_id", *_FILTERS)
        refuse_unknown_filters(request, known=known, ignored=())
        _require_log_type(request.log_type, "log_type")
        found = [] if self._foreign(call, request) else list(self._found(call, request))
        response = call.rpc.response_type()
        size = min(request.per_page or DEFAULT_PER_PAGE, MAX_PER_PAGE)
        page = request.page or max(1, -(-len(found) // size))
        entries = found[(page - 1) * size : page * size]
        if entries:
            response.log_entries.extend(entries)
            response.page, response.per_page = page, size
        return response

    def post_entries(self, call: Call, request: Any) -> Any:
        """PostLogEntries: adds entries as the caller's; each gets a url of its own."""
        for index, entry in enumerate(request.log_entries):
            _require_log_type(entry.log_type, f"log_entries[{index}].log_type")
        for entry in _own(call, request.log_entries):
            meta = entry.meta
            self.logbook.append(
                entry.log_type,
                entry.message,
                user_id=call.caller.user_id,
                app_id=meta.user_app_id.app_id,
                **{name: getattr(meta, name) for name in _FILTERS},
            )
        return call.rpc.response_type()

    def _foreign(self, call: Call, request: Any) -> bool:
        users = (request.user_app_id.user_id, request.compute_cluster_user_id)
        return any(call.caller.resolve(user) != call.caller.user_id for user in users)

    def _found(self, call: Call, request: Any) -> Any:
        match = {name: getattr(request, name) for name in _FILTERS}
        if request.log_type == BUILDER:
            match["app_id"] = request.user_app_id.app_id
        return self.logbook.entries(request.log_type, user_id=call.caller.user_id, **match)


def _own(call: Call, entries: Sequence[LogEntry]) -> Sequence[LogEntry]:
    for entry in entries:
        owner = call.resolve_user(entry.meta.user_app_id)
        if owner != call.caller.user_id:
            raise CallerError(
                StatusCode.CONN_INSUFFICIENT_SCOPES,
                f"User {call.caller.user_id!r} may not write log entries of user {owner!r}.",
                hint="Leave meta.user_app_id.user_id out, or name your own user id.",
            )
    return entries


def _require_log_type(log_type: str, where: str) -> None:
    if log_type not in LOG_TYPES:
        raise CallerError(
            StatusCode.LOG_ENTRIES_INVALID_REQUEST,
            f"{where}: {log_type!r} is not a type of log entry.",
            hint=f"Use one of {', '.join(LOG_TYPES)}.",
        )
