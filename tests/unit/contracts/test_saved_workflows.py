"""Tests that nodes that do not fit are told when a workflow is saved, and refused where that is strict."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField, RunnerMethodType
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.saved_workflows import NewMethods, SavedWorkflows
from clarifai_emulator.contracts.values.runtime import Mode
from clarifai_emulator.errors import CallerError
from clarifai_emulator.store import Kind
from resource_api import ResourceApi

TYPE = ModelTypeField.DataType


def predict(takes: int, gives: int, name: str = "predict") -> MethodSignature:
    return MethodSignature(
        name=name,
        method_type=RunnerMethodType.UNARY_UNARY,
        input_fields=[ModelTypeField(name="it", type=takes, required=True)],  # pyright: ignore[reportArgumentType]
        output_fields=[ModelTypeField(name="return", type=gives)],  # pyright: ignore[reportArgumentType]
    )


READS = predict(TYPE.IMAGE, TYPE.STR)
SAYS = predict(TYPE.STR, TYPE.STR)
NODES = [
    {"id": "read", "model": {"id": "reader"}},
    {"id": "say", "model": {"id": "sayer"}, "node_inputs": [{"node_id": "read"}]},
]
TURNED = [
    {"id": "say", "model": {"id": "sayer"}},
    {"id": "read", "model": {"id": "reader"}, "node_inputs": [{"node_id": "say"}]},
]
MESSAGE = "Workflow 'flow', node 'read': its argument 'it' (Image) takes image; 'say' gives text."


def made(mode: Mode = "record") -> ResourceApi:
    api = ResourceApi(contract=mode)
    for name, method in (("reader", READS), ("sayer", SAYS)):
        api.model(name)
        api.version(name, method_signatures=[method])
    return api


def post(api: ResourceApi, nodes: Any) -> Any:
    return api("PostWorkflows", app_id="app", workflows=[{"id": "flow", "nodes": nodes}]).workflows[0]


def told(api: ResourceApi) -> list[tuple[str, str]]:
    found = [event.fields for event in api.events.recent() if event.kind == "contract.finding"]
    return [(each["rule"], each["message"]) for each in found]


class TestSaving:
    def test_nodes_that_fit_are_not_told_of(self) -> None:
        api = made()
        post(api, NODES)
        assert told(api) == []

    def test_nodes_that_do_not_are_told_and_saved_all_the_same(self) -> None:
        api = made()
        assert len(post(api, TURNED).nodes) == 2
        assert told(api) == [("workflow-edge", MESSAGE)]
        (event,) = api.events.recent("contract.finding")
        assert event.fields["workflow"] == "ada/app/flow"
        assert event.fields["model"] == "ada/app/models/reader"
        assert event.fields["user_id"] == "ada"
        assert event.fields["hint"].startswith("Put a node between them that gives image")

    def test_where_contracts_are_strict_nothing_is_saved(self) -> None:
        api = made("strict")
        with pytest.raises(CallerError) as refused:
            post(api, TURNED)
        assert refused.value.code == StatusCode.WORKFLOW_INVALID_GRAPH
        assert refused.value.message.startswith(f"workflow-edge: {MESSAGE} Put a node between them")
        assert api.store.count(Kind.WORKFLOW) == 0
        post(api, NODES)
        given = [{"id": "flow", "nodes": TURNED}]
        with pytest.raises(CallerError, match="workflow-edge"):
            api("PatchWorkflows", app_id="app", workflows=given, action="overwrite")
        assert api.store.count(Kind.WORKFLOW_VERSION) == 1

    def test_where_they_are_off_nothing_is_said(self) -> None:
        api = made("off")
        post(api, TURNED)
        assert told(api) == []

    def test_a_patch_of_words_is_not_held_against_anything(self) -> None:
        api = made()
        post(api, TURNED)
        given = [{"id": "flow", "description": "d"}]
        api("PatchWorkflows", app_id="app", workflows=given, action="overwrite")
        assert len(told(api)) == 1

    def test_a_model_without_predict_is_told_of(self) -> None:
        api = made()
        api.version("sayer", method_signatures=[predict(TYPE.STR, TYPE.STR, "talk")])
        post(api, NODES)
        ((rule, message),) = told(api)
        assert rule == "workflow-edge"
        assert message.startswith("Workflow 'flow', node 'say': a workflow calls predict, and model ")

    def test_the_pinned_version_counts_and_without_one_the_newest(self) -> None:
        api = made()
        old = api("GetModel", app_id="app", model_id="sayer").model.model_version.id
        api.version("sayer", method_signatures=[predict(TYPE.IMAGE, TYPE.STR)])
        pinned = [NODES[0], {**NODES[1], "model": {"id": "sayer", "model_version": {"id": old}}}]
        post(api, pinned)
        assert told(api) == []
        given = [{"id": "flow", "nodes": NODES}]
        api("PatchWorkflows", app_id="app", workflows=given, action="overwrite")
        assert len(told(api)) == 1

    def test_what_is_only_known_when_it_runs_is_not_refused(self) -> None:
        api = made("strict")
        api.model("detector")
        api.version("detector", method_signatures=[predict(TYPE.IMAGE, TYPE.REGION)])
        nodes = [
            {"id": "detect", "model": {"id": "detector"}},
            {"id": "read", "model": {"id": "reader"}, "node_inputs": [{"node_id": "detect"}]},
        ]
        post(api, nodes)
        assert [rule for rule, _ in told(api)] == ["unchecked-edge"]

    def test_what_the_platforms_operators_take_is_known_by_their_type(self) -> None:
        api = made()
        crop = {"user_id": "clarifai", "app_id": "main", "id": "margin-110-image-crop"}
        post(api, [NODES[0], {"id": "crop", "model": crop, "node_inputs": [{"node_id": "read"}]}])
        assert told(api) == [
            ("workflow-edge", "Workflow 'flow', node 'crop': a image-crop takes regions, and 'read' gives text.")
        ]


class TestNewMethods:
    def saved(self, api: ResourceApi, mode: Mode = "record") -> SavedWorkflows:
        return SavedWorkflows(mode=mode, resources=api.resources, events=api.events)

    def broken(self, api: ResourceApi, signature: MethodSignature, version_id: str = "") -> list[str]:
        new = NewMethods(("ada", "app", "sayer"), version_id, [signature])
        return [f"{key[-1]}: {finding.message}" for key, finding in self.saved(api).broken_by(new)]

    def test_a_workflow_that_they_break_is_named(self) -> None:
        api = made()
        post(api, NODES)
        assert self.broken(api, SAYS) == []
        assert self.broken(api, predict(TYPE.AUDIO, TYPE.STR)) == [
            "flow: Workflow 'flow', node 'say': its argument 'it' (Audio) takes audio; 'read' gives text."
        ]

    def test_what_did_not_fit_before_is_not_told_again(self) -> None:
        api = made()
        post(api, TURNED)
        assert self.broken(api, SAYS) == []

    def test_a_node_that_stays_with_its_version_is_concerned_by_that_one_alone(self) -> None:
        api = made()
        old = api("GetModel", app_id="app", model_id="sayer").model.model_version.id
        post(api, [NODES[0], {**NODES[1], "model": {"id": "sayer", "model_version": {"id": old}}}])
        wrong = predict(TYPE.AUDIO, TYPE.STR)
        assert self.broken(api, wrong) == []
        assert len(self.broken(api, wrong, old)) == 1

    def test_they_are_refused_where_contracts_are_strict(self) -> None:
        api = made()
        post(api, NODES)
        new = NewMethods(("ada", "app", "sayer"), "", [predict(TYPE.AUDIO, TYPE.STR)])
        self.saved(api).require_fit(new)
        assert len(told(api)) == 1
        with pytest.raises(CallerError, match="workflow-edge: Workflow 'flow', node 'say'"):
            self.saved(api, "strict").require_fit(new)

    def test_without_workflows_nothing_is_looked_at(self) -> None:
        api = made()
        assert self.broken(api, predict(TYPE.AUDIO, TYPE.STR)) == []
