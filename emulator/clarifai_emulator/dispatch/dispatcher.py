"""Finds the lane of a routing decision and the runner of a stream; the registry between the two halves.

``inference`` asks for lanes, ``runner_items`` asks for replicas by credential, the supervisor registers both.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.dispatch.lane import Lane, LaneKey, Replica, RunnerLink
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import RunnerKey
from clarifai_emulator.replica_tokens import new_token

_NOWHERE = LaneKey("", "", "")  # of runners that serve nothing for now


@dataclass(frozen=True, slots=True)
class Credential:
    """The rights of one replica: to be that replica of that runner, and nothing else."""

    token: str
    runner: RunnerKey
    replica_id: str


class Dispatcher:
    """The lanes and runners of one emulator. ``on_demand`` is called with a lane that has work and no free replica,
    ``on_replica`` with a replica that has become ready or is lost."""

    def __init__(
        self,
        *,
        events: EventBus,
        clock: Clock,
        queue_size: int,
        on_demand: Callable[[Lane], None] = lambda lane: None,
        on_replica: Callable[[Replica], None] = lambda replica: None,
    ) -> None:
        self._events = events
        self._clock = clock
        self._queue_size = queue_size
        self._lanes: dict[LaneKey, Lane] = {}
        self._runners: dict[RunnerKey, RunnerLink] = {}
        self._credentials: dict[str, Credential] = {}
        self._replicas: dict[str, Replica] = {}
        self._on_demand = on_demand
        self._on_replica = on_replica

    def lane(self, key: LaneKey) -> Lane:
        """The lane of a deployment at a version; made on first use."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(
                key, queue_size=self._queue_size, clock=self._clock, on_demand=self._on_demand
            )
        return lane

    def find_lane(self, key: LaneKey) -> Lane | None:
        """The lane, if anything has used it yet."""
        return self._lanes.get(key)

    def lanes(self) -> Sequence[Lane]:
        """Return the lanes that anything has used."""
        return tuple(self._lanes.values())

    def lanes_of(self, user_id: str, deployment_id: str) -> Sequence[Lane]:
        """Return the lanes of a deployment, at whatever version."""
        return [lane for key, lane in self._lanes.items() if key[:2] == (user_id, deployment_id)]

    def close_lane(self, key: LaneKey, error: CallerError) -> None:
        """Close the lane of a deployment that is gone: whoever waits or is being served is told so."""
        lane = self._lanes.pop(key, None)
        if lane is None:
            return
        lane.refuse(error)
        for link in tuple(lane.runners.values()):
            for replica in link.replicas.values():
                for work in tuple(replica.busy):
                    work.fail(error)
            self.remove_runner(link.key)

    def abandon(self, key: LaneKey, error: CallerError, *, keep: Collection[RunnerKey]) -> None:
        """Close a lane, except that the replicas of the runners ``keep`` stay connected and serve nothing, until
        ``add_runner`` gives them a lane."""
        lane = self._lanes.get(key)
        if lane is None:
            return
        for runner in [each for each in lane.runners if each in keep]:
            lane.runners.pop(runner).lane = self._nowhere()
        self.close_lane(key, error)

    def _nowhere(self) -> Lane:
        return Lane(_NOWHERE, queue_size=self._queue_size, clock=self._clock, on_demand=lambda lane: None)

    def add_runner(self, key: RunnerKey, lane: Lane) -> RunnerLink:
        """Let replicas of this runner serve the lane; those that are there since before a reset, too."""
        link = self._runners.get(key)
        if link is None:
            link = RunnerLink(key, lane)
        link.lane = lane
        self._runners[key] = lane.runners[key] = link
        return link

    def move_runner(self, link: RunnerLink, lane: Lane) -> None:
        """Let the replicas of a runner serve another lane from now on; what they work on goes on."""
        link.lane.runners.pop(link.key, None)
        self.add_runner(link.key, lane)
        for replica in link.replicas.values():
            replica.offer_idle()

    def remove_runner(self, key: RunnerKey) -> None:
        """Send a runner's replicas no more work. A replica that lives on (a user's own) asks anew."""
        link = self._runners.pop(key, None)
        if link is None:
            return
        link.lane.runners.pop(key, None)
        for replica in link.replicas.values():
            replica.dismiss()

    def runner(self, key: RunnerKey) -> RunnerLink | None:
        """The runner with this key, if it is registered."""
        return self._runners.get(key)

    def issue_credential(self, runner: RunnerKey) -> Credential:
        """A fresh token for a replica that is about to start."""
        replica_id = secrets.token_hex(16)
        credential = Credential(new_token(), runner, replica_id)
        self._credentials[credential.token] = credential
        return credential

    def revoke(self, credential: Credential) -> None:
        """The replica has ended; its token opens nothing any more."""
        self._credentials.pop(credential.token, None)

    def credential(self, token: str) -> Credential | None:
        """Find whose token this is, if it is a replica's."""
        return self._credentials.get(token)

    def connect(self, link: RunnerLink, replica_id: str) -> Replica:
        """The replica behind a stream that has just started; registered with its first stream."""
        replica = link.replicas.get(replica_id)
        if replica is None:
            replica = link.replicas[replica_id] = self._replicas[replica_id] = Replica(replica_id, link)
        return replica

    def replica(self, replica_id: str) -> Replica | None:
        """The replica with this id, connected and not lost, whatever it serves."""
        return self._replicas.get(replica_id)

    def hear(self, replica: Replica) -> None:
        """A work stream of the replica says that it is idle: it lives, and with the first one it is ready."""
        replica.starts += 1
        if replica.starts == 1:
            self._events.emit(
                "replica.ready", replica_id=replica.replica_id, runner_id=replica.runner_link.runner_id
            )
            self._on_replica(replica)

    def lose(self, link: RunnerLink, replica_id: str, why: str) -> None:
        """The replica's process has ended: what it worked on is answered now (design: EOF is never success)."""
        replica = link.replicas.pop(replica_id, None)
        if replica is None:
            return
        self._replicas.pop(replica_id, None)
        replica.lose(runner_lost(replica_id, why))
        self._on_replica(replica)

    def reset(self, *, keep: Collection[RunnerKey] = ()) -> None:
        """Forget every lane, runner and credential, except the runners ``keep``: their replicas stay connected and
        serve nothing, until ``add_runner`` gives them a lane."""
        self._lanes.clear()
        self._runners = {key: link for key, link in self._runners.items() if key in keep}
        self._credentials = {
            token: credential for token, credential in self._credentials.items() if credential.runner in keep
        }
        self._replicas = {}
        for link in self._runners.values():
            link.lane = self._nowhere()
            self._replicas |= link.replicas


def runner_lost(replica_id: str, why: str) -> CallerError:
    """The error of a request whose replica ended while it worked on it."""
    return CallerError(
        StatusCode.RUNNER_PROCESSING_FAILED,
        f"Replica {replica_id[:8]} ended while it worked on this request: {why}.",
        hint="The request was not repeated, because part of it may have run; see `clarifai-emulator logs`.",
        row="dispatch.replica-ends-at-work",
    )
