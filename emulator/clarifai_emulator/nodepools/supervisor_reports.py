"""Reports what the supervisor does: events, log entries, and the errors callers get while nothing can serve
them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ComputeInfo, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.errors import CallerError, NoRoom
from clarifai_emulator.events import EventBus
from clarifai_emulator.logbook import LogBook, LogSource, log_source
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.models.versions import build_failed
from clarifai_emulator.nodepools.fleet import Fleet, ReplicaRecord, Target
from clarifai_emulator.nodepools.ways_out import ways_out

_SOURCES_KEPT = 1_000


def cannot_be_seen_to(deployment_id: str, reason: str) -> CallerError:
    """The error of requests that waited for a deployment when the emulator failed over it."""
    return CallerError(
        StatusCode.INTERNAL_UNCATEGORIZED,
        f"The emulator failed while it saw to the replicas of deployment '{deployment_id}': {reason}.",
        hint="This is a bug of the emulator, or versions of its packages do not fit each other: its log has the "
        "trace, and `clarifai-emulator status` lists it. The next request lets it be tried again.",
        description="Internal error",
    )


class Reporter:
    """Tells the event bus and the log book what happens to fleets and their replicas."""

    def __init__(self, *, events: EventBus, logbook: LogBook) -> None:
        self._events = events
        self._logbook = logbook
        self._sources: dict[tuple[LaneKey, str], tuple[Target, Runner | None, LogSource]] = {}

    def replica(self, fleet: Fleet, record: ReplicaRecord, kind: str, message: str, **fields: Any) -> None:
        """Something happened to one replica."""
        place = {"nodepool": "/".join(record.nodepool), "machine": record.placement.machine}
        self._events.emit(kind, message=message, replica_id=record.replica_id, **place, **_names(fleet), **fields)
        self.log(fleet, "runner.events", f"{kind}: {message}", record.runner, replica_id=record.replica_id)

    def fleet(self, fleet: Fleet, kind: str, message: str, **fields: Any) -> None:
        """Something happened to a deployment as a whole."""
        self._events.emit(kind, reason=message, **_names(fleet), **fields)
        self.log(fleet, "runner.events", f"{kind}: {message}")

    def pending(self, fleet: Fleet, reason: str, no_room: NoRoom, runner: Runner) -> None:
        """A wanted replica has no room. The line in its runner's log begins with what is missing: the official
        command line shows 77 characters of it, and waits."""
        self._events.emit("deployment.pending", reason=reason, for_good=no_room.for_good, **_names(fleet))
        self.log(fleet, "runner.events", f"No room: {no_room}", runner)

    def log(
        self,
        fleet: Fleet,
        log_type: str,
        line: str,
        runner: Runner | None = None,
        *,
        replica_id: str = "",
        origin: str = "",
    ) -> None:
        """Write one line of a log that clients can list. ``origin``: who wrote it, where a replica printed it."""
        self._logbook.add(
            log_type,
            line,
            self._source(fleet, runner),
            deployment_id=fleet.lane.key.deployment_id,
            replica_id=replica_id,
            origin=origin,
        )

    def _source(self, fleet: Fleet, runner: Runner | None) -> LogSource:
        """Return where a line is from; a replica prints one for each request, so it is kept."""
        key = fleet.lane.key, "" if runner is None else runner.id
        known = self._sources.get(key)
        if known is not None and known[0] is fleet.target and known[1] is runner:
            return known[2]
        version, model, nodepools = fleet.target.version, fleet.target.model, fleet.target.nodepools
        _, cluster_id, nodepool_id = nodepools[0][0] if nodepools else ("", "", "")
        if runner is not None:
            cluster_id, nodepool_id = runner.nodepool.compute_cluster.id, runner.nodepool.id
        source = log_source(
            user_id=fleet.lane.key.user_id or model.user_id,
            app_id=model.app_id,
            model_id=model.id,
            model_version_id=version.id,
            compute_cluster_id=cluster_id,
            nodepool_id=nodepool_id,
            runner_id="" if runner is None else runner.id,
        )
        if len(self._sources) >= _SOURCES_KEPT:
            self._sources.clear()
        self._sources[key] = fleet.target, runner, source
        return source


def _names(fleet: Fleet) -> dict[str, str]:
    return {
        "deployment_id": fleet.lane.key.deployment_id,
        "user_id": fleet.lane.key.user_id,
        "model_id": fleet.target.model.id,
        "version_id": fleet.target.version.id,
    }


def keeps_failing(fleet: Fleet, why: str) -> CallerError:
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"{fleet.target.sentence_name} has no replica: {fleet.failures} starts in a row failed, the last "
        f"because {why}.\n{fleet.last_failure}\n",
        hint=_way_out(fleet.last_failure, _code_of(fleet.target))
        or "Mend the model and deploy it again; `clarifai-emulator logs` has everything it printed.",
        row="dispatch.load-fails",
    )


def _code_of(target: Target) -> str:
    """The model's own source, as far as it can be read: the address of a server stands there."""
    texts: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        for file in sorted((target.source.path / "1").glob("*.py")) if target.source is not None else ():
            texts.append(file.read_text(encoding="utf-8"))
    return "\n".join(texts)


def cannot_be_placed(
    reason: str, required: ComputeInfo, *, is_strict: bool = False, config_key: str = ""
) -> CallerError:
    """Return the error that no replica can be placed. ``is_strict``: only --strict-capacity is in the way;
    ``config_key``: where config.yaml says what it needs."""
    hint = ways_out(required, is_strict=is_strict, config_key=config_key)
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"No replica can be placed for {reason.rstrip('.')}.",
        hint=hint,
        row="refusals.nowhere-fits",
    )


def holds_the_accelerators(target: Target, reason: str) -> CallerError:
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"{target.sentence_name} serves with the accelerators that the new version needs, and there are no others: "
        f"{reason.rstrip('.')}.",
        hint="End what serves first: `clarifai-emulator deploy DIR --stop-first`; requests wait meanwhile.",
    )


def has_ports(ports: Sequence[int]) -> str:
    """Say which ports are taken, after their owner."""
    names = ", ".join(map(str, sorted(set(ports))))
    many = "s" if len(set(ports)) > 1 else ""
    return f"listens at port{many} {names} of this machine, which the new one's may want"


def _way_out(failure: str, code: str) -> str:
    # What is known of failures is read when a model fails.
    from clarifai_emulator.models.load_failures import way_out

    return way_out(failure, code)


def no_code(target: Target) -> CallerError:
    path = ModelAddress(target.model.user_id, target.model.app_id, target.model.id).name
    if build_failed(target.version):
        return CallerError(
            StatusCode.MODEL_DEPLOYMENT_FAILED,
            f"No replica can be started for {target.name}: version {target.version.id[:8]} of model {path} was not "
            f"built: {target.version.status.description}",
            hint="Upload a version that builds.",
        )
    return CallerError(
        StatusCode.MODEL_DEPLOYMENT_FAILED,
        f"No replica can be started for {target.name}: model {path} is known by name only, its code is not on "
        "this machine.",
        hint="Deploy a model directory under that name: `clarifai-emulator deploy DIR --model "
        f"{path}`, or name it under `models:` in the topology file.",
    )


def deleted(target: Target) -> CallerError:
    return CallerError(
        StatusCode.DEPLOYMENT_DOES_NOT_EXIST,
        f"{target.sentence_name} was deleted while it served this request.",
        row="dispatch.deployment-deleted",
    )


def superseded(target: Target) -> CallerError:
    return CallerError(
        StatusCode.MODEL_NOT_DEPLOYED,
        f"{target.sentence_name} no longer serves version {target.version.id[:8]} of model '{target.model.id}'.",
        hint="Send the request again: it is routed to the version that is deployed now.",
        row="dev.waiting-requests",
    )
