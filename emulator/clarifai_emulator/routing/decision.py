"""Defines the words of routing: what a request asks, what there is, what was decided or refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    Deployment,
    Model,
    ModelVersion,
    Nodepool,
    Runner,
    Visibility,
)

from clarifai_emulator.errors import CallerError, shortened
from clarifai_emulator.messages.address import DeploymentKey, ModelKey, NodepoolKey


class RoutingRule(StrEnum):
    """The routing rule that decided."""

    DEPLOYMENT = "explicit_deployment"
    NODEPOOL = "explicit_nodepool"
    OWNER_DEFAULT = "owner_default"
    SHARED = "shared"


@dataclass(slots=True)  # not frozen: that doubles the time in which one is made, and each request makes one
class Ask:
    """The wishes of a request about where it goes; ``me`` is already a user id everywhere.

    ``model_id`` may be empty when a deployment is named, ``version_id`` always. ``seed`` is what the scheduling
    choice RANDOM draws from (a request id): the same ask with the same seed goes to the same place.
    """

    caller: str
    model_user: str
    model_app: str
    model_id: str
    version_id: str = ""
    deployment: DeploymentKey | None = None
    nodepool: NodepoolKey | None = None
    runner_id: str = ""
    seed: str = ""

    @property
    def unseeded(self) -> tuple[Any, ...]:
        """Return all that is asked but the seed."""
        return (
            *(self.caller, self.model_user, self.model_app, self.model_id, self.version_id),
            *(self.deployment, self.nodepool, self.runner_id),
        )

    @property
    def model(self) -> ModelKey:
        """Return the key of the model the request names."""
        return (self.model_user, self.model_app, self.model_id)

    def as_dict(self) -> dict[str, Any]:
        """Return the ask as JSON."""
        return {
            "caller": self.caller,
            "model": "/".join(self.model) if self.model_id else None,
            "version_id": self.version_id or None,
            "deployment": "/".join(self.deployment) if self.deployment else None,
            "nodepool": "/".join(self.nodepool) if self.nodepool else None,
            "runner_id": self.runner_id or None,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one deployment in one nodepool now. ``latency_ms`` is 0 before anything was measured."""

    live_replicas: int = 0
    free_slots: int = 0
    queued: int = 0
    startable_replicas: int = 0
    latency_ms: float = 0.0

    @property
    def is_full(self) -> bool:
        """Tell whether no replica has a free slot and none can be started."""
        return self.free_slots <= 0 and self.startable_replicas <= 0


class Landscape(Protocol):
    """A read-only view of the emulator's resources and of how busy they are."""

    def model(self, user: str, app: str, model: str) -> Model | None: ...

    def model_ids(self, user: str, app: str) -> Sequence[str]: ...

    def version(self, user: str, app: str, model: str, version: str) -> ModelVersion | None:
        """Return the version with this id; the newest for an empty id."""
        ...

    def versions(self, user: str, app: str, model: str) -> Iterable[ModelVersion]:
        """Return every version of a model, newest first."""
        ...

    def deployment(self, user: str, id: str) -> Deployment | None: ...

    def coming(self, user: str, id: str) -> Deployment | None:
        """Return what a deployment is to serve once a replica of it is live, while it serves what ``deployment``
        and ``deployments_of`` say; None where that is the same."""
        ...

    def deployment_ids(self, user: str) -> Sequence[str]: ...

    def deployments_of(self, user: str, app: str, model: str) -> Sequence[Deployment]:
        """Return every user's deployments that serve this model, oldest first."""
        ...

    def cluster(self, user: str, id: str) -> ComputeCluster | None: ...

    def cluster_ids(self, user: str) -> Sequence[str]: ...

    def nodepool(self, user: str, cluster: str, id: str) -> Nodepool | None: ...

    def nodepool_ids(self, user: str, cluster: str) -> Sequence[str]: ...

    def runner(self, user: str, cluster: str, nodepool: str, runner_id: str) -> Runner | None: ...

    def runner_ids(self, user: str, cluster: str, nodepool: str) -> Sequence[str]: ...

    def own_runners(self, user: str, cluster: str, nodepool: str) -> Sequence[Runner]:
        """Return the runners that users registered in a nodepool to start them themselves, newest first."""
        ...

    def is_hosted(self, user: str, app: str, model: str) -> bool:
        """Tell whether shared compute runs this model: one that Clarifai uploaded and owns, or a stand-in for
        one."""
        ...

    def shared_nodepools(self) -> Sequence[Nodepool]: ...

    def load(
        self, deployment_user: str, deployment_id: str, nodepool_key: NodepoolKey, version_id: str
    ) -> Load: ...

    @property
    def overcommits(self) -> bool:
        """Tell whether the CPUs and the memory of this machine are no limit (``catalogue.fits``)."""
        ...

    def can_see(self, caller: str, owner: str, visibility: Visibility) -> bool: ...

    def containers(self, user: str, app: str) -> Sequence[tuple[str, Visibility]]:
        """Return the visibilities that hold for everything in the app (if one is named) and of the user, each
        with its name; only those that are set."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that was considered and not taken: ``deployment me/a``, and why not. ``is_hidden``: the caller may
    not know that it exists; events tell, answers do not."""

    what: str
    reason: str
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision where a request goes, and why.

    ``deployment`` is None on shared compute and for a runner without one: default autoscaling applies there.
    ``nodepools`` in order of preference: a request that finds the first one full goes on to the next.
    """

    rule: RoutingRule
    deployment: DeploymentKey | None
    nodepools: tuple[NodepoolKey, ...]
    model: ModelKey
    version_id: str
    runner_id: str
    reason: str
    rejected: tuple[Candidate, ...]
    _told: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the decision as JSON, which is not to be changed: most requests share theirs with others. Keys are
        joined with slashes."""
        if not self._told:
            self._told.update(self._as_dict())
        return self._told

    def _as_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule.value,
            "deployment": "/".join(self.deployment) if self.deployment else None,
            "nodepools": ["/".join(key) for key in self.nodepools],
            "model": "/".join(self.model),
            "version_id": self.version_id,
            "runner_id": self.runner_id or None,
            "reason": self.reason,
            "rejected": rejected_as_dicts(self.rejected),
        }


class RoutingError(CallerError):
    """Refuses a request that there is no place for: what it asked, what was considered, and what to do. ``note``
    is for the event log only: it tells what the caller may not know."""

    def __init__(
        self,
        code: int,
        details: str,
        *,
        ask: Ask,
        hint: str = "",
        rejected: Sequence[Candidate] = (),
        note: str = "",
        row: str = "",
    ) -> None:
        super().__init__(code, details, hint=hint, row=row)
        self.ask = ask
        self.note = shortened(note)
        self.rejected = tuple(rejected)

    def as_dict(self) -> dict[str, Any]:
        """Return the refusal as JSON."""
        return {
            "code": self.code,
            "description": self.description,
            "details": self.details,
            "hint": self.hint,
            "note": self.note,
            "ask": {name: value and shortened(value) for name, value in self.ask.as_dict().items()},
            "rejected": rejected_as_dicts(self.rejected),
        }


def rejected_as_dicts(rejected: Sequence[Candidate]) -> list[dict[str, str]]:
    """Candidates as JSON."""
    return [{"what": each.what, "reason": each.reason} for each in rejected]
