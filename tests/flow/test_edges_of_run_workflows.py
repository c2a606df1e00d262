"""An edge of a workflow fares as is said of it before anything is deployed, for models of each type."""

from __future__ import annotations

import itertools
from pathlib import Path

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.json_format import ParseDict

from clarifai_emulator.contracts.signatures.read_signatures import read_many
from clarifai_emulator.contracts.workflow_edges import NodeModel, edge_problems
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, write_model
from flow.workflow_scenes import make, request

MODEL = """
from typing import List
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Image, Region, Text

class Made(ModelClass):
    @ModelClass.method
    def predict(self, it: {takes}) -> {gives}:
        return {value}
"""
TYPES = {
    "text": ("str", "'hello'"),
    "image": ("Image", "Image(bytes=b'x')"),
    "number": ("int", "3"),
    "concepts": ("List[Concept]", "[Concept('cat', 0.5)]"),
}
TAKEN = {"text": "str", "image": "Image", "number": "int", "concept": "Concept"}


def test_what_is_said_of_an_edge_is_what_becomes_of_it(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    givers = {
        f"gives-{name}": write_model(tmp_path, f"gives-{name}", MODEL.format(takes="str", gives=gives, value=value))
        for name, (gives, value) in TYPES.items()
    }
    takers = {
        f"takes-{name}": write_model(
            tmp_path, f"takes-{name}", MODEL.format(takes=takes, gives="str", value="'ok'")
        )
        for name, takes in TAKEN.items()
    }
    contracts = read_many([*givers.values(), *takers.values()])
    methods = {
        each.model_id: NodeModel(each.model_id, [one.signature for one in each.methods]) for each in contracts
    }
    for each in (*givers.values(), *takers.values()):
        emulator.deploy(each)

    said: dict[str, bool] = {}
    became: dict[str, bool] = {}
    for giver, taker in itertools.product(givers, takers):
        nodes = [{"id": "first", "model": giver}, {"id": "then", "model": taker, "of": ["first"]}]
        graph = [ParseDict({"id": "first"}, WorkflowNode())]
        graph.append(ParseDict({"id": "then", "node_inputs": [{"node_id": "first"}]}, WorkflowNode()))
        problems = list(edge_problems(graph, {"first": methods[giver], "then": methods[taker]}))
        edge = f"{giver} {taker}"
        assert all(each.is_certain for each in problems)
        said[edge] = not problems
        make(client, *nodes, workflow=edge.replace(" ", "-"))
        answer = client.call(
            "PostWorkflowResults", request({"text": {"raw": "x"}}, workflow=edge.replace(" ", "-"))
        )
        became[edge] = answer.status.code == StatusCode.SUCCESS
    assert became == said
    assert sum(said.values()) == len(TYPES)
