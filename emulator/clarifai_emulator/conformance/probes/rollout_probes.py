"""Probes of what becomes of requests when their deployment is deleted, disabled, or told another version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.dispatch_probes import Gate, begun, question
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.scripted_runner import scripted_runner

_LONG = 20.0


def moved(client: PlatformClient, deployment: str, model: MadeModel) -> Any:
    """Tell a deployment to serve this version; the answer."""
    served = {
        "id": model.id,
        "app_id": model.app,
        "user_id": client.user_id,
        "model_version": {"id": model.version},
    }
    patch = {"id": deployment, "user_id": client.user_id, "desired_worker": {"model": served}}
    return client.call("PatchDeployments", action="overwrite", deployments=[patch])


def disabled(client: PlatformClient, deployment: str) -> Any:
    """Disable a deployment; the answer."""
    patch = {"id": deployment, "user_id": client.user_id, "status": "DISABLED"}
    return client.call("PatchDeployments", action="overwrite", deployments=[patch])


def rollout_of(client: PlatformClient, deployment: str, versions: Mapping[str, str]) -> Any:
    """Return what a deployment shows of its rollout, with the words for the versions."""
    message = client.do("GetDeployment", deployment_id=deployment).message.deployment
    return {
        "worker": versions.get(message.worker.model.model_version.id),
        "desired_worker": versions.get(message.desired_worker.model.model_version.id),
        "rollout_in_progress": message.deployment_metrics.rollout_in_progress,
    }


@probe("dispatch.deployment-deleted")
def deleted_at_work(client: PlatformClient) -> Any:
    """Delete a deployment whose runner works on a request."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate) as runner:
        deployment = scenes.deployment(client, model, runner.place)
        call = begun(client, runner, model, deployment=deployment)
        deleted = client.call("DeleteDeployments", ids=[deployment])
        at_once = call.ended(1.0)
        gate.open()
        answer = call.answer()
    return {"deleted": deleted, "in flight": answer, "ends at once": at_once}


@probe("dispatch.deployment-deleted", part="runner")
def runner_deleted_at_work(client: PlatformClient) -> Any:
    """Delete a runner of no deployment while it works on a request, and another one waits for it."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate, place=scenes.nodepool(client), threads=1) as runner:
        call = begun(client, runner, model)
        waiting = client.start("PostModelOutputs", **question(client, runner, model))
        waits = not waiting.ended(0.2)
        deleted = client.call("DeleteRunners", **runner.place.place, ids=[runner.id])
        at_once = waiting.ended(1.0)
        gate.open()
        return {
            "waits": waits,
            "deleted": deleted,
            "waiting": waiting.answer(),
            "ends at once": at_once,
            "at work": call.answer(),
        }


@probe("dispatch.in-flight-finishes")
def disabled_at_work(client: PlatformClient) -> Any:
    """Disable a deployment whose runner works on a request."""
    model, gate = scenes.version(client), Gate()
    with scripted_runner(client, model, gate) as runner:
        deployment = scenes.deployment(client, model, runner.place)
        call = begun(client, runner, model, deployment=deployment)
        told = disabled(client, deployment)
        later = client.call("PostModelOutputs", **question(client, runner, model, deployment=deployment))
        gate.open()
        answer = call.answer()
    return {"told": told, "in flight": answer, "asked after that": later}


@probe("dispatch.in-flight-finishes", part="new-version")
def replaced_at_work(client: PlatformClient) -> Any:
    """Tell a deployment another version while the runner of the old one works on a request."""
    old, gate = scenes.version(client), Gate()
    new = scenes.version(client, old)
    with scripted_runner(client, old, gate) as runner, scripted_runner(client, new, place=runner.place):
        deployment = scenes.deployment(client, old, runner.place)
        call = begun(client, runner, old, deployment=deployment)
        told = moved(client, deployment, new)
        gate.open()
        answer = call.answer()
    return {"told": told, "in flight": answer, "heard": scenes.heard(answer)}


@probe("dispatch.rollout")
def rollout(client: PlatformClient) -> Any:
    """Tell a deployment another version, and start the runner of that one some time later."""
    old = scenes.version(client)
    new = scenes.version(client, old)
    either = MadeModel(old.app, old.id)
    with (
        scripted_runner(client, old, lambda item: ["old"]) as before,
        scripted_runner(client, new, lambda item: ["new"], place=before.place, started=False) as after,
    ):
        deployment = scenes.deployment(client, old, before.place)

        def heard() -> str:
            answer = client.call("PostModelOutputs", **question(client, before, either, deployment=deployment))
            return scenes.heard(answer) or answer.status

        first = client.wait(lambda: heard() == "old" and "old", seconds=_LONG, what="the deployment")
        told = moved(client, deployment, new)
        meanwhile = heard()
        after.start()
        last = client.wait(lambda: heard() == "new" and "new", seconds=_LONG, what="the new version")
    return {"first": first, "told": told, "meanwhile": meanwhile, "at last": last}


@probe("dispatch.rollout-worker")
def worker_of_rollout(client: PlatformClient) -> Any:
    """Look at a deployment on its way to a version that does not run yet, and ask it for that version."""
    old = scenes.version(client)
    new = scenes.version(client, old)
    versions = {old.version: "old", new.version: "new"}

    with (
        scripted_runner(client, old) as before,
        scripted_runner(client, new, place=before.place, started=False) as after,
    ):
        deployment = scenes.deployment(client, old, before.place)
        begun(client, before, old, "hi", deployment=deployment).answer()
        moved(client, deployment, new)

        meanwhile = rollout_of(client, deployment, versions)
        call = client.start("PostModelOutputs", **question(client, before, new, deployment=deployment))
        waits = not call.ended(0.2)
        after.start()
        answer = call.answer()
        last = client.wait(
            lambda: (found := rollout_of(client, deployment, versions))["worker"] == "new" and found,
            seconds=_LONG,
            what="the end of the rollout",
        )
    return {"meanwhile": meanwhile, "a request for the new one waits": waits, "answer": answer, "at last": last}
