"""Probes of deployments, all in nodepools whose runners their user runs: nothing starts."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool
from clarifai_emulator.conformance.scripted_runner import asked, scripted_runner


def worker(client: PlatformClient, model: MadeModel, version: str = "") -> dict[str, Any]:
    """Return the worker that runs a model, at a version."""
    served = {"id": model.id, "app_id": model.app, "user_id": client.user_id}
    return {"model": {**served, **({"model_version": {"id": version}} if version else {})}}


def posted(client: PlatformClient, **fields: Any) -> Any:
    """Post a deployment of a new model in a shared nodepool, but for these fields."""
    if "worker" not in fields and "desired_worker" not in fields:
        fields["worker"] = worker(client, scenes.version(client))
    if "nodepools" not in fields and "deployment_nodepools" not in fields:
        fields["nodepools"] = [client.shared(scenes.nodepool).message(client)]
    return client.call("PostDeployments", deployments=[{"id": client.name("deployment"), **fields}])


def patched(client: PlatformClient, deployment: str, **fields: Any) -> Any:
    """Overwrite fields of a deployment."""
    return client.call("PatchDeployments", deployments=[{"id": deployment, **fields}], action="overwrite")


def runs(client: PlatformClient, deployment: str, **versions: str) -> dict[str, Any]:
    """Return which of the versions, by their names here, a deployment says that it runs, and whether it follows."""
    found = client.do("GetDeployment", deployment_id=deployment).message.deployment
    names = {version: name for name, version in versions.items()}
    return {
        **{
            field: names.get(getattr(found, field).model.model_version.id, "another")
            for field in ("worker", "desired_worker")
        },
        "follows": found.deploy_latest_version,
    }


@probe("deployments.worker")
def worker_and_desired_worker(client: PlatformClient) -> Any:
    """Say with each of the two fields what a deployment runs, in a post and in a patch."""
    old, place = scenes.version(client), client.shared(scenes.nodepool)
    new = scenes.version(client, old)
    versions = {"old": old.version, "new": new.version}
    deployment = scenes.deployment(client, old, place)
    observed = {"posted with worker": runs(client, deployment, **versions)}
    observed["patch worker"] = patched(client, deployment, worker=worker(client, old, new.version))
    observed["then"] = runs(client, deployment, **versions)
    observed["patch desired_worker"] = patched(client, deployment, desired_worker=worker(client, old, new.version))
    observed["and then"] = runs(client, deployment, **versions)
    return observed


@probe("deployments.pinned-or-followed")
def without_a_version(client: PlatformClient) -> Any:
    """Post deployments that name no version: of a model with two, and of one with none."""
    old, place = scenes.version(client), client.shared(scenes.nodepool)
    new, empty = scenes.version(client, old), scenes.model(client)
    deployment = scenes.deployment(client, MadeModel(old.app, old.id), place)
    of_none = posted(client, worker=worker(client, empty))
    return {
        "of two": runs(client, deployment, old=old.version, new=new.version),
        "of none": of_none.pick("deployments.0.deploy_latest_version"),
    }


@probe("deployments.patch-pins")
def pin_one_that_follows(client: PlatformClient) -> Any:
    """Patch a deployment that follows the newest version with another one."""
    old, place = scenes.version(client), client.shared(scenes.nodepool)
    new = scenes.version(client, old)
    deployment = scenes.deployment(client, MadeModel(old.app, old.id), place, deploy_latest_version=True)
    answer = patched(client, deployment, desired_worker=worker(client, old, old.version))
    return {"status": answer, **runs(client, deployment, old=old.version, new=new.version)}


@probe("deployments.worker-shows-served")
def what_one_that_follows_shows(client: PlatformClient) -> Any:
    """Look at a deployment that follows the newest version, before and after there is a newer one."""
    old, place = scenes.version(client), client.shared(scenes.nodepool)
    deployment = scenes.deployment(client, MadeModel(old.app, old.id), place, deploy_latest_version=True)
    before = runs(client, deployment, old=old.version)
    new = scenes.version(client, old)
    return {"before": before, "after": runs(client, deployment, old=old.version, new=new.version)}


@probe("deployments.latest-version")
def newer_version_without_a_runner(client: PlatformClient) -> Any:
    """Call a deployment that follows the newest version once there is one that no runner serves."""
    old, place = scenes.version(client), scenes.nodepool(client)
    deployment = scenes.deployment(client, MadeModel(old.app, old.id), place, deploy_latest_version=True)
    selector = {"deployment": {"id": deployment, "user_id": client.user_id}}

    def call() -> Any:
        inputs = [scenes.said("hi")]
        return client.call("PostModelOutputs", **old.address, inputs=inputs, runner_selector=selector)

    with scripted_runner(client, old, place=place) as runner:
        asked(client, runner, old)
        before = call()
        scenes.version(client, old)
        after = call()
    return {"before": before, "after": after, "answered": scenes.heard(after)}


@probe("deployments.autoscale-defaults")
def autoscaling_that_is_left_out(client: PlatformClient) -> Any:
    """Post a deployment that says nothing of scaling."""
    return posted(client).pick("deployments.0.autoscale_config")


@probe("deployments.refused-autoscale")
def autoscaling_that_cannot_be(client: PlatformClient) -> Any:
    """Post deployments whose numbers contradict each other."""
    sooner = {"max_replicas": 1, "scale_down_delay_seconds": 600, "scale_to_zero_delay_seconds": 300}
    return {
        "to zero before down": posted(client, autoscale_config=sooner),
        "more at least": posted(client, autoscale_config={"min_replicas": 2, "max_replicas": 1}),
    }


@probe("deployments.nodepool-lists")
def two_lists_of_nodepools(client: PlatformClient) -> Any:
    """Name nodepools in each of the two fields, in both, and with priorities."""
    first, second = client.shared(scenes.nodepool).message(client), scenes.nodepool(client).message(client)
    paths = ("deployments.0.nodepools.0.id", "deployments.0.deployment_nodepools.0.priority")
    with_priority = posted(client, deployment_nodepools=[{**first, "priority": 9}, {**second, "priority": 1}])
    return {
        "both": posted(client, nodepools=[first], deployment_nodepools=[second]),
        "without a priority": posted(client, deployment_nodepools=[second]).pick(*paths),
        "with one": with_priority.pick(*paths),
        "priority 10": posted(client, deployment_nodepools=[{**first, "priority": 10}]),
        "twice the same": posted(client, nodepools=[first, first]),
        "none": posted(client, nodepools=[]),
    }


@probe("deployments.several-in-nodepool")
def two_of_one_model(client: PlatformClient) -> Any:
    """Post two deployments of one model in one nodepool."""
    runs_it = worker(client, scenes.version(client))
    return {"first": posted(client, worker=runs_it), "second": posted(client, worker=runs_it)}


@probe("deployments.owners")
def whose_nodepools_and_models(client: PlatformClient) -> Any:
    """Deploy into a stranger's nodepool, and a stranger's models."""
    other = client.other
    theirs: MadeNodepool = scenes.nodepool(other, cluster=scenes.cluster(other))
    public, private = {"gettable": 50}, {"gettable": 10}
    shown = scenes.model(other, app=scenes.app(other, visibility=public), visibility=public)
    hidden = scenes.model(other, app=scenes.app(other, visibility=private), visibility=private)
    scenes.version(other, shown, visibility=public)
    scenes.version(other, hidden)
    return {
        "their nodepool": posted(client, nodepools=[theirs.message(other)]),
        "their public model": posted(client, worker=worker(other, shown)),
        "their private model": posted(client, worker=worker(other, hidden)),
    }


@probe("deployments.other-workers")
def other_workers(client: PlatformClient) -> Any:
    """Post deployments of a workflow, of a model that is not there, and of nothing."""
    workflow = {"workflow": {"id": "nothing", "app_id": client.shared(scenes.app), "user_id": client.user_id}}
    missing = {"model": {"id": "missing", "app_id": client.shared(scenes.app), "user_id": client.user_id}}
    return {
        "workflow": posted(client, worker=workflow),
        "missing model": posted(client, worker=missing),
        "nothing": posted(client, worker={}),
    }


@probe("deployments.enable")
def enable(client: PlatformClient) -> Any:
    """Disable a deployment, and patch it with nothing but its id."""
    deployment = scenes.deployment(client, scenes.version(client), client.shared(scenes.nodepool))
    disabled = patched(client, deployment, status="DISABLED").pick("deployments.0.status")
    said = patched(client, deployment, description="d").pick("deployments.0.status")
    return {
        "disabled": disabled,
        "another field": said,
        "the id alone": patched(client, deployment).pick("deployments.0.status"),
    }


@probe("deployments.nested")
def what_is_nested(client: PlatformClient) -> Any:
    """Look at the model and the nodepool within a deployment."""
    model = scenes.version(client, scenes.model(client, description="whole"), description="of the version")
    place = scenes.nodepool(client, description="whole")
    deployment = scenes.deployment(client, model, place)
    paths = (
        "worker.model.description",
        "worker.model.model_version.description",
        "worker.model.model_version.status.code",
        "nodepools.0.description",
        "nodepools.0.compute_cluster.cluster_type",
    )
    answer = client.call("GetDeployment", deployment_id=deployment)
    return answer.pick(*(f"deployment.{path}" for path in paths))
