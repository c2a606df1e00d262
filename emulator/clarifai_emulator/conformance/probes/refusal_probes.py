"""Probes of what a refusal looks like."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import deploying, scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.routing_scenes import ask, named, saying, who
from clarifai_emulator.conformance.scripted_runner import echo, scripted_runner

_PUBLIC, _PRIVATE = {"gettable": 50}, {"gettable": 10}


def _says(answer: Any, sentence: str) -> Any:
    """Return an answer's status, and whether its details begin with a sentence."""
    return {"status": answer, "in the platform's words": answer.details.startswith(sentence)}


@probe("refusals.missing", part="get")
def missing(client: PlatformClient) -> Any:
    """Get clusters, nodepools, deployments and runners that are not there."""
    name, place = client.name("missing"), client.shared(scenes.cluster)
    return {
        "cluster": _says(
            client.call("GetComputeCluster", compute_cluster_id=name),
            f"ComputeCluster with ID '{name}' not found. Check your request fields.",
        ),
        "nodepool": _says(
            client.call("GetNodepool", compute_cluster_id=place, nodepool_id=name),
            "Nodepool not found. Check your request fields.",
        ),
        "deployment": _says(
            client.call("GetDeployment", deployment_id=name),
            f"Deployment with ID '{name}' not found. Check your request fields.",
        ),
        "runner": client.call("GetRunner", compute_cluster_id=place, nodepool_id=name, runner_id="0" * 32),
    }


@probe("refusals.missing", part="predict")
def missing_in_predict(client: PlatformClient) -> Any:
    """Name what is not there in a prediction."""
    model, place, name = scenes.version(client), client.shared(scenes.nodepool), client.name("missing")
    no_model = scenes.MadeModel(model.app, name)
    no_version = scenes.MadeModel(model.app, model.id, "0" * 32)
    return {
        "model": ask(client, no_model, version=False),
        "version": ask(client, no_version),
        "deployment": ask(client, model, deployment=named(client, name)),
        "nodepool": ask(client, model, nodepool=scenes.MadeNodepool(place.cluster, name).message(client)),
        "cluster": ask(client, model, nodepool=scenes.MadeNodepool(name, place.id).message(client)),
        "runner": ask(client, model, nodepool=place.message(client), runner={"id": "0" * 32}),
    }


@probe("refusals.missing", part="delete")
def missing_in_delete(client: PlatformClient) -> Any:
    """Delete what is not there."""
    name, place = client.name("missing"), client.shared(scenes.nodepool)
    return {
        "deployment": _says(
            client.call("DeleteDeployments", ids=[name]),
            f"Some of the deployment ids provided ({name}) do not exist",
        ),
        "nodepool": client.call("DeleteNodepools", compute_cluster_id=place.cluster, ids=[name]),
        "cluster": client.call("DeleteComputeClusters", ids=[name]),
        "runner": client.call("DeleteRunners", **place.place, ids=["0" * 32]),
        "model": client.call("DeleteModels", app=client.shared(scenes.app), ids=[name]),
    }


@probe("refusals.descriptions")
def descriptions(client: PlatformClient) -> Any:
    """Look at the sentences of some statuses."""
    app = client.shared(scenes.app)
    answers = [
        client.call("GetApp", app=app),
        client.call("GetDeployment", deployment_id=client.name("missing")),
        client.call("GetModel", app=app, model_id=client.name("missing")),
        client.call("PostApps", apps=[{"id": app}]),
        client.call("DeleteDeployments", ids=[client.name("missing")]),
        client.call("ListApps", metadata={"authorization": "Key $$$"}),
        client.call("ListApps", metadata={"authorization": "Key 00000000000000000000000000000000"}),
    ]
    return {answer.status: answer.description for answer in answers}


@probe("refusals.invisible")
def invisible(client: PlatformClient) -> Any:
    """Get and ask what is private, as a stranger."""
    model = scenes.version(client)
    place = scenes.nodepool(client)
    deployment = scenes.deployment(client, model, place)
    stranger = client.other
    whose: dict[str, Any] = {"user": client.user_id}
    asked: dict[str, Any] = {**whose, **model.address, "inputs": [scenes.said("hi")]}
    return {
        "get a model": stranger.call("GetModel", **whose, **model.address),
        "get a deployment": stranger.call("GetDeployment", **whose, deployment_id=deployment),
        "get a cluster": stranger.call("GetComputeCluster", **whose, compute_cluster_id=place.cluster),
        "ask a model": stranger.call("PostModelOutputs", **asked),
    }


@probe("refusals.disabled")
def disabled(client: PlatformClient) -> Any:
    """Ask a disabled deployment, and a nodepool that may have no instance."""
    model = scenes.version(client)
    with saying(client, model, "hi") as runner:
        deployment = scenes.deployment(client, model, runner.place)
        before = who(client, model, deployment=named(client, deployment))
        client.do("PatchDeployments", deployments=[{"id": deployment, "status": 1}], action="overwrite")
        place = scenes.nodepool(client, max_instances=0)
        return {
            "enabled": before,
            "disabled": ask(client, model, deployment=named(client, deployment)),
            "no instance": ask(client, model, nodepool=place.message(client)),
        }


@probe("refusals.nowhere-fits", level="deploys")
def nowhere_fits(client: PlatformClient) -> Any:
    """Ask a deployment whose model is larger than the instances of its nodepool."""
    needs = {"cpu_limit": "64", "cpu_memory": "512Gi"}
    model = scenes.version(client, pretrained_model_config=None, inference_compute_info=needs)
    deployment = scenes.deployment(client, model, deploying.cpu_nodepool(client))
    return ask(client, model, deployment=named(client, deployment))


@probe("refusals.not-deployed")
def not_deployed(client: PlatformClient) -> Any:
    """Ask a version that is deployed nowhere, and a model without a version."""
    return {
        "a version": ask(client, scenes.version(client, pretrained_model_config=None)),
        "no version": ask(client, scenes.model(client), version=False),
    }


@probe("refusals.version-visibility")
def version_visibility(client: PlatformClient) -> Any:
    """Get and ask a private version of a public model, as a stranger."""
    app = scenes.app(client, visibility=_PUBLIC)
    made = scenes.model(client, app=app, visibility=_PUBLIC)
    public = scenes.version(client, made, visibility=_PUBLIC)
    private = scenes.version(client, made, visibility=_PRIVATE)
    stranger = client.other
    whose: dict[str, Any] = {"user": client.user_id}
    asked: dict[str, Any] = {"inputs": [scenes.said("hi")]}

    def shown(model: scenes.MadeModel) -> Any:
        return stranger.call("GetModelVersion", **whose, **model.address_of_version)

    newest = stranger.call("GetModel", **whose, **public.address)
    seen = newest.message.model.model_version.id if newest.succeeded else newest.status
    return {
        "public": shown(public),
        "private": shown(private),
        "ask the public one": stranger.call("PostModelOutputs", **whose, **public.address_of_version, **asked),
        "ask the private one": stranger.call("PostModelOutputs", **whose, **private.address_of_version, **asked),
        "ask without a version": stranger.call("PostModelOutputs", **whose, **public.address, **asked),
        "the newest is": "public" if seen == public.version else "private" if seen == private.version else seen,
    }


@probe("refusals.version-visibility", part="deployed")
def private_version_deployed(client: PlatformClient) -> Any:
    """Ask a public model by its public deployment, and by no version, as a stranger, while its newest version is
    private and then public."""
    app = scenes.app(client, visibility=_PUBLIC)
    made = scenes.model(client, app=app, visibility=_PUBLIC)
    model = scenes.version(client, made, visibility=_PRIVATE)
    place = scenes.nodepool(client, cluster=scenes.cluster(client, visibility=_PUBLIC), visibility=_PUBLIC)
    asked: dict[str, Any] = {"user": client.user_id, **model.address, "inputs": [scenes.said("hi")]}
    with scripted_runner(client, model, echo, place=place):
        deployment = scenes.deployment(client, model, place, visibility=_PUBLIC)
        named = {"deployment": {"id": deployment, "user_id": client.user_id}}

        def shown() -> dict[str, Any]:
            answer = client.other.call("PostModelOutputs", **asked)
            by_name = client.other.call("PostModelOutputs", **asked, runner_selector=named)
            text = "Shared Nodepools are not allowed for local-dev models."
            return {"no version": answer, "the platform's text": text in answer.details, "deployment": by_name}

        hidden = shown()
        patch = {"id": model.version, "visibility": _PUBLIC}
        client.do("PatchModelVersions", app=app, model_id=model.id, model_versions=[patch], action="overwrite")
        return {"private": hidden, "public": shown()}


@probe("refusals.shortened")
def shortened(client: PlatformClient) -> Any:
    """Name a model with an id of 100,000 characters."""
    long = scenes.MadeModel(client.shared(scenes.app), "x" * 100_000)
    answer = ask(client, long, version=False)
    quoted = answer.details.count("x")
    return {"status": answer, "the id is quoted whole": quoted >= 100_000, "hundreds quoted": quoted // 100}
