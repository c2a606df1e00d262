"""Keeps deployments that are on their way from what serves to what was asked for: the one serves until the other
does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import Deployment

from clarifai_emulator.dispatch.lane import LaneKey
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.nodepools.fleet import Fleet, Target
from clarifai_emulator.routing.candidate_deployments import model_key_of, served_model
from clarifai_emulator.store import Key


@dataclass(slots=True, eq=False)
class Rollout:
    """A deployment on its way. ``old`` serves, as ``served`` says; ``new`` is the lane of what was asked for. Both
    are of one fleet where only the nodepools change."""

    old: Fleet
    served: Target
    new: LaneKey
    _of: Deployment | None = field(default=None, init=False)
    _view: Deployment = field(default_factory=Deployment, init=False)

    @property
    def moves(self) -> bool:
        """Tell whether it is the same version, in other nodepools."""
        return self.old.lane.key == self.new

    def view(self, stored: Deployment) -> Deployment:
        """The deployment as it serves now: with the model, version and nodepools of before."""
        before = self.served.deployment
        if before is None:
            return stored
        if self._of is not stored:
            self._of, self._view = stored, self._viewed(stored, before)
        return self._view

    def _viewed(self, stored: Deployment, before: Deployment) -> Deployment:
        view = Deployment()
        view.CopyFrom(stored)
        view.deploy_latest_version = False
        view.worker.model.Clear()
        model, version = self.served.model, self.served.version
        view.worker.model.user_id, view.worker.model.app_id = model.user_id, model.app_id
        view.worker.model.id, view.worker.model.model_version.id = model.id, version.id
        view.ClearField("nodepools")
        view.ClearField("deployment_nodepools")
        view.nodepools.MergeFrom(before.nodepools)
        view.deployment_nodepools.MergeFrom(before.deployment_nodepools)
        return view


class Rollouts:
    """The rollouts under way. ``on_change`` is called when requests may go elsewhere than before."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._under_way: dict[Key, Rollout] = {}

    def get(self, deployment: Key) -> Rollout | None:
        """The rollout of this deployment."""
        return self._under_way.get(deployment)

    def towards(self, lane: LaneKey) -> Rollout | None:
        """The rollout that ends once this lane serves."""
        rollout = self._under_way.get(lane[:2])
        return rollout if rollout is not None and rollout.new == lane else None

    def put(self, deployment: Key, rollout: Rollout | None) -> None:
        """This deployment is on its way; with None it has arrived, or there is nothing that serves."""
        if rollout is not None:
            self._under_way[deployment] = rollout
        elif self._under_way.pop(deployment, None) is None:
            return
        self._on_change()

    def clear(self) -> None:
        """Nothing serves any more."""
        self._under_way.clear()

    def served(self, stored: Deployment) -> Deployment:
        """The deployment as it serves now."""
        rollout = self._under_way.get((stored.user_id, stored.id))
        return rollout.view(stored) if rollout is not None else stored

    def serving(
        self, model: ModelKey, asked_for: Sequence[Deployment], stored: Callable[[Key], Deployment | None]
    ) -> list[Deployment]:
        """The deployments that serve a model now, and those that are about to. ``asked_for``: those that were told
        to serve it; ``stored`` finds any deployment."""
        if not self._under_way:
            return list(asked_for)
        found = [self._of_model(model, stored) for stored in asked_for]
        known = {(each.user_id, each.id) for each in found}
        found += self._still(model, known, stored)
        return found

    def _of_model(self, model: ModelKey, stored: Deployment) -> Deployment:
        """Return the deployment as it serves now, or, where that is another model, as it will."""
        view = self.served(stored)
        return view if _serves(view, model) else stored

    def _still(
        self, model: ModelKey, known: Iterable[Key], stored: Callable[[Key], Deployment | None]
    ) -> Iterable[Deployment]:
        """Yield deployments that serve this model and are on their way to another one."""
        for key, rollout in self._under_way.items():
            deployment = stored(key) if key not in known else None
            if deployment is not None and _serves(rollout.view(deployment), model):
                yield rollout.view(deployment)


def _serves(deployment: Deployment, model: ModelKey) -> bool:
    served = served_model(deployment)
    return served is not None and model_key_of(deployment, served) == model
