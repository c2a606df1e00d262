"""The unmodified SDK does what is said of edges: one model's output, as the platform hands it on, is the
input of another one, for every pair of types."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Image, Region, Text
from clarifai_grpc.grpc.api.resources_pb2 import Data, Input, MethodSignature, Model, NodeInput, WorkflowNode
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.workflow_edges import NodeModel, edge_problems

VALUES: Mapping[Any, Any] = {
    str: "hello",
    Text: Text("hello"),
    Image: Image(bytes=b"\x89PNG"),
    int: 3,
    float: 2.5,
    bool: True,
    bytes: b"bytes",
    np.ndarray: np.zeros(2),
    Concept: Concept("cat", 0.5),
    list[Concept]: [Concept("cat", 0.5)],
    list[Region]: [Region(box=[0, 0, 1, 1])],
    dict: {"a": 1},
}


def model_class(takes: tuple[Any, ...], gives: Any) -> type[ModelClass]:
    """Make a model whose predict takes and gives these types."""
    names = "abc"[: len(takes)]
    source = f"def predict(self, {', '.join(f'{name}: T{n}' for n, name in enumerate(names))}) -> R: return value"
    scope: dict[str, Any] = {"R": gives, "value": VALUES[gives], **{f"T{n}": each for n, each in enumerate(takes)}}
    exec(compile(source, "made", "exec", dont_inherit=True), scope)
    return type("Made", (ModelClass,), {"predict": ModelClass.method(scope["predict"])})


def signature(model: ModelClass) -> MethodSignature:
    return model._get_method_infos()["predict"].signature  # pyright: ignore[reportPrivateUsage]


def answer(model: ModelClass, data: Data) -> tuple[int, Data]:
    """Ask a model as a workflow does."""
    found = model.predict_wrapper(PostModelOutputsRequest(model=Model(), inputs=[Input(data=data)]))
    return found.status.code, found.outputs[0].data if found.outputs else Data()


@pytest.mark.parametrize("gives", VALUES, ids=str)
def test_each_type_is_taken_or_refused_as_is_said(gives: Any):
    first = model_class((str,), gives)()
    before = NodeModel("first", [signature(first)])
    given = Data()
    given.text.raw = "x"
    _, output = answer(first, given)
    for takes in (*((each,) for each in VALUES), *itertools.product([str, Text, Image], repeat=2)):
        second = model_class(takes, str)()
        models = {"first": before, "then": NodeModel("then", [signature(second)])}
        nodes = [
            WorkflowNode(id="first"),
            WorkflowNode(id="then", node_inputs=[NodeInput(node_id="first")]),
        ]
        problems = list(edge_problems(nodes, models))
        handed = Data()
        handed.CopyFrom(output)
        code, _ = answer(second, handed)
        said = f"{gives} to {takes}: {problems}"
        if any(each.is_certain for each in problems):
            assert code != StatusCode.SUCCESS, said
        elif not problems and (gives, takes) not in DOUBTFUL:
            assert code == StatusCode.SUCCESS, said


# A text that is no JSON document: what it holds is only known when it comes.
DOUBTFUL = {(str, (dict,))}
