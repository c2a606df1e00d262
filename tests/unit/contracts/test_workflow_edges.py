"""Nodes of a workflow fit, or it is said which argument gets nothing."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, Model, ModelTypeField, NodeInput, WorkflowNode

from clarifai_emulator.contracts.workflow_edges import EdgeProblem, NodeModel, edge_problems

Type = ModelTypeField.DataType


def method(takes: str, gives: str, name: str = "predict") -> MethodSignature:
    """Make a signature: ``"prompt: STR, size: INT = 1"`` and the type of the result."""
    fields = []
    for each in filter(None, takes.split(", ")):
        argument, _, type_ = each.partition(": ")
        fields.append(field(type_.removesuffix(" = 1"), name=argument, required="=" not in type_))
    return MethodSignature(name=name, input_fields=fields, output_fields=[field(gives, name="return")])


def field(type_: str, *, name: str = "", required: bool = False) -> ModelTypeField:
    outer, _, inner = type_.partition("[")
    args = [field(inner.removesuffix("]"))] if inner else []
    return ModelTypeField(name=name, type=Type.Value(outer), required=required, type_args=args)


def node(name: str, *before: str) -> WorkflowNode:
    return WorkflowNode(id=name, model=Model(id=name), node_inputs=[NodeInput(node_id=each) for each in before])


def found(gives: str, takes: str) -> list[EdgeProblem]:
    models = {
        "first": NodeModel("first", [method("image: IMAGE", gives)]),
        "then": NodeModel("then", [method(takes, "STR")]),
    }
    return list(edge_problems([node("first"), node("then", "first")], models))


@pytest.mark.parametrize(
    ("gives", "takes"),
    [
        ("STR", "prompt: STR"),
        ("STR", "prompt: TEXT"),
        ("TEXT", "prompt: STR"),
        ("STR", "prompt: STR, again: STR"),
        ("STR", "prompt: STR, image: IMAGE = 1"),
        ("STR", "data: JSON_DATA"),
        ("IMAGE", "image: IMAGE"),
        ("LIST[CONCEPT]", "one: CONCEPT"),
        ("LIST[REGION]", "one: REGION"),
        ("INT", "n: INT"),
        ("JSON_DATA", "data: JSON_DATA"),
        ("NAMED_FIELDS", "image: IMAGE"),
        ("TUPLE", "image: IMAGE"),
        ("LIST[STR]", "image: IMAGE"),
        ("IMAGE", ""),
    ],
)
def test_of_nodes_that_fit_or_may_fit_nothing_is_said(gives: str, takes: str):
    assert found(gives, takes) == []


@pytest.mark.parametrize(
    ("gives", "takes", "text"),
    [
        ("IMAGE", "prompt: STR", "its argument 'prompt' (str) takes text; 'first' gives image."),
        ("STR", "image: IMAGE", "its argument 'image' (Image) takes image; 'first' gives text."),
        ("LIST[CONCEPT]", "prompt: STR", "its argument 'prompt' (str) takes text; 'first' gives concepts."),
        ("STR", "n: INT", "its argument 'n' (int) takes int_value; 'first' gives text."),
        (
            "TEXT", "a: STR, b: STR",
            "its argument 'b' (str) takes text; 'first' gives text, and 'a' takes that.",
        ),
        (
            "IMAGE", "a: IMAGE, b: IMAGE",
            "its argument 'b' (Image) takes image; 'first' gives image, and 'a' takes that.",
        ),
    ],
)  # fmt: skip
def test_an_argument_that_gets_nothing_is_an_error(gives: str, takes: str, text: str):
    (problem,) = found(gives, takes)
    assert (problem.node, problem.before, problem.text) == ("then", ("first",), text)
    assert problem.is_certain
    assert problem.hint.startswith("Put a node between them that gives ")


def test_what_cannot_be_made_of_anything_between_nodes_is_said_not_to_be_certain():
    (problem,) = found("STR", "texts: LIST[STR]")
    assert not problem.is_certain
    assert problem.text.startswith("its argument 'texts' is required and of a type that the SDK's runner makes of")


def test_regions_may_hold_images():
    (problem,) = found("LIST[REGION]", "image: IMAGE")
    assert not problem.is_certain


def test_older_sdks_send_json_as_a_text():
    (problem,) = found("JSON_DATA", "prompt: STR")
    assert not problem.is_certain


def test_a_model_without_predict_cannot_be_a_node():
    models = {"only": NodeModel("writer", [method("prompt: STR", "STR", "generate"), method("", "STR", "stream")])}
    (problem,) = edge_problems([node("only")], models)
    assert (
        problem.text == "a workflow calls predict, and model 'writer' has no such method; it has generate, stream."
    )
    assert problem.hint == "Name its method predict, or take another model."


def test_a_node_takes_from_all_nodes_before_it():
    models = {
        "see": NodeModel("see", [method("image: IMAGE", "IMAGE")]),
        "say": NodeModel("say", [method("image: IMAGE", "STR")]),
        "both": NodeModel("both", [method("image: IMAGE, prompt: STR", "STR")]),
    }
    assert list(edge_problems([node("see"), node("say"), node("both", "see", "say")], models)) == []
    (problem,) = edge_problems([node("see"), node("say"), node("both", "say")], models)
    assert problem.text == "its argument 'image' (Image) takes image; 'say' gives text."


def test_models_without_signatures_are_known_by_their_type():
    models = {
        "detect": NodeModel("detector", type_id="visual-detector"),
        "crop": NodeModel("crop", type_id="image-crop"),
        "name": NodeModel("classifier", type_id="visual-classifier"),
        "limit": NodeModel("limit", type_id="concept-thresholder"),
        "ask": NodeModel("ask", type_id="prompter"),
        "odd": NodeModel("odd", type_id="something-of-tomorrow"),
    }
    nodes = [
        node("detect"),
        node("crop", "detect"),
        node("name", "crop"),
        node("limit", "name"),
        node("odd", "limit"),
    ]
    assert list(edge_problems(nodes, models)) == []
    (problem,) = edge_problems([*nodes, node("ask", "limit")], models)
    assert problem.text == "a prompter takes text, and 'limit' gives concepts and regions."


def test_nothing_is_said_of_what_is_not_known_nor_of_what_no_graph_can_be():
    models = {"then": NodeModel("then", [method("image: IMAGE", "STR")])}
    for nodes in (
        [node("then")],
        [node("who"), node("then", "who")],
        [node("then", "nobody")],
        [node("then", "then")][:0],
        [],
    ):
        assert list(edge_problems(nodes, models)) == []
    circle = [node("then", "back"), node("back", "then")]
    assert list(edge_problems(circle, models)) == []
