"""Applies the four routing rules, in the order they are tried (see the package's docstring)."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Deployment, DeployRestriction, Model, Nodepool, Runner
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.catalogue import CLARIFAI_USER, price_of
from clarifai_emulator.messages.address import DeploymentKey, NodepoolKey
from clarifai_emulator.routing.candidate_deployments import (
    Option,
    forbidden_on_dedicated,
    least_busy,
    model_key_of,
    objection_to,
    served_model,
    served_version_id,
    usable_options,
)
from clarifai_emulator.routing.decision import Ask, Candidate, Decision, Landscape, RoutingRule
from clarifai_emulator.routing.nodepool_ranking import (
    Wanted,
    disabled,
    fitting,
    is_shared,
    nodepool_key,
    nodepool_keys,
    rank,
    unusable,
)
from clarifai_emulator.routing.search import Search, quoted

DEPLOY_HINT = "Create a deployment for it first: `clarifai-emulator deploy PATH_TO_THE_MODEL`."

NODEPOOL_HINT = "Name the nodepool of its runner in the request, or create a deployment for it."
# The platform's text for a version with ``pretrained_model_config.local_dev`` (Clarifai/clarifai-python, #1038).
NO_SHARED_LOCAL_DEV = "Shared Nodepools are not allowed for local-dev models"


def choose(ask: Ask, landscape: Landscape) -> Decision:
    """Decide where a request goes.

    Pure: the same ask over the same landscape gives the same decision. Raises ``RoutingError`` when no rule
    finds a place: 21200 no such model or version; 11101 no such deployment, nodepool or cluster; 25600 no such
    runner; 25903 the deployment is disabled; 25902, 25702, 25603, 21203 the request contradicts
    what it names; 21201 ``deploy_restriction`` forbids it; 21353 the version is deployed nowhere it may go;
    21350 it is deployed where it cannot run.
    """
    search = Search(ask, landscape)
    if ask.deployment is not None:
        return _explicit_deployment(search, ask.deployment)
    if not ask.model_id:
        raise search.refuse(
            StatusCode.MODEL_INVALID_REQUEST,
            "The request names neither a model nor a deployment.",
            "Name a model (user_id, app_id, model_id), or runner_selector.deployment.",
        )
    model = search.find_model(ask.model)
    wanted = Wanted(ask, ask.model, search.find_version(ask.model, ask.version_id))
    if ask.nodepool is not None:
        return _explicit_nodepool(search, model, wanted, ask.nodepool)
    if ask.runner_id:
        raise search.refuse(
            StatusCode.RUNNER_INVALID_REQUEST,
            f"The request names runner {ask.runner_id!r} without its nodepool.",
            "Fill in runner_selector.nodepool (id, compute_cluster.id, compute_cluster.user_id) too.",
            row="routing.runner-of-another",
        )
    return _owner_default(search, model, wanted) or _shared(search, model, wanted)


def _explicit_deployment(search: Search, key: DeploymentKey) -> Decision:
    """Rule 1. Naming a deployment without a version means the version it serves."""
    ask, name = search.ask, f"Deployment {quoted(key)}"
    if ask.model_id:
        search.find_model(ask.model)
    deployment = _as_asked(search, search.find_deployment(key))
    served = served_model(deployment)
    if served is None:
        raise search.refuse(StatusCode.DEPLOYMENT_INVALID_REQUEST, f"{name} serves no model.")
    model_key = model_key_of(deployment, served)
    if ask.model_id and model_key != ask.model:
        details = f"{name} serves model {quoted(model_key)}, not {quoted(ask.model)}, which the request names."
        raise search.refuse(
            StatusCode.DEPLOYMENT_INVALID_REQUEST,
            details,
            _deployments_hint(search),
            row="routing.deployment-of-another-model",
        )
    model = search.find_model(model_key)
    if objection := objection_to(search, deployment, model, ask.version_id):
        details = f"{name} {objection.reason}."
        raise search.refuse(objection.code, details, objection.hint, objection.note, row=objection.row)
    wanted = Wanted(ask, model_key, search.find_version(model_key, served_version_id(search, deployment)))
    ranking = rank(search.landscape, wanted, deployment, search.nodepools_named(deployment, wanted))
    if ranking.is_ambiguous:
        hint = "Name a nodepool in the request, or give the deployment's nodepools priorities."
        raise search.refuse(
            StatusCode.DEPLOYMENT_INVALID_REQUEST,
            f"{name} {ranking.problem}.",
            hint,
            row="nodepool-choice.fail-when-ambiguous",
        )
    if ranking.problem:
        search.rejected.extend(ranking.rejected)
        raise search.refuse(
            StatusCode.MODEL_DEPLOYMENT_FAILED, f"{name} {ranking.problem}.", row="refusals.nowhere-fits"
        )
    said = f"The request names deployment {quoted(key)}"
    return _decision(search, RoutingRule.DEPLOYMENT, said, Option(deployment, ranking, wanted))


def _as_asked(search: Search, deployment: Deployment) -> Deployment:
    """Return the deployment as it serves now; as it is about to where the request names what it serves only
    then."""
    ask = search.ask
    coming = search.landscape.coming(deployment.user_id, deployment.id)
    if coming is None:
        return deployment

    def fits(each: Deployment) -> bool:
        served = served_model(each)
        return (
            served is not None
            and (not ask.model_id or model_key_of(each, served) == ask.model)
            and ask.version_id in ("", served_version_id(search, each))
            and (ask.nodepool is None or ask.nodepool in nodepool_keys(each))
        )

    return coming if fits(coming) and not fits(deployment) else deployment


def _explicit_nodepool(search: Search, model: Model, wanted: Wanted, key: NodepoolKey) -> Decision:
    """Rule 2. The nodepool's deployment of the model; else the runner named, or one that a user registered there;
    else Clarifai's shared compute."""
    nodepool = search.find_nodepool(key)
    name = f"Nodepool {quoted(key)}"
    if reason := disabled(nodepool):
        raise search.refuse(StatusCode.NODEPOOL_INVALID_REQUEST, f"{name} {reason}.", row="refusals.disabled")
    shared = is_shared(search.landscape, key)
    note = search.hidden(wanted.model, wanted.version)
    if shared and (reason := _no_shared_compute(search, model, wanted)):
        raise search.refuse(
            StatusCode.MODEL_NOT_DEPLOYED,
            f"{name} is shared compute; {reason}.",
            search.hidden_hint(wanted.model) if note else DEPLOY_HINT,
            note,
            row="routing.nodepool-without-deployment",
        )
    if not shared and (reason := forbidden_on_dedicated(model, key[0])):
        raise search.refuse(
            StatusCode.MODEL_PERMISSION_DENIED,
            f"{name} cannot be used: {reason}.",
            row="routing.deploy-restriction",
        )
    runner = None if note else _runner_in(search, wanted, key)
    if runner is None and not note and (reason := unusable(search.landscape, key, nodepool, wanted.version)):
        raise search.refuse(StatusCode.MODEL_DEPLOYMENT_FAILED, f"{name} {reason}.", row="refusals.nowhere-fits")
    said = f"The request names nodepool {quoted(key)}"
    if option := _deployment_in(search, model, wanted, key):
        return _decision(search, RoutingRule.NODEPOOL, f"{said}, where {option.name} serves the model", option)
    if runner is not None:
        runs = (
            f" and runner {runner.id!r} in it"
            if search.ask.runner_id
            else f", where runner {runner.id!r} serves it"
        )
        return search.decide(RoutingRule.NODEPOOL, key, wanted, f"{said}{runs}.")
    if shared:
        return search.decide(RoutingRule.NODEPOOL, key, wanted, f"{said}, which is Clarifai's shared compute.")
    which = "the newest version" if note else f"version {wanted.version.id!r}"
    raise search.refuse(
        StatusCode.MODEL_NOT_DEPLOYED,
        f"{name} has no deployment that can serve {which} of model {quoted(wanted.model)}.{search.considered()}",
        search.hidden_hint(wanted.model) if note else search.hint or DEPLOY_HINT,
        note,
        row="routing.nodepool-without-deployment",
    )


def _runner_in(search: Search, wanted: Wanted, key: NodepoolKey) -> Runner | None:
    """Return the runner that the request names, else the one that serves a nodepool without a deployment. One that
    a deployment has is that one's, also for a caller who may not use it."""
    if search.ask.runner_id:
        return search.find_runner(key, wanted)
    for deployment in search.landscape.deployments_of(*wanted.model):
        is_there = key in nodepool_keys(deployment) and deployment.status != Deployment.DISABLED
        if is_there and served_version_id(search, deployment) == wanted.version.id:
            return None
    return search.own_runner(key, wanted)


def _deployment_in(search: Search, model: Model, wanted: Wanted, key: NodepoolKey) -> Option | None:
    """Return the deployment to use in a nodepool, the oldest: all that can be used there are of its own user."""
    found = [_in_nodepool(search, each, key) for each in search.landscape.deployments_of(*wanted.model)]
    found = [each for each in found if key in nodepool_keys(each)]
    usable = usable_options(search, model, wanted, found, only=[key])
    for other in usable[1:]:
        search.reject(other.deployment, f"comes after {usable[0].name}: one deployment of a model per nodepool")
    return usable[0] if usable else None


def _in_nodepool(search: Search, deployment: Deployment, key: NodepoolKey) -> Deployment:
    """Return the deployment as it serves in this nodepool, now or soon."""
    coming = search.landscape.coming(deployment.user_id, deployment.id)
    is_soon = coming is not None and key not in nodepool_keys(deployment)
    return coming if coming is not None and is_soon else deployment


def _owner_default(search: Search, model: Model, wanted: Wanted) -> Decision | None:
    """Rule 3. None when neither the model's owner nor the caller has a deployment that can serve."""
    owner, caller = wanted.model[0], search.ask.caller
    found: list[Deployment] = []
    for deployment in search.landscape.deployments_of(*wanted.model):
        if deployment.user_id in (owner, caller):
            found.append(deployment)
        else:
            search.reject(deployment, "belongs to neither the model's owner nor the caller")
    usable = usable_options(search, model, wanted, found)
    owners = [option for option in usable if option.deployment.user_id == owner]
    for option in usable:
        if owners and option not in owners:
            search.reject(option.deployment, "is the caller's; the model owner's comes first")
    if not usable:
        return None
    best = least_busy(search, owners or usable)
    whose = "The model's owner has" if owners else "The model's owner has none, the caller has"
    return _decision(search, RoutingRule.OWNER_DEFAULT, f"{whose} deployment {best.name} for this version", best)


def _shared(search: Search, model: Model, wanted: Wanted) -> Decision:
    """Rule 4. "The most cost-effective Clarifai shared compute nodepool" that can run the model."""
    if reason := _no_shared_compute(search, model, wanted):
        note = search.hidden(wanted.model, wanted.version)
        which = "its newest version" if note else f"version {wanted.version.id!r}"
        lacks = f"Model {quoted(wanted.model)} has no deployment that can serve {which}"
        is_said = reason == NO_SHARED_LOCAL_DEV  # what the platform says comes first, as it says it
        details = f"{reason}. {lacks}." if is_said else f"{lacks}, and {reason}."
        hint = search.hint or (NODEPOOL_HINT if is_said else DEPLOY_HINT)
        raise search.refuse(
            StatusCode.MODEL_NOT_DEPLOYED,
            f"{details}{search.considered()}",
            search.hidden_hint(wanted.model) if note else hint,
            note,
            row="refusals.not-deployed",
        )
    fit: list[Nodepool] = []
    for nodepool in search.landscape.shared_nodepools():
        key = nodepool_key(nodepool)
        if reason := unusable(search.landscape, key, nodepool, wanted.version):
            search.rejected.append(Candidate(f"nodepool {'/'.join(key)}", reason))
        else:
            fit.append(nodepool)
    if not fit:
        raise search.refuse(
            StatusCode.MODEL_DEPLOYMENT_FAILED,
            f"No shared nodepool can run model {quoted(wanted.model)}.{search.considered()}",
            "Ask for less in inference_compute_info, or create a deployment in a nodepool that fits.",
            row="refusals.nowhere-fits",
        )
    cheapest, *others = sorted(fit, key=lambda each: min(map(price_of, fitting(each, wanted.version))))
    for other in others:
        what = f"nodepool {'/'.join(nodepool_key(other))}"
        search.rejected.append(Candidate(what, f"is no cheaper than {cheapest.id!r}"))
    key = nodepool_key(cheapest)
    whose = "Clarifai owns the model" if wanted.model[0] == CLARIFAI_USER else "A stand-in serves the hosted model"
    why = f"{whose} and no deployment serves it; {quoted(key)} is the cheapest shared one that fits."
    return search.decide(RoutingRule.SHARED, key, wanted, why)


def _no_shared_compute(search: Search, model: Model, wanted: Wanted) -> str:
    if not search.landscape.is_hosted(*wanted.model):
        if wanted.version.pretrained_model_config.local_dev:
            return NO_SHARED_LOCAL_DEV
        return "shared compute runs only models that Clarifai uploaded and owns"
    if search.hidden(wanted.model, wanted.version):
        return f"shared compute runs no version that {search.ask.caller!r} may not see"
    restriction = model.deploy_restriction
    if restriction in (
        DeployRestriction.DEDICATED_COMPUTE_ONLY,
        DeployRestriction.MODEL_OWNER_DEDICATED_COMPUTE_ONLY,
    ):
        return f"its deploy_restriction {DeployRestriction.Name(restriction)} forbids shared compute"
    return ""


def _deployments_hint(search: Search) -> str:
    found = search.landscape.deployments_of(*search.ask.model)
    serving = [quoted((each.user_id, each.id)) for each in found if not search.sight.hidden_deployment(each)]
    return f"The model is served by {', '.join(serving[:5])}." if serving else DEPLOY_HINT


def _decision(search: Search, rule: RoutingRule, said: str, option: Option) -> Decision:
    places, wanted = option.ranking.places, option.wanted
    return Decision(
        rule=rule,
        deployment=(option.deployment.user_id, option.deployment.id),
        nodepools=tuple(place.key for place in places),
        model=wanted.model,
        version_id=wanted.version.id,
        runner_id=search.ask.runner_id,
        reason=f"{said}; it goes to {quoted(places[0].key)}: {option.ranking.why}.",
        rejected=(*search.rejected, *option.ranking.rejected),
    )
