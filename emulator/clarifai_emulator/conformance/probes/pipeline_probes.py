"""Probes of pipelines: their versions, runs and steps."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

_SPEC = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"entrypoint": "all", "templates": []}}
_VERSION = {
    "orchestration_spec": {
        "argo_orchestration_spec": {"api_version": _SPEC["apiVersion"], "spec_json": json.dumps(_SPEC)}
    }
}


def _pipeline(client: PlatformClient) -> tuple[str, str]:
    """Make a pipeline in an app of its own; the ids of both."""
    app, pipeline = scenes.app(client), client.name("pipeline")
    client.do("PostPipelines", app=app, pipelines=[{"id": pipeline, "pipeline_version": _VERSION}])
    return app, pipeline


def _start(client: PlatformClient, where: tuple[str, str], **run: Any) -> Any:
    return client.call("PostPipelineVersionRuns", app=where[0], pipeline_id=where[1], pipeline_version_runs=[run])


def _shown(client: PlatformClient, where: tuple[str, str], run: str) -> Any:
    answer = client.call("GetPipelineVersionRun", app=where[0], pipeline_id=where[1], pipeline_version_run_id=run)
    return answer.pick("pipeline_version_run.orchestration_status.status.code")


def _set(client: PlatformClient, where: tuple[str, str], run: str, code: int) -> Any:
    changed = {"id": run, "orchestration_status": {"status": {"code": code}}}
    return client.call("PatchPipelineVersionRuns", app=where[0], pipeline_id=where[1],
                       pipeline_version_runs=[changed], action="overwrite")  # fmt: skip


@probe("pipelines.not-run")
def not_run(client: PlatformClient) -> Any:
    """Start a run, and look at it."""
    where, run = _pipeline(client), client.name("run")
    started = _start(client, where, id=run)
    return {"started": started.status, "shown": _shown(client, where, run)}


@probe("pipelines.status-changes")
def status_changes(client: PlatformClient) -> Any:
    """Pause, resume and cancel a run, and go on with it after that."""
    where, run = _pipeline(client), client.name("run")
    _start(client, where, id=run)
    asked = {"resume at once": 64001, "pause": 64008, "resume": 64001, "cancel": 64004, "resume after": 64001}
    return {what: _set(client, where, run, code).status for what, code in asked.items()}


@probe("pipelines.versions")
def versions(client: PlatformClient) -> Any:
    """Post a pipeline a second time, with a version and without."""
    app, pipeline = where = _pipeline(client)
    again = client.call("PostPipelines", app=app, pipelines=[{"id": pipeline, "pipeline_version": _VERSION}])
    bare = client.call("PostPipelines", app=app, pipelines=[{"id": pipeline}])
    found = client.call("ListPipelineVersions", app=app, pipeline_id=where[1]).message.pipeline_versions
    shown = client.call("GetPipeline", app=app, pipeline_id=pipeline).message.pipeline.pipeline_version.id
    return {
        "with a version": again.status,
        "without": bare.status,
        "versions": len(found),
        "shown": [each.id for each in found].index(shown),
    }


@probe("pipelines.newest-version")
def newest_version(client: PlatformClient) -> Any:
    """Start a run without saying of which version."""
    app, pipeline = where = _pipeline(client)
    client.do("PostPipelines", app=app, pipelines=[{"id": pipeline, "pipeline_version": _VERSION}])
    newest = client.call("GetPipeline", app=app, pipeline_id=pipeline).message.pipeline.pipeline_version.id
    started = _start(client, where, id=client.name("run"))
    runs = started.message.pipeline_version_runs
    return {"started": started.status, "of the newest": [run.pipeline_version.id == newest for run in runs]}


@probe("pipelines.missing")
def missing(client: PlatformClient) -> Any:
    """Ask for what is not there."""
    app, pipeline = where = _pipeline(client)
    gone = client.name("gone")
    nodepool = {"id": gone, "compute_cluster": {"id": gone, "user_id": client.user_id}}
    return {
        "pipeline": client.call("GetPipeline", app=app, pipeline_id=gone),
        "version": client.call("GetPipelineVersion", app=app, pipeline_id=pipeline, pipeline_version_id=gone),
        "run": client.call("GetPipelineVersionRun", app=app, pipeline_id=pipeline, pipeline_version_run_id=gone),
        "step": client.call("GetPipelineStep", app=app, pipeline_step_id=gone),
        "run of it": _start(client, (app, gone)),
        "run there": _start(client, where, nodepools=[nodepool]),
    }


@probe("pipelines.step-upload")
def step_upload(client: PlatformClient) -> Any:
    """Upload a step in two parts, and one without its code."""
    app, step = scenes.app(client), client.name("step")
    client.do("PostPipelineSteps", app=app, pipeline_steps=[{"id": step}])
    found: dict[str, Any] = {}
    for what, names in (
        ("whole", ("config.yaml", "requirements.txt", "1/pipeline_step.py")),
        ("no code", ("config.yaml", "requirements.txt")),
    ):
        answers = list(
            client.stream("PostPipelineStepVersionsUpload", requests=_requests(client, app, step, _packed(names)))
        )
        version = answers[-1].message.pipeline_step_version_id
        shown = client.call(
            "GetPipelineStepVersion", app=app, pipeline_step_id=step, pipeline_step_version_id=version
        )
        found[what] = [each.status for each in answers], shown.pick("pipeline_step_version.status.code")
    return found


def _packed(names: tuple[str, ...]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return buffer.getvalue()


def _requests(client: PlatformClient, app: str, step: str, data: bytes) -> Iterator[dict[str, Any]]:
    where = {"user_app_id": {"user_id": client.user_id, "app_id": app}, "pipeline_step_id": step}
    compute = {"cpu_limit": "100m", "cpu_memory": "100Mi"}
    version = {"pipeline_step_compute_info": compute}
    yield {"upload_config": {**where, "pipeline_step_version": version, "total_size": len(data)}}
    half = len(data) // 2
    for number, part in enumerate((data[:half], data[half:]), 1):
        yield {"content_part": {"part_number": number, "range_start": (number - 1) * half, "data": part}}
