"""Lists log entries of builds and runners, follows them, and adds to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import LogEntry
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.listing import MAX_PER_PAGE, refuse_unknown_filters
from clarifai_emulator.errors import CallerError
from clarifai_emulator.listeners import following
from clarifai_emulator.logbook import BUILDER, PIPELINE_RUN, RUNNER, RUNNER_EVENTS, LogBook, LogLine
from clarifai_emulator.resources.permissions import Organisations

DEFAULT_PER_PAGE = 32
# Entries that may wait for a client which follows a log: as many as a source keeps.
_MOST_BEHIND = 5_000
# The platform's other types, of which the emulator writes none: their listings are empty.
LOG_TYPES = ("agent", BUILDER, "builder.events", RUNNER, RUNNER_EVENTS, PIPELINE_RUN)
_FILTERS = (
    *("model_id", "model_version_id", "compute_cluster_id", "nodepool_id", "runner_id"),
    *("pipeline_id", "pipeline_version_id", "pipeline_version_run_id"),
    *("pipeline_step_id", "pipeline_step_version_id"),
)


def handlers(logbook: LogBook, organisations: Organisations, keep: Callable[[], None]) -> dict[str, Handler]:
    """ListLogEntries, StreamLogEntries and PostLogEntries. ``keep`` makes lasting what the log book has, before an
    answer tells of it."""
    logs = _Logs(logbook, organisations, keep)
    return {
        "ListLogEntries": logs.list_entries,
        "StreamLogEntries": logs.stream_entries,
        "PostLogEntries": logs.post_entries,
    }


@dataclass(frozen=True, slots=True)
class _Logs:
    logbook: LogBook
    organisations: Organisations
    keep: Callable[[], None]

    def list_entries(self, call: ApiCall, request: Any) -> Any:
        """ListLogEntries: the caller's entries of one type, oldest first.

        Without ``page``, the last one (proto comment). A page past the end is empty, where the comment says
        that the last one comes again: a client that reads to the first empty page would never end.
        """
        known = ("user_app_id", "page", "per_page", "log_type", "compute_cluster_user_id", *_FILTERS)
        refuse_unknown_filters(request, known=known, ignored=())
        _require_log_type(request.log_type, "log_type")
        self.keep()
        found = self._found(call, request)
        response = call.rpc.response_type()
        size = min(request.per_page or DEFAULT_PER_PAGE, MAX_PER_PAGE)
        page = request.page or max(1, -(-len(found) // size))
        entries = found[(page - 1) * size : page * size]
        if entries:
            response.log_entries.extend(map(self.logbook.entry, entries))
            response.page, response.per_page = page, size
        return response

    async def stream_entries(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """StreamLogEntries: the caller's kept entries of one type, then each new one until the client ends it."""
        request = await anext(requests)
        known = ("user_app_id", "log_type", "compute_cluster_user_id", *_FILTERS)
        refuse_unknown_filters(request, known=known, ignored=())
        _require_log_type(request.log_type, "log_type")
        match = self._match(call, request)

        def wants(line: LogLine) -> bool:
            return line.log_type == request.log_type and match is not None and line.is_from(match)

        with following(self.logbook.subscribe, wants, most=_MOST_BEHIND) as follower:
            self.keep()
            kept = self._found(call, request)
            for start in range(0, len(kept), MAX_PER_PAGE):
                page = kept[start : start + MAX_PER_PAGE]
                yield call.rpc.response_type(log_entries=map(self.logbook.entry, page))
            while True:
                missed, lines = await follower.next(MAX_PER_PAGE)
                if missed:
                    raise CallerError(
                        StatusCode.LOG_ENTRIES_INVALID_REQUEST,
                        f"More than {_MOST_BEHIND} entries wait for this client to read them.",
                        hint="Read them as they come, or page through them with ListLogEntries.",
                    )
                self.keep()
                yield call.rpc.response_type(log_entries=map(self.logbook.entry, lines))

    def post_entries(self, call: ApiCall, request: Any) -> Any:
        """PostLogEntries: adds entries as the caller's, or its organisation's; each gets a url of its own."""
        for index, entry in enumerate(request.log_entries):
            _require_log_type(entry.log_type, f"log_entries[{index}].log_type")
        owners = [self._owner(call, entry) for entry in request.log_entries]
        for owner, entry in zip(owners, request.log_entries, strict=True):
            meta = entry.meta
            self.logbook.append(
                entry.log_type,
                entry.message,
                user_id=owner,
                app_id=meta.user_app_id.app_id,
                **{name: getattr(meta, name) for name in _FILTERS},
            )
        self.keep()
        return call.rpc.response_type()

    def _found(self, call: ApiCall, request: Any) -> list[LogLine]:
        """The lines that a request asks for, as far as they are the caller's to read."""
        match = self._match(call, request)
        return [] if match is None else list(self.logbook.lines(request.log_type, **match))

    def _match(self, call: ApiCall, request: Any) -> dict[str, str] | None:
        """Return what an entry's source must have. Entries are one user's: the caller's, or those of an
        organisation it is in; None for anybody else's."""
        said = (request.user_app_id.user_id, request.compute_cluster_user_id)
        users = [call.caller.resolve(each) for each in said if each] or [call.caller.user_id]
        if not all(self.organisations.may_change(call.caller.user_id, each) for each in users):
            return None
        match = {name: getattr(request, name) for name in _FILTERS}
        if request.log_type == BUILDER:
            match["app_id"] = request.user_app_id.app_id
        return {**match, "user_id": users[-1]}

    def _owner(self, call: ApiCall, entry: LogEntry) -> str:
        owner, caller = call.caller.resolve_user(entry.meta.user_app_id), call.caller.user_id
        if not self.organisations.may_change(caller, owner):
            raise CallerError(
                StatusCode.CONN_INSUFFICIENT_SCOPES,
                f"User {caller!r} may not write log entries of user {owner!r}.",
                hint="Leave meta.user_app_id.user_id out, or name your own user id.",
            )
        return owner


def _require_log_type(log_type: str, where: str) -> None:
    if log_type not in LOG_TYPES:
        raise CallerError(
            StatusCode.LOG_ENTRIES_INVALID_REQUEST,
            f"{where}: {log_type!r} is not a type of log entry.",
            hint=f"Use one of {', '.join(LOG_TYPES)}.",
        )
