"""Keeps the log lines of builds and runners, each with its time, and where it is from.

A stream is what one source (a runner, a build) writes as one log type. Streams are bounded, and so is their
number: the stream that was written to longest ago is dropped first.
"""

from __future__ import annotations

import heapq
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import ComputeSourceMetadata, LogEntry, UserAppIDSet

from clarifai_emulator.listeners import Listeners

BUILDER = "builder"
RUNNER = "runner"
RUNNER_EVENTS = "runner.events"
PIPELINE_RUN = "pipeline.version.run"

_SOURCE_FIELDS = (
    "user_id",
    "app_id",
    "model_id",
    "model_version_id",
    "compute_cluster_id",
    "nodepool_id",
    "runner_id",
    "pipeline_id",
    "pipeline_version_id",
    "pipeline_version_run_id",
    "pipeline_step_id",
    "pipeline_step_version_id",
)
LogSource = tuple[str, ...]
# More than a stream has lines: only what is gone is forgotten then.
_MOST_REPLICAS = 10_000


def log_source(
    *,
    user_id: str,
    app_id: str = "",
    model_id: str = "",
    model_version_id: str = "",
    compute_cluster_id: str = "",
    nodepool_id: str = "",
    runner_id: str = "",
    pipeline_id: str = "",
    pipeline_version_id: str = "",
    pipeline_version_run_id: str = "",
    pipeline_step_id: str = "",
    pipeline_step_version_id: str = "",
) -> LogSource:
    """Return the ids of what writes a log. ``user_id`` is who may read it: the owner of the runner or of the model
    that is built."""
    return (
        *(user_id, app_id, model_id, model_version_id, compute_cluster_id, nodepool_id, runner_id),
        *(pipeline_id, pipeline_version_id, pipeline_version_run_id),
        *(pipeline_step_id, pipeline_step_version_id),
    )


@dataclass(slots=True)  # not frozen: that doubles the time in which one is made, and each request prints one
class LogLine:
    """Describes a line of a log. ``seq`` grows by one over all streams; ``time`` is seconds since the epoch, when
    the emulator read it. ``deployment_id``, ``replica_id`` and ``origin`` (who wrote it) are empty where they are
    not known."""

    seq: int
    time: float
    log_type: str
    source: LogSource
    message: str
    deployment_id: str = ""
    replica_id: str = ""
    origin: str = ""

    @property
    def ids(self) -> dict[str, str]:
        """Return the ids of what it is from, by the names that ``log_source`` takes."""
        return dict(zip(_SOURCE_FIELDS, self.source, strict=True))

    def is_from(self, match: Mapping[str, str]) -> bool:
        """Tell if its source has these ids; an empty one matches every source."""
        ids = self.ids
        return all(value in ("", ids[name]) for name, value in match.items())


class LogStream(deque[LogLine]):
    """Holds the newest lines of one source, and knows whose replicas' lines are or were among them."""

    def __init__(self, keep: int) -> None:
        super().__init__(maxlen=keep)
        self.replicas: set[str] = set()

    def note(self, replica_id: str) -> None:
        """Remember that a replica writes here; the replicas of lines that are gone are forgotten when many came."""
        self.replicas.add(replica_id)
        if len(self.replicas) > _MOST_REPLICAS:
            self.replicas = {line.replica_id for line in self}

    def of_replica(self, replica_id: str, since: int) -> list[LogLine]:
        """Return the lines of a replica after number ``since``; nothing before that is looked at."""
        found: list[LogLine] = []
        for line in reversed(self):
            if line.seq <= since:
                break
            if line.replica_id == replica_id:
                found.append(line)
        found.reverse()
        return found


class LogBook:
    """Keeps log lines by type and source. ``keep``: lines per stream; ``streams``: how many; ``now``: the time."""

    def __init__(self, *, keep: int = 5_000, streams: int = 512, now: Callable[[], float] = time.time) -> None:
        self._keep = keep
        self._max_streams = streams
        self._now = now
        self._streams: OrderedDict[tuple[str, LogSource], LogStream] = OrderedDict()
        self._listeners: Listeners[LogLine] = Listeners("log lines")
        self._seq = 0
        # Clients show an entry once per url, so urls of two emulators on the same port must differ too.
        self._run = secrets.token_hex(4)

    def append(
        self,
        log_type: str,
        message: str,
        *,
        deployment_id: str = "",
        replica_id: str = "",
        origin: str = "",
        time: float = 0.0,
        **ids: str,
    ) -> None:
        """Add one line, and tell the subscribers. ``ids``: of its source, as ``log_source`` takes them. ``time``:
        when it was written, if that was not now."""
        self.add(
            log_type,
            message,
            log_source(**ids),
            deployment_id=deployment_id,
            replica_id=replica_id,
            origin=origin,
            time=time,
        )

    def add(
        self,
        log_type: str,
        message: str,
        source: LogSource,
        *,
        deployment_id: str = "",
        replica_id: str = "",
        origin: str = "",
        time: float = 0.0,
    ) -> None:
        """Add one line of a source that is known, as ``append`` does."""
        self._seq += 1
        line = LogLine(self._seq, time or self._now(), log_type, source, message, deployment_id, replica_id, origin)
        stream = self._stream(log_type, source)
        stream.append(line)
        if replica_id not in stream.replicas:
            stream.note(replica_id)
        if self._listeners.subscribers:
            self._listeners.tell(line)

    def entries(self, log_type: str, **match: str) -> Iterator[LogEntry]:
        """Give the lines that ``lines`` finds as the platform's log entries, each with a ``url`` of its own."""
        return map(self.entry, self.lines(log_type, **match))

    def lines(self, log_type: str, **match: str) -> Iterator[LogLine]:
        """Give the kept lines of a type, oldest first, whose source has these ids (``runner_id="r"``…); an empty id
        matches every source. Raises ``TypeError`` for a name that is not an id of a source."""
        unknown = set(match) - set(_SOURCE_FIELDS)
        if unknown:
            raise TypeError(f"a log entry has no {', '.join(sorted(unknown))}; it has {', '.join(_SOURCE_FIELDS)}")
        wanted = [(_SOURCE_FIELDS.index(name), value) for name, value in match.items() if value]
        found = [
            list(stream)
            for (kind, source), stream in self._streams.items()
            if kind == log_type and all(source[position] == value for position, value in wanted)
        ]
        return heapq.merge(*found, key=lambda line: line.seq)

    def of_replica(self, replica_id: str, log_types: Collection[str], *, since: int = 0) -> Iterator[LogLine]:
        """Give the kept lines of a replica after number ``since``, oldest first: as much work as there are newer
        lines of its runner, however much the book holds."""
        found = [
            stream.of_replica(replica_id, since)
            for (kind, _), stream in self._streams.items()
            if kind in log_types and replica_id in stream.replicas
        ]
        return heapq.merge(*found, key=lambda line: line.seq)

    def subscribe(self, subscriber: Callable[[LogLine], object]) -> Callable[[], None]:
        """Call ``subscriber`` for every line from now on; the returned function ends that."""
        return self._listeners.subscribe(subscriber)

    @property
    def last_seq(self) -> int:
        """Return the number of the newest line; 0 before the first."""
        return self._seq

    def clear(self) -> None:
        """Forget every line; subscribers and numbering stay."""
        self._streams.clear()

    def forget(self, is_whose: Callable[[str], bool]) -> None:
        """Forget the lines of the users for whom ``is_whose`` holds."""
        for key in [key for key in self._streams if is_whose(key[1][0])]:
            del self._streams[key]

    def entry(self, line: LogLine) -> LogEntry:
        """Return a line as the platform's log entry."""
        url = f"/v2/log_entries/{self._run}-{line.seq}"
        return LogEntry(message=line.message, log_type=line.log_type, url=url, meta=_meta(line.source))

    def _stream(self, log_type: str, source: LogSource) -> LogStream:
        key = (log_type, source)
        if key in self._streams:
            self._streams.move_to_end(key)
        else:
            self._streams[key] = LogStream(self._keep)
            if len(self._streams) > self._max_streams:
                self._streams.popitem(last=False)
        return self._streams[key]


def _meta(source: LogSource) -> ComputeSourceMetadata:
    ids = dict(zip(_SOURCE_FIELDS, source, strict=True))
    owner = UserAppIDSet(user_id=ids.pop("user_id"), app_id=ids.pop("app_id"))
    cluster_owner = owner.user_id if ids["compute_cluster_id"] else ""
    return ComputeSourceMetadata(user_app_id=owner, compute_cluster_user_id=cluster_owner, **ids)
