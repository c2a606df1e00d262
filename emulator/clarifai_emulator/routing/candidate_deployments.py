"""Finds the deployments that can serve a request, the first of them, and why not the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, DeployRestriction, Model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.messages.address import ModelKey, NodepoolKey
from clarifai_emulator.routing.nodepool_ranking import Ranking, Wanted, rank
from clarifai_emulator.routing.search import Search, quoted


@dataclass(frozen=True, slots=True)
class Objection:
    """Says why a deployment cannot take the request, as the end of a sentence that begins with its name.

    ``row``: of the fidelity table, which says why it is refused so. ``note``: for the event log only.
    """

    code: int
    reason: str
    hint: str = ""
    row: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """A deployment that can take the request, its nodepools in order, and what of the model runs there: what is
    wanted, or, of a deployment that is about to serve that, what it serves until then."""

    deployment: Deployment
    ranking: Ranking
    wanted: Wanted

    @property
    def name(self) -> str:
        """Name the deployment, for people."""
        return quoted((self.deployment.user_id, self.deployment.id))

    @property
    def busyness(self) -> tuple[int, int, float]:
        """Smaller is better: a free slot before a replica that must start before full; then the shorter
        queue; then the latency (documentation: "picks ... based on queue depth and latency")."""
        load = self.ranking.places[0].load
        wait = 0 if load.free_slots > 0 else 2 if load.is_full else 1
        return (wait, load.queued, load.latency_ms)


def served_model(deployment: Deployment) -> Model | None:
    """Return the model a deployment serves; None for a workflow. ``worker`` is what is observed,
    ``desired_worker`` what was written and may not be observed yet."""
    for worker in (deployment.worker, deployment.desired_worker):
        if worker.HasField("model"):
            return worker.model
    return None


def model_key_of(deployment: Deployment, model: Model) -> ModelKey:
    """Return the key of the model a deployment serves; without a user it is the deployment's."""
    return (model.user_id or deployment.user_id, model.app_id, model.id)


def served_version_id(search: Search, deployment: Deployment) -> str:
    """Return the version a deployment serves: the pinned one, or the newest with ``deploy_latest_version`` or no
    pin."""
    model = served_model(deployment)
    if model is None:
        return ""
    if model.model_version.id and not deployment.deploy_latest_version:
        return model.model_version.id
    newest = search.landscape.version(*model_key_of(deployment, model), "")
    return newest.id if newest else ""


def objection_to(search: Search, deployment: Deployment, model: Model, version_id: str) -> Objection | None:
    """Say why the deployment cannot serve this version of its model for the caller; None when it can.

    An empty ``version_id`` takes whatever version it serves.
    """
    if reason := search.sight.hidden_deployment(deployment):
        return Objection(StatusCode.DEPLOYMENT_DOES_NOT_EXIST, reason, row="refusals.invisible")
    if deployment.status == Deployment.DISABLED:
        hint = f"Enable deployment {deployment.id!r}: set its status to ENABLED."
        return Objection(
            StatusCode.DEPLOYMENT_DISABLED, "is disabled and cannot serve traffic", hint, "refusals.disabled"
        )
    if reason := forbidden_on_dedicated(model, deployment.user_id):
        return Objection(
            StatusCode.MODEL_PERMISSION_DENIED, f"cannot be used: {reason}", row="routing.deploy-restriction"
        )
    serves = served_version_id(search, deployment)
    if note := _hidden(search, deployment, model, serves):
        reason = f"serves no version that {search.ask.caller!r} may see"
        return Objection(StatusCode.MODEL_DOES_NOT_EXIST, reason, row="refusals.version-visibility", note=note)
    return None if version_id in ("", serves) else _another_version(search, deployment, model, serves, version_id)


def _hidden(search: Search, deployment: Deployment, model: Model, version_id: str) -> str:
    key = model_key_of(deployment, model)
    version = search.landscape.version(*key, version_id) if version_id else None
    return search.hidden(key, version) if version is not None else ""


def _another_version(
    search: Search, deployment: Deployment, model: Model, serves: str, version_id: str
) -> Objection:
    if search.ask.version_id:
        wanted, row = f"{version_id!r}, which the request names", "routing.another-version-deployed"
    elif _hidden(search, deployment, model, version_id):
        wanted, row = "the newest, which a request without version means", "routing.newest-version"
    else:
        wanted, row = f"{version_id!r}, the newest, which a request without version means", "routing.newest-version"
    hint = (
        f"Name version {serves!r} in the request, or deploy {version_id!r}: patch the deployment's"
        " desired_worker.model.model_version.id, or set deploy_latest_version."
    )
    return Objection(StatusCode.MODEL_NOT_DEPLOYED, f"serves version {serves!r}, not {wanted}", hint, row)


def forbidden_on_dedicated(model: Model, user: str) -> str:
    """Say why the model may not run on dedicated compute of ``user``; empty when it may (proto:
    DeployRestriction)."""
    restriction = model.deploy_restriction
    if restriction == DeployRestriction.SHARED_COMPUTE_ONLY:
        return "the model's deploy_restriction SHARED_COMPUTE_ONLY forbids dedicated compute"
    if restriction == DeployRestriction.MODEL_OWNER_DEDICATED_COMPUTE_ONLY and user != model.user_id:
        name = DeployRestriction.Name(restriction)
        return f"the model's deploy_restriction {name} allows dedicated compute of {model.user_id!r} only"
    return ""


def usable_options(
    search: Search,
    model: Model,
    wanted: Wanted,
    deployments: Iterable[Deployment],
    only: Sequence[NodepoolKey] = (),
) -> list[Option]:
    """Return the deployments that can take the request, in the order given; the others are rejected. One that is
    only on its way to the version, and serves another one until then, is taken where there is none that
    serves it."""
    options: list[Option] = []
    for deployment in deployments:
        view, runs = what_serves(search, deployment, wanted)
        if objection := objection_to(search, view, model, runs.version.id):
            search.reject(deployment, objection.reason, objection.hint)
            continue
        ranking = rank(search.landscape, runs, view, only)
        if ranking.problem:
            search.reject(deployment, ranking.problem)
        else:
            options.append(Option(view, ranking, runs))
    exact = [option for option in options if option.wanted is wanted]
    for option in options:
        if exact and option.wanted is not wanted:
            search.reject(option.deployment, f"still serves version {option.wanted.version.id!r}")
    return exact or options


def what_serves(search: Search, deployment: Deployment, wanted: Wanted) -> tuple[Deployment, Wanted]:
    """Return how a deployment answers a request for this version while it is on its way there: a request that names
    the version waits for it, every other has what serves until then."""
    coming = search.landscape.coming(deployment.user_id, deployment.id)
    if coming is None or wanted.version.id == served_version_id(search, deployment):
        return deployment, wanted
    if wanted.version.id != served_version_id(search, coming):
        return deployment, wanted
    served = served_model(deployment)
    if search.ask.version_id or served is None or model_key_of(deployment, served) != wanted.model:
        return coming, wanted
    now = search.landscape.version(*wanted.model, served_version_id(search, deployment))
    return (deployment, replace(wanted, version=now)) if now is not None else (coming, wanted)


def least_busy(search: Search, options: Sequence[Option]) -> Option:
    """Return the option that can take the request soonest, the oldest of equals; the others are rejected."""
    best, *others = sorted(options, key=lambda option: option.busyness)
    for other in others:
        search.reject(other.deployment, _why_not(best, other))
    return best


def _why_not(best: Option, other: Option) -> str:
    (wait, queued, latency), (least_wait, least_queued, least_latency) = other.busyness, best.busyness
    if wait != least_wait:
        state = ("a free slot", "no free slot before a replica starts", "no free capacity")
        return f"has {state[wait]}, {best.name} has {state[least_wait]}"
    if queued != least_queued:
        return f"has {queued} queued, {best.name} has {least_queued}"
    if latency != least_latency:
        return f"has a latency of {latency:g} ms, {best.name} has {least_latency:g} ms"
    return f"is as busy as {best.name}, which is older"
