"""Serves requests by the runners that users register and start themselves, where no deployment has them.

    PostRunners ─► registered ─► routing names its nodepool ─► its lane ◄── adopt ◄── the runner connects
                                                                 │ a deployment of that version in that nodepool
                                                                 ▼
                                                               its fleet, until that is gone

Clarifai's own tests register a runner in a nodepool of a local-dev cluster, make no deployment, name the nodepool
and are answered (tests/runners/test_runners.py of Clarifai/clarifai-python).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Model, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, RunnerLink
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import ModelKey, NodepoolKey, RunnerKey
from clarifai_emulator.nodepools.fleet import Fleet, Target
from clarifai_emulator.store import Key, Kind, Store


class OwnRunners:
    """Finds the runners of users, and the lane of each. ``is_made``: whether the emulator made the runner with this
    key, for replicas of its own."""

    def __init__(self, store: Store, dispatcher: Dispatcher, is_made: Callable[[RunnerKey], bool]) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._is_made = is_made
        store.watch(self._store_changed)

    def registered(self, nodepool: NodepoolKey) -> Sequence[Runner]:
        """Return the runners that users registered in a nodepool, newest first."""
        return [each for each in self._store.list(Kind.RUNNER, nodepool) if not self._is_made((*nodepool, each.id))]

    def adopt(self, nodepool: NodepoolKey, runner: Runner) -> RunnerLink:
        """Let a runner that has connected serve who names its nodepool."""
        lane = self._dispatcher.lane(_lane_key(nodepool, runner))
        lane.pend("")
        return self._dispatcher.add_runner((*nodepool, runner.id), lane)

    def lane(self, nodepool: NodepoolKey, model: ModelKey, version_id: str, runner_id: str = "") -> Lane:
        """Return the lane of the runners that serve this version in this nodepool, or of the one named."""
        link = self._dispatcher.runner((*nodepool, runner_id))
        if link is not None:
            return link.lane
        fit = [
            each
            for each in self.registered(nodepool)
            if runner_id in ("", each.id) and serves(each, model, version_id)
        ]
        if not fit:
            raise _ended(runner_id)
        runner = max(fit, key=lambda each: each.worker.model.model_version.id == version_id)
        lane = self._dispatcher.lane(_lane_key(nodepool, runner))
        if not lane.live_replicas:
            lane.pend(f"Nobody has started its runner {runner.id!r} yet")
        return lane

    def hand_to(self, fleet: Fleet) -> None:
        """Let the runners of a fleet's nodepools that run its version serve the fleet's deployment."""
        target, lanes = fleet.target, set[Lane]()
        for nodepool in target.nodepool_keys:
            for runner in self.registered(nodepool):
                link = self._dispatcher.runner((*nodepool, runner.id))
                if link is not None and link.lane.key.model and is_of(runner, target):
                    lanes.add(link.lane)
                    self._dispatcher.move_runner(link, fleet.lane)
        for lane in lanes:
            if not lane.runners:
                lane.pass_on(fleet.lane)

    def take_back(self, fleet: Fleet) -> None:
        """Let the runners that a fleet has no use for serve who names their nodepool; what they work on goes on."""
        for link in tuple(fleet.lane.runners.values()):
            runner: Runner | None = self._store.get(Kind.RUNNER, link.key)
            if runner is not None and not self._is_made(link.key):
                lane = self._dispatcher.lane(_lane_key(link.nodepool, runner))
                lane.pend("")
                self._dispatcher.move_runner(link, lane)

    def _store_changed(self, kind: Kind, key: Key) -> None:
        """Send a runner away that its user deleted: it asks anew, and is told that it is no more."""
        if kind != Kind.RUNNER or self._store.get(kind, key) is not None:
            return
        runner = (key[0], key[1], key[2], key[3])
        link = None if self._is_made(runner) else self._dispatcher.runner(runner)
        if link is None:
            return
        self._dispatcher.remove_runner(runner)
        if link.lane.key.model and not link.lane.runners:
            self._dispatcher.close_lane(link.lane.key, _deleted(key))


def serves(runner: Runner, model: ModelKey, version_id: str) -> bool:
    """Tell whether a runner serves this version of this model; one without a version serves any."""
    served = runner.worker.model
    return key_of(served) == model and served.model_version.id in ("", version_id)


def is_of(runner: Runner, target: Target) -> bool:
    """Tell whether a runner runs what a deployment serves."""
    return serves(runner, target.model_key, target.version.id)


def key_of(model: Model) -> ModelKey:
    """Return the key of a model that is named with its user and app."""
    return (model.user_id, model.app_id, model.id)


def _lane_key(nodepool: NodepoolKey, runner: Runner) -> LaneKey:
    served = runner.worker.model
    return LaneKey(nodepool[0], "/".join(nodepool), served.model_version.id, "/".join(key_of(served)))


def _ended(runner_id: str) -> CallerError:
    return CallerError(
        StatusCode.MODEL_NOT_DEPLOYED,
        f"Runner {runner_id!r} is one of a deployment that no longer runs it.",
        hint="Name the deployment, or its nodepool alone.",
        row="refusals.not-deployed",
    )


def _deleted(key: Key) -> CallerError:
    return CallerError(
        StatusCode.MODEL_NOT_DEPLOYED,
        f"Runner {key[3]!r} of nodepool '{'/'.join(key[:3])}' was deleted while this request waited for it.",
        hint="Register a runner there with PostRunners, and start it.",
        row="dispatch.deployment-deleted",
    )
