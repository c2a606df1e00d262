"""Keeps the log lines of builds and runners, as the platform's own log entries.

A stream is what one source (a runner, a build) writes as one log type. Streams are bounded, and so is their
number: the stream that was written to longest ago is dropped first.
"""

from __future__ import annotations

import heapq
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from clarifai_grpc.grpc.api.resources_pb2 import ComputeSourceMetadata, LogEntry, UserAppIDSet

BUILDER = "builder"
RUNNER = "runner"
RUNNER_EVENTS = "runner.events"

Subscriber = Callable[[LogEntry], None]
_SOURCE_FIELDS = (
    "user_id",
    "app_id",
    "model_id",
    "model_version_id",
    "compute_cluster_id",
    "nodepool_id",
    "runner_id",
)
_Source = tuple[str, ...]


class LogBook:
    """Log entries by type and source. ``keep``: entries per stream; ``streams``: how many streams."""

    def __init__(self, *, keep: int = 5_000, streams: int = 512) -> None:
        self._keep = keep
        self._max_streams = streams
        self._streams: OrderedDict[tuple[str, _Source], deque[tuple[int, str]]] = OrderedDict()
        self._subscribers: list[Subscriber] = []
        self._seq = 0
        # Clients show an entry once per url, so urls of two emulators on the same port must differ too.
        self._run = secrets.token_hex(4)

    def append(
        self,
        log_type: str,
        message: str,
        *,
        user_id: str,
        app_id: str = "",
        model_id: str = "",
        model_version_id: str = "",
        compute_cluster_id: str = "",
        nodepool_id: str = "",
        runner_id: str = "",
    ) -> None:
        """Add one entry, with a ``url`` of its own, and tell the subscribers. ``user_id`` is who may read it: the
        owner of the runner or of the model that is built."""
        source = (user_id, app_id, model_id, model_version_id, compute_cluster_id, nodepool_id, runner_id)
        self._seq += 1
        self._stream(log_type, source).append((self._seq, message))
        for subscriber in tuple(self._subscribers):
            subscriber(self._entry(log_type, source, self._seq, message))

    def entries(self, log_type: str, **match: str) -> Iterator[LogEntry]:
        """Kept entries of a type, oldest first, whose source has these ids (``runner_id="r"``…); an empty id
        matches every source. Raises ``TypeError`` for a name that is not an id of a source."""
        unknown = set(match) - set(_SOURCE_FIELDS)
        if unknown:
            raise TypeError(f"a log entry has no {', '.join(sorted(unknown))}; it has {', '.join(_SOURCE_FIELDS)}")
        wanted = [(_SOURCE_FIELDS.index(name), value) for name, value in match.items() if value]
        found = [
            [(seq, message, source) for seq, message in stream]
            for (kind, source), stream in self._streams.items()
            if kind == log_type and all(source[position] == value for position, value in wanted)
        ]
        return (self._entry(log_type, source, seq, message) for seq, message, source in heapq.merge(*found))

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` for every entry from now on; the returned function ends that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def clear(self) -> None:
        """Forget every entry; subscribers and numbering stay."""
        self._streams.clear()

    def forget(self, is_whose: Callable[[str], bool]) -> None:
        """Forget what these users may read."""
        for key in [key for key in self._streams if is_whose(key[1][0])]:
            del self._streams[key]

    def _entry(self, log_type: str, source: _Source, seq: int, message: str) -> LogEntry:
        url = f"/v2/log_entries/{self._run}-{seq}"
        return LogEntry(message=message, log_type=log_type, url=url, meta=_meta(source))

    def _stream(self, log_type: str, source: _Source) -> deque[tuple[int, str]]:
        key = (log_type, source)
        if key in self._streams:
            self._streams.move_to_end(key)
        else:
            self._streams[key] = deque(maxlen=self._keep)
            if len(self._streams) > self._max_streams:
                self._streams.popitem(last=False)
        return self._streams[key]


def _meta(source: _Source) -> ComputeSourceMetadata:
    user_id, app_id, model_id, model_version_id, compute_cluster_id, nodepool_id, runner_id = source
    return ComputeSourceMetadata(
        user_app_id=UserAppIDSet(user_id=user_id, app_id=app_id),
        model_id=model_id,
        model_version_id=model_version_id,
        compute_cluster_user_id=user_id if compute_cluster_id else "",
        compute_cluster_id=compute_cluster_id,
        nodepool_id=nodepool_id,
        runner_id=runner_id,
    )
