"""Describes pipelines, their versions and runs, and the steps that they are made of, with their versions.

``api/handlers/pipelines.py`` does what rows cannot say: a version of a pipeline is made with the pipeline, one of a
step by an upload.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    Pipeline,
    PipelineStep,
    PipelineStepVersion,
    PipelineVersion,
    PipelineVersionRun,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import describe
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import IN_APP, Draft, Match, ParentField, Problem, Resource
from clarifai_emulator.store import Key, Kind

_ACTIONS = ("merge", "overwrite", "remove")
_WAITING = frozenset({StatusCode.JOB_QUEUED, StatusCode.JOB_RUNNING})
_ENDED = frozenset(
    {StatusCode.JOB_COMPLETED, StatusCode.JOB_FAILED, StatusCode.JOB_CANCELLED, StatusCode.JOB_UNEXPECTED_ERROR}
)
# The statuses that a run may be given, each with those that it may have then. Of pausing, cancelling and resuming
# the CLI's own help says so (SDK 12.5 ``cli/pipeline_run.py``); the others are those of whatever runs the pipeline.
_BEFORE: dict[int, frozenset[int]] = {
    StatusCode.JOB_PAUSED: _WAITING,
    StatusCode.JOB_CANCELLED: _WAITING | {StatusCode.JOB_PAUSED},
    StatusCode.JOB_RUNNING: _WAITING | {StatusCode.JOB_PAUSED},
    StatusCode.JOB_COMPLETED: _WAITING,
    StatusCode.JOB_FAILED: _WAITING,
    StatusCode.JOB_UNEXPECTED_ERROR: _WAITING,
}


def newest_version(resources: Resources, kind: Kind, parent: Key, viewer: str) -> str:
    """Return the id of the newest version in ``parent`` that ``viewer`` may see; empty where none is."""
    keys = resources.store.keys(kind, parent)
    return next((key[-1] for key in keys if resources.visible(kind, key, viewer)), "")


def _show_pipeline(resources: Resources, key: Key, pipeline: Pipeline, viewer: str) -> None:
    newest = newest_version(resources, Kind.PIPELINE_VERSION, key, viewer)
    if newest:
        pipeline.pipeline_version.CopyFrom(resources.shown(Kind.PIPELINE_VERSION, (*key, newest), viewer))


def _show_step(resources: Resources, key: Key, step: PipelineStep, viewer: str) -> None:
    newest = newest_version(resources, Kind.PIPELINE_STEP_VERSION, key, viewer)
    if newest:
        step.pipeline_step_version.CopyFrom(resources.stored(Kind.PIPELINE_STEP_VERSION, (*key, newest)))


def _show_version(_: Resources, key: Key, version: PipelineVersion, _viewer: str) -> None:
    version.pipeline_id = key[2]


def _show_step_version(_: Resources, key: Key, version: PipelineStepVersion, _viewer: str) -> None:
    version.pipeline_step.user_id, version.pipeline_step.id = key[0], key[2]


def _show_run(_: Resources, key: Key, run: PipelineVersionRun, _viewer: str) -> None:
    version = run.pipeline_version
    version.user_id, version.app_id, version.pipeline_id, version.id = key[:4]


def _prepare_run(resources: Resources, draft: Draft) -> None:
    """A run that is made waits; one that is changed has begun, or has ended, when its status says so first."""
    run = draft.message
    if draft.old is None:
        run.ClearField("orchestration_status")
        run.orchestration_status.status.code = StatusCode.JOB_QUEUED
    status = run.orchestration_status.status
    if status.code == StatusCode.JOB_RUNNING and not run.HasField("started_at"):
        run.started_at.CopyFrom(resources.now())
    if status.code in _ENDED and not run.HasField("ended_at"):
        run.ended_at.CopyFrom(resources.now())
    status.description = describe(status.code)


def _validate_run(resources: Resources, draft: Draft) -> Iterator[Problem]:
    if draft.old is None:
        yield from _missing_nodepools(resources, draft)
        return
    had, wants = (each.orchestration_status.status.code for each in (draft.old, draft.message))
    if wants != had and had not in _BEFORE.get(wants, frozenset()):
        yield Problem(
            "orchestration_status.status.code",
            f"a run that is {_name(had)} cannot become {_name(wants)}; {_way_out(had)}",
            StatusCode.JOB_CONFLICT,
        )


def _missing_nodepools(resources: Resources, draft: Draft) -> Iterator[Problem]:
    """Yield the nodepools that are not there: of this call, the SDK takes 11101 for a missing pipeline."""
    for index, nodepool in enumerate(draft.given.nodepools):
        cluster = nodepool.compute_cluster
        key = (cluster.user_id or draft.owner, cluster.id, nodepool.id)
        if resources.find(Kind.NODEPOOL, key) is None or not resources.visible(Kind.NODEPOOL, key, draft.owner):
            yield Problem(
                f"nodepools[{index}]",
                f"nodepool {nodepool.id!r} does not exist in compute cluster {cluster.id!r}; "
                "create it, or name another",
            )


def _name(code: int) -> str:
    known = code in StatusCode.values()
    return StatusCode.Name(code) if known else str(code)  # pyright: ignore[reportArgumentType]


def _way_out(had: int) -> str:
    if had in _ENDED:
        return "it has ended: start another run"
    return f"it can become {', '.join(_name(each) for each, before in _BEFORE.items() if had in before)}"


def _run_matches(_: Resources, request: Any) -> Match:
    def match(_key: Key, run: Any) -> bool:
        pools = [(each.compute_cluster.id, each.id) for each in run.nodepools]
        wanted = (request.compute_cluster_id, request.nodepool_id)
        return (not request.status_codes or run.orchestration_status.status.code in request.status_codes) and (
            not any(wanted) or any(_fits(pool, wanted) for pool in pools)
        )

    return match


def _fits(pool: tuple[str, str], wanted: tuple[str, str]) -> bool:
    return all(asked in ("", has) for has, asked in zip(pool, wanted, strict=True))


def _step_version_matches(_: Resources, request: Any) -> Match:
    return lambda _key, version: not request.status_codes or version.status.code in request.status_codes


# The SDK takes 11101 of a run for a pipeline that was not uploaded (``Pipeline.run``).
PIPELINE = Resource(
    kind=Kind.PIPELINE,
    message=Pipeline,
    parents=(IN_APP,),
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    read_only=("pipeline_version",),
    actions=_ACTIONS,
    show=_show_pipeline,
)

PIPELINE_VERSION = Resource(
    kind=Kind.PIPELINE_VERSION,
    message=PipelineVersion,
    parents=(IN_APP, ParentField(Kind.PIPELINE, "pipeline_id")),
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    invalid_argument=StatusCode.PIPELINE_INVALID_ARGUMENT,
    verbs=("Get", "List", "Patch", "Delete"),
    assigns_id=True,
    read_only=("pipeline_id",),
    actions=_ACTIONS,
    show=_show_version,
)

PIPELINE_RUN = Resource(
    kind=Kind.PIPELINE_RUN,
    message=PipelineVersionRun,
    parents=(
        IN_APP,
        ParentField(Kind.PIPELINE, "pipeline_id"),
        ParentField(Kind.PIPELINE_VERSION, "pipeline_version_id"),
    ),
    does_not_exist=StatusCode.CONN_DOES_NOT_EXIST,
    invalid_argument=StatusCode.PIPELINE_INVALID_ARGUMENT,
    verbs=("Post", "Get", "List", "Patch"),
    assigns_id=True,
    read_only=("pipeline_version", "started_at", "ended_at", "total_run_duration"),
    filters=("status_codes", "compute_cluster_id", "nodepool_id"),
    prepare=_prepare_run,
    validate=_validate_run,
    show=_show_run,
    matches=_run_matches,
)

PIPELINE_STEP = Resource(
    kind=Kind.PIPELINE_STEP,
    message=PipelineStep,
    parents=(ParentField(Kind.APP, "user_app_id.app_id"),),  # a step itself does not say its app
    verbs=("Post", "Get", "List", "Delete"),
    read_only=("pipeline_step_version",),
    show=_show_step,
)

PIPELINE_STEP_VERSION = Resource(
    kind=Kind.PIPELINE_STEP_VERSION,
    message=PipelineStepVersion,
    parents=(IN_APP, ParentField(Kind.PIPELINE_STEP, "pipeline_step_id")),
    does_not_exist=StatusCode.PIPELINE_STEP_DOES_NOT_EXIST,
    invalid_argument=StatusCode.PIPELINE_STEP_INVALID_ARGUMENT,
    verbs=("Get", "List", "Delete"),
    assigns_id=True,
    read_only=("pipeline_step",),
    filters=("status_codes",),
    show=_show_step_version,
    matches=_step_version_matches,
)
