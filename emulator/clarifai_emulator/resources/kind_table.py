"""Lists every kind of what the store holds: the one table that storing, keeping, exporting and serving follow."""

from __future__ import annotations

from collections.abc import Mapping

from clarifai_grpc.grpc.api.resources_pb2 import User

from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.resources.app_rows import APP
from clarifai_emulator.resources.artifact_rows import ARTIFACT, ARTIFACT_VERSION
from clarifai_emulator.resources.compute_rows import COMPUTE_CLUSTER, NODEPOOL, RUNNER
from clarifai_emulator.resources.credential_rows import KEY, SECRET
from clarifai_emulator.resources.deployment_rows import DEPLOYMENT
from clarifai_emulator.resources.model_rows import MODEL, MODEL_VERSION
from clarifai_emulator.resources.pipeline_rows import (
    PIPELINE,
    PIPELINE_RUN,
    PIPELINE_STEP,
    PIPELINE_STEP_VERSION,
    PIPELINE_VERSION,
)
from clarifai_emulator.resources.rows import Record
from clarifai_emulator.resources.workflow_rows import WORKFLOW, WORKFLOW_VERSION
from clarifai_emulator.store import Kind

# Users are shown by RPCs of their own, and sources by none.
USER = Record(kind=Kind.USER, message=User)
SOURCE = Record(kind=Kind.SOURCE, message=ModelSource)

ROWS: tuple[Record, ...] = (
    USER,
    APP,
    MODEL,
    MODEL_VERSION,
    COMPUTE_CLUSTER,
    NODEPOOL,
    DEPLOYMENT,
    RUNNER,
    KEY,
    SECRET,
    ARTIFACT,
    ARTIFACT_VERSION,
    PIPELINE,
    PIPELINE_VERSION,
    PIPELINE_RUN,
    PIPELINE_STEP,
    PIPELINE_STEP_VERSION,
    WORKFLOW,
    WORKFLOW_VERSION,
    SOURCE,
)


TABLE: Mapping[Kind, Record] = {row.kind: row for row in ROWS}
