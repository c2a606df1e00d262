"""Probes of which deployment, nodepool or runner a request goes to."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import CannotTell, PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.routing_scenes import ask, named, saying, served, who
from clarifai_emulator.conformance.scripted_runner import asked, scripted_runner

_PUBLIC = {"gettable": 50}


@probe("routing.order-of-rules")
def order_of_rules(client: PlatformClient) -> Any:
    """Name a deployment, a nodepool without one, both, and nothing."""
    model = scenes.version(client)
    with saying(client, model, "deployed") as deployed, saying(client, model, "alone") as alone:
        deployment = scenes.deployment(client, model, deployed.place)
        return {
            "deployment": who(client, model, deployment=named(client, deployment)),
            "its nodepool": who(client, model, nodepool=deployed.place.message(client)),
            "the other nodepool": who(client, model, nodepool=alone.place.message(client)),
            "deployment and other nodepool": ask(
                client, model, deployment=named(client, deployment), nodepool=alone.place.message(client)
            ),
            "nothing": who(client, model),
        }


@probe("routing.deployment-and-nodepool")
def deployment_and_nodepool(client: PlatformClient) -> Any:
    """Name a deployment together with its nodepool, and with another."""
    model, other = scenes.version(client), scenes.nodepool(client)
    with saying(client, model, "deployed") as runner:
        deployment = named(client, scenes.deployment(client, model, runner.place))
        return {
            "its own": who(client, model, deployment=deployment, nodepool=runner.place.message(client)),
            "another": ask(client, model, deployment=deployment, nodepool=other.message(client)),
        }


@probe("routing.deployment-of-another-model")
def deployment_of_another_model(client: PlatformClient) -> Any:
    """Ask one model by another's deployment."""
    deployed, another = scenes.version(client), scenes.version(client)
    deployment = scenes.deployment(client, deployed, scenes.nodepool(client))
    return ask(client, another, deployment=named(client, deployment))


@probe("routing.deployment-without-model")
def deployment_without_model(client: PlatformClient) -> Any:
    """Ask a deployment by the form of the REST API that names no model."""
    model = scenes.version(client)
    with saying(client, model, "deployed") as runner:
        deployment = scenes.deployment(client, model, runner.place)
        who(client, model, deployment=named(client, deployment))
        body = {"inputs": [scenes.said("hi")]}
        return client.rest("POST", f"/v2/users/{{me}}/deployments/{deployment}/outputs", body).pick(
            "outputs.0.data.text.raw"
        )


@probe("routing.deployment-without-version")
def deployment_without_version(client: PlatformClient) -> Any:
    """Ask the deployment of an older version without a version."""
    older = scenes.version(client)
    with saying(client, older, "older") as runner:
        deployment = scenes.deployment(client, older, runner.place)
        scenes.version(client, older)
        return who(client, older, version=False, deployment=named(client, deployment))


@probe("routing.newest-version")
def newest_version(client: PlatformClient) -> Any:
    """Ask without a version, where an older one than the newest is deployed."""
    older = scenes.version(client)
    with saying(client, older, "older") as runner:
        scenes.deployment(client, older, runner.place)
        before = who(client, older, version=False)
        scenes.version(client, older)
        return {"while it is the newest": before, "after": ask(client, older, version=False)}


@probe("routing.another-version-deployed")
def another_version_deployed(client: PlatformClient) -> Any:
    """Ask for a version that is not the one that is deployed."""
    older = scenes.version(client)
    newer = scenes.version(client, older)
    with saying(client, older, "older") as runner:
        deployment = scenes.deployment(client, older, runner.place)
        return {
            "deployed": who(client, older),
            "not deployed": ask(client, newer),
            "by the deployment": ask(client, newer, deployment=named(client, deployment)),
        }


@probe("routing.deploy-latest-version")
def deploy_latest_version(client: PlatformClient) -> Any:
    """Make a newer version of a model whose deployment follows the newest."""
    older = scenes.version(client)
    place = scenes.nodepool(client)
    with saying(client, older, "older", place=place):
        deployment = scenes.deployment(client, older, place, deploy_latest_version=True)
        before = who(client, older, version=False)
        newer = scenes.version(client, older)
        with saying(client, newer, "newer", place=place):
            by_deployment = who(client, newer, version=False, deployment=named(client, deployment))
            return {"before": before, "after": by_deployment, "without a place": who(client, newer, version=False)}


@probe("routing.worker-decides")
def worker_decides(client: PlatformClient) -> Any:
    """Deploy with `worker`, and with `desired_worker`."""
    model, place = scenes.version(client), scenes.nodepool(client)
    worker = served(client, model)

    def shown(**fields: Any) -> Any:
        deployment = scenes.deployment(client, model, place, **fields)
        got = client.call("GetDeployment", deployment_id=deployment).message.deployment
        workers = {"worker": got.worker, "desired_worker": got.desired_worker}
        return {name: each.model.model_version.id == model.version for name, each in workers.items()}

    return {
        "worker": shown(worker=worker),
        "desired_worker": shown(worker=None, desired_worker=worker),
    }


@probe("routing.whose-deployment")
def whose_deployment(client: PlatformClient) -> Any:
    """Ask somebody's public model that has a private and a public deployment."""
    app = scenes.app(client, visibility=_PUBLIC)
    made = scenes.model(client, app=app, visibility=_PUBLIC)
    model = scenes.version(client, made, visibility=_PUBLIC)
    with saying(client, model, "deployed") as runner:
        deployment = scenes.deployment(client, model, runner.place)
        stranger = client.other
        request: dict[str, Any] = {"user": client.user_id, **model.address, "inputs": [scenes.said("hi")]}
        own = who(client, model)
        private = stranger.call("PostModelOutputs", **request)
        public = {"id": deployment, "visibility": _PUBLIC}
        client.do("PatchDeployments", deployments=[public], action="overwrite")
        return {
            "its owner": own,
            "somebody else, private": private,
            "somebody else, public": scenes.heard(stranger.call("PostModelOutputs", **request)),
        }


@probe("routing.whose-deployment", part="third")
def deployment_of_a_third(client: PlatformClient) -> Any:
    """Ask a public model as its owner, where only somebody else has a deployment of it, a public one."""
    owner = client.other
    made = scenes.model(owner, app=scenes.app(owner, visibility=_PUBLIC), visibility=_PUBLIC)
    model = scenes.version(owner, made, visibility=_PUBLIC)
    worker = served(owner, model)
    deployment = scenes.deployment(client, model, scenes.nodepool(client), worker=worker, visibility=_PUBLIC)
    seen = owner.call("GetDeployment", user=client.user_id, deployment_id=deployment)
    return {"its owner sees the deployment": seen, "asks without a place": ask(owner, model)}


@probe("routing.no-default-flag")
def no_default_flag(client: PlatformClient) -> Any:
    """Disable the older of two deployments."""
    model = scenes.version(client)
    with saying(client, model, "older") as first, saying(client, model, "newer") as second:
        older = scenes.deployment(client, model, first.place)
        scenes.deployment(client, model, second.place)
        before = who(client, model)
        client.do("PatchDeployments", deployments=[{"id": older, "status": 1}], action="overwrite")
        return {"one of both answered": before in ("older", "newer"), "after": who(client, model)}


@probe("routing.several-deployments")
def several_deployments(client: PlatformClient) -> Any:
    """Ask a model with two deployments, of which the older has no replica."""
    model = scenes.version(client)
    scenes.deployment(client, model, scenes.nodepool(client))
    with saying(client, model, "has a free slot") as runner:
        scenes.deployment(client, model, runner.place)
        by_nodepool = who(client, model, nodepool=runner.place.message(client))
        return {"by its nodepool": by_nodepool, "without a place": who(client, model)}


@probe("routing.several-deployments-in-nodepool")
def several_deployments_in_nodepool(client: PlatformClient) -> Any:
    """Deploy a model twice in one nodepool, ask there, and look which of both was asked."""
    model = scenes.version(client)
    with saying(client, model, "deployed") as runner:
        older = scenes.deployment(client, model, runner.place)
        before = who(client, model, deployment=named(client, older))
        again = {
            "id": client.name("again"),
            "worker": served(client, model),
            "nodepools": [runner.place.message(client)],
        }
        posted = client.call("PostDeployments", deployments=[again])
        answer = ask(client, model, nodepool=runner.place.message(client))
        return {
            "alone": before,
            "second": posted,
            "in the nodepool": scenes.heard(answer) or answer.status,
        }


@probe("routing.nodepool-without-deployment")
def nodepool_without_deployment(client: PlatformClient) -> Any:
    """Name a nodepool in which nothing serves the model."""
    model, place = scenes.version(client), scenes.nodepool(client)
    selector = place.selector(client)
    inputs = [scenes.said("hi")]
    return client.call("PostModelOutputs", **model.address, inputs=inputs, runner_selector=selector)


@probe("routing.nodepool-without-deployment", part="runner")
def nodepool_with_a_runner(client: PlatformClient) -> Any:
    """Name a nodepool in which a runner serves the model, and no deployment."""
    model = scenes.version(client)
    with scripted_runner(client, model, place=scenes.nodepool(client)) as runner:
        answered = scenes.heard(asked(client, runner, model))
    newer = scenes.version(client, model)
    return {"its version": answered, "another": ask(client, newer, nodepool=runner.place.message(client))}


@probe("routing.nodepool-without-deployment", part="not-started")
def nodepool_with_a_runner_that_is_not_started(client: PlatformClient) -> Any:
    """Name a nodepool whose runner nobody has started."""
    model, place = scenes.version(client), scenes.nodepool(client)
    runner = {"worker": served(client, model), "num_replicas": 1}
    client.do("PostRunners", **place.place, runners=[runner])
    return ask(client, model, nodepool=place.message(client))


@probe("routing.nodepool-without-deployment", part="shared")
def shared_nodepool(client: PlatformClient) -> Any:
    """Name a nodepool of Clarifai's, where these are listed, for a model of one's own."""
    listed = client.call("ListNodepools", user="clarifai", per_page=1000)
    if not listed.succeeded or not listed.message.nodepools:
        raise CannotTell("The target lists no nodepool of the user clarifai.")
    place = listed.message.nodepools[0]
    cluster = {"id": place.compute_cluster.id, "user_id": place.compute_cluster.user_id}
    model = scenes.version(client, pretrained_model_config=None)
    return ask(client, model, nodepool={"id": place.id, "compute_cluster": cluster})


@probe("routing.runner-of-deployment")
def runner_of_deployment(client: PlatformClient) -> Any:
    """Ask a deployment whose version has no runner, where an older one has."""
    older, place = scenes.version(client), scenes.nodepool(client)
    with saying(client, older, "older", place=place):
        newer = scenes.version(client, older)
        deployment = named(client, scenes.deployment(client, newer, place))
        before = ask(client, newer, deployment=deployment)
        alone = who(client, older, nodepool=place.message(client))
        with saying(client, newer, "newer", place=place):
            after = who(client, newer, deployment=deployment)
    return {"without a runner": before, "with one": after, "the older one, by the nodepool": alone}


@probe("routing.local-dev-not-shared")
def local_dev_not_shared(client: PlatformClient) -> Any:
    """Ask a local-dev version that is deployed nowhere."""
    answer = ask(client, scenes.version(client))
    said = "Shared Nodepools are not allowed for local-dev models."
    return {"status": answer, "in the platform's words": answer.details.startswith(said)}


@probe("routing.runner-without-deployment")
def runner_without_deployment(client: PlatformClient) -> Any:
    """Name one of two runners of a nodepool."""
    model, place = scenes.version(client), scenes.nodepool(client)
    with (
        saying(client, model, "first", place=place) as first,
        saying(client, model, "second", place=place) as second,
    ):
        return [
            who(client, model, nodepool=place.message(client), runner={"id": each.id}) for each in (first, second)
        ]


@probe("routing.runner-of-another")
def runner_of_another(client: PlatformClient) -> Any:
    """Name a runner of another model, of another version, and without its nodepool."""
    model, another = scenes.version(client), scenes.version(client)
    with saying(client, model, "hi") as runner:
        newer = scenes.version(client, model)
        place, selected = runner.place.message(client), {"id": runner.id}
        return {
            "another model": ask(client, another, nodepool=place, runner=selected),
            "another version": ask(client, newer, nodepool=place, runner=selected),
            "no nodepool": ask(client, model, runner=selected),
        }


@probe("routing.shared-compute-owner")
def shared_compute_owner(client: PlatformClient) -> Any:
    """Ask an own model that is deployed nowhere, and is no local-dev one."""
    return ask(client, scenes.version(client, pretrained_model_config=None))


@probe("routing.deploy-restriction")
def deploy_restriction(client: PlatformClient) -> Any:
    """Ask models with each restriction, by deployment and without a place."""

    def seen(restriction: int) -> Any:
        made = scenes.model(client, deploy_restriction=restriction)
        model = scenes.version(client, made)
        with saying(client, model, "deployed") as runner:
            deployment = named(client, scenes.deployment(client, model, runner.place))
            return {
                "deployment": who(client, model, deployment=deployment),
                "nodepool": who(client, model, nodepool=runner.place.message(client)),
                "nothing": who(client, model),
            }

    names = ("NO_LIMITS", "SHARED_COMPUTE_ONLY", "DEDICATED_COMPUTE_ONLY", "MODEL_OWNER_DEDICATED_COMPUTE_ONLY")
    return {name: seen(number) for number, name in enumerate(names, start=1)}
