"""Every kind of resource is kept, exported, imported, listed and guarded, as its row says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeCluster, Dataset
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.message import Message

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.resources.artifact_rows import ARTIFACT_VERSION
from clarifai_emulator.resources.kind_table import ROWS
from clarifai_emulator.resources.pipeline_rows import PIPELINE_RUN, PIPELINE_STEP_VERSION, PIPELINE_VERSION
from clarifai_emulator.resources.rows import IN_APP, VERBS, ParentField, Record, Resource
from clarifai_emulator.resources.workflow_rows import WORKFLOW_VERSION
from clarifai_emulator.store import NAMED, Kind
from resource_api import ResourceApi
from resource_family import ids_of, kept_and_carried, requests

# A kind that the emulator does not serve, added by its row: held to what all others are.
DATASET = Resource(kind=Kind("dataset"), message=Dataset, parents=(IN_APP,))
KINDS = (*ROWS, DATASET)
SERVED = [row for row in KINDS if isinstance(row, Resource)]
NODE = {"id": "only", "model": {"id": "model"}}
WORKER = {"model": {"id": "model", "app_id": "app"}}
# Of each kind that is served: its key, and what a user says of it.
EXAMPLES: dict[Kind, tuple[tuple[str, ...], dict[str, Any]]] = {
    Kind.APP: (("ada", "new"), {"description": "d"}),
    Kind.MODEL: (("ada", "app", "new"), {"description": "d"}),
    Kind.MODEL_VERSION: (("ada", "app", "model", "new"), {"description": "d"}),
    Kind.COMPUTE_CLUSTER: (
        ("ada", "new"),
        {"cloud_provider": {"id": "aws"}, "region": "r", "cluster_type": "local-dev", "managed_by": "user"},
    ),
    Kind.NODEPOOL: (("ada", "cluster", "new"), {"instance_types": [{"id": "t3a.medium"}], "max_instances": 1}),
    Kind.DEPLOYMENT: (("ada", "new"), {"worker": WORKER, "nodepools": [{"id": "pool"}]}),
    Kind.RUNNER: (("ada", "cluster", "pool", "new"), {"worker": WORKER}),
    Kind.KEY: (("ada", "new"), {"description": "d"}),
    Kind.SECRET: (("ada", "new"), {"value": "v"}),
    Kind.ARTIFACT: (("ada", "app", "new"), {}),
    Kind.ARTIFACT_VERSION: (("ada", "app", "artifact", "new"), {"description": "d"}),
    Kind.PIPELINE: (("ada", "app", "new"), {"description": "d"}),
    Kind.PIPELINE_VERSION: (("ada", "app", "pipeline", "new"), {"description": "d"}),
    Kind.PIPELINE_RUN: (("ada", "app", "pipeline", "version", "new"), {}),
    Kind.PIPELINE_STEP: (("ada", "app", "new"), {"description": "d"}),
    Kind.PIPELINE_STEP_VERSION: (("ada", "app", "step", "new"), {"description": "d"}),
    Kind.WORKFLOW: (("ada", "app", "new"), {"nodes": [NODE]}),
    Kind.WORKFLOW_VERSION: (("ada", "app", "workflow", "new"), {"description": "d"}),
    DATASET.kind: (("ada", "app", "new"), {"description": "d"}),
}


# The verbs that the platform has of a kind, where these are not all.
LIVES = {
    Kind.ARTIFACT: ("Post", "Get", "List", "Delete"),
    Kind.ARTIFACT_VERSION: ("Get", "List", "Delete"),
    Kind.PIPELINE_VERSION: ("Get", "List", "Patch", "Delete"),
    Kind.PIPELINE_RUN: ("Post", "Get", "List", "Patch"),
    Kind.PIPELINE_STEP: ("Post", "Get", "List", "Delete"),
    Kind.PIPELINE_STEP_VERSION: ("Get", "List", "Delete"),
    Kind.WORKFLOW_VERSION: ("Get", "List", "Patch", "Delete"),
}


def put_what_no_request_makes(api: ResourceApi, row: Resource) -> None:
    """Put what the kind lies in, and an item that only an upload makes, or its pipeline."""
    key = EXAMPLES[row.kind][0]
    if row is ARTIFACT_VERSION:
        api("PostArtifacts", app_id="app", artifacts=[{"id": "artifact"}])
    if row is PIPELINE_STEP_VERSION:
        api("PostPipelineSteps", app_id="app", pipeline_steps=[{"id": "step"}])
    if row in (PIPELINE_VERSION, PIPELINE_RUN):
        api("PostPipelines", app_id="app", pipelines=[{"id": "pipeline"}])
    if row is WORKFLOW_VERSION:
        api("PostWorkflows", app_id="app", workflows=[{"id": "workflow", "nodes": [NODE]}])
    if row is PIPELINE_RUN:
        api.store.put(Kind.PIPELINE_VERSION, key[:-1], PIPELINE_VERSION.message(id="version"))
    if "Post" not in row.verbs:
        api.store.put(row.kind, key, item_of(row))


def item_of(row: Record) -> Any:
    if not issubclass(row.message, Message):
        return ModelSource(Path("/models/m"), Path(sys.executable), "hash", "here")
    return row.message(id="new", **EXAMPLES.get(row.kind, ((), {}))[1])


@pytest.fixture
def api() -> ResourceApi:
    api = ResourceApi(rows=KINDS)
    api.ready_to_deploy()
    return api


def send(api: ResourceApi, name: str, request: Any, caller: Caller) -> Any:
    call = ApiCall(rpc_table()[name], {}, 0.0, caller=caller)
    caller.require(call.rpc)
    return api.handlers[name](call, request)


def test_every_kind_has_a_row() -> None:
    assert tuple(row.kind for row in ROWS) == NAMED
    assert {row.kind for row in SERVED} == set(EXAMPLES)


def test_a_kind_that_the_store_names_and_no_row_describes_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="No row of the table of resources describes the kind 'source'"):
        ResourceApi(rows=ROWS[:-1])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            Resource(kind=Kind("dataset"), message=Dataset, in_request="set_id"),
            "The row of datasets names 'set_id', which GetDataset does not have.",
        ),
        (
            Resource(kind=Kind("dataset"), message=Dataset, parents=(ParentField(Kind.APP, "user_app_id.name"),)),
            "The row of datasets names 'user_app_id.name', which PostDatasets does not have.",
        ),
        (
            Resource(kind=Kind("dataset"), message=Dataset, verbs=("Patch",), stem="Planet"),
            "The platform has no RPC PatchPlanet.",
        ),
    ],
)
def test_a_row_that_the_platform_has_no_rpcs_for_is_refused_at_once(row: Resource, says: str) -> None:
    with pytest.raises(TypeError, match=re.escape(says)):
        ResourceApi(rows=(*ROWS, row))


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.kind)
async def test_it_is_on_the_disk_and_in_an_export(row: Record, tmp_path: Path) -> None:
    key, item = EXAMPLES.get(row.kind, (("ada", "app", "model", "v"),))[0], item_of(row)
    cluster = ComputeCluster(id="cluster", cluster_type="local-dev")  # whose runners its user runs: they are kept
    items = {(Kind.COMPUTE_CLUSTER, ("ada", "cluster")): cluster, (row.kind, key): item}
    assert list(kept_and_carried(KINDS, items, tmp_path)) == [items, items]


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.kind)
def test_it_is_made_shown_listed_changed_and_removed(row: Resource, api: ResourceApi) -> None:
    key, _ = EXAMPLES[row.kind]
    put_what_no_request_makes(api, row)
    seen: list[str] = []
    for verb, name, request in requests(row, key, item_of(row)):
        answer = send(api, name, request, Caller("ada"))
        assert verb in ("Delete", "Post") or "new" in ids_of(row, answer), name
        assert (api.store.get(row.kind, key) is None) == (verb == "Delete"), name
        seen.append(verb)
    assert seen == [verb for verb in VERBS if verb in LIVES.get(row.kind, VERBS)]


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.kind)
def test_another_user_neither_sees_nor_changes_it(row: Resource, api: ResourceApi) -> None:
    key, _ = EXAMPLES[row.kind]
    put_what_no_request_makes(api, row)
    made = "Post" not in row.verbs
    for verb, name, request in requests(row, key, item_of(row)):
        if not made:
            send(api, name, request, Caller("ada"))
            made = True
        if verb == "List" and len(key) == 2:  # of a user that is known: nothing of it is shown
            assert ids_of(row, send(api, name, request, Caller("eve"))) == []
            continue
        with pytest.raises(CallerError) as refused:
            send(api, name, request, Caller("eve"))
        assert verb in ("Get", "List") or refused.value.code == StatusCode.CONN_INSUFFICIENT_SCOPES, name
    assert api.store.get(row.kind, key) is not None


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.kind)
def test_a_key_without_its_scopes_is_refused(row: Resource, api: ResourceApi) -> None:
    for _, name, request in requests(row, EXAMPLES[row.kind][0], item_of(row)):
        with pytest.raises(CallerError) as refused:
            send(api, name, request, Caller("ada", scopes=frozenset({"none"})))
        assert refused.value.code == StatusCode.CONN_INSUFFICIENT_SCOPES, name
