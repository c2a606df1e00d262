"""Definitions of workflows among the paths are held against the given models: their graph, and what goes from node to
node."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from flow.contracts.calls.conftest import said

HELLO = "{model_id: hello, user_id: me, app_id: demo}"
TYPES = "{model_id: types, user_id: me, app_id: demo}"
OTHER = "{model_id: other, user_id: clarifai, app_id: main}"
SEES = "{model_id: sees, user_id: clarifai, app_id: main, model_type_id: visual-classifier}"
GIVEN = "No --model was given for"


def definition(*nodes: tuple[str, str, str]) -> str:
    """Write a workflow of nodes: id, model, ids of inputs."""
    lines = ["workflow:", "  id: both", "  nodes:"]
    for name, model, inputs in nodes:
        lines += [f"    - id: {name}", f"      model: {model}"]
        lines += ["      node_inputs:"] * bool(inputs) + [f"        - node_id: {each}" for each in inputs.split()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("nodes", "findings"),
    [
        ([("a", HELLO, ""), ("b", HELLO, "a")], []),
        ([("a", HELLO, ""), ("b", HELLO, "a"), ("c", SEES, "")], []),
        ([("a", OTHER, ""), ("b", SEES, "a")], []),
        (
            [("a", SEES, ""), ("b", HELLO, "a")],
            ["workflow-edge: Workflow 'both', node 'b': its argument 'prompt' (str) takes text; 'a' gives concepts and frames."],
        ),
        (
            [("a", HELLO, ""), ("b", SEES, "a")],
            ["workflow-edge: Workflow 'both', node 'b': a visual-classifier takes image or video, and 'a' gives text."],
        ),
        (
            [("a", HELLO, ""), ("b", HELLO, "aa")],
            ["workflow-graph: Workflow 'both', node 'b', node_inputs[0].node_id: no node of this workflow has the id 'aa'; "],
        ),
        (
            [("a", HELLO, "b"), ("b", HELLO, "a")],
            ["workflow-graph: Workflow 'both': b → a → b is a circle: each would wait for the others; "],
        ),
        (
            [("a", HELLO, ""), ("a", HELLO, "")],
            ["workflow-graph: Workflow 'both', node 'a', id: 'a' is the id of nodes[0], too; "],
        ),
        (
            [(f"n{each}", HELLO, "") for each in range(200)],
            ["workflow-graph: Workflow 'both': 200 are given, at most 20 are allowed; "],
        ),
        (
            [("a", HELLO, ""), ("b", OTHER, "a")],
            ["model-not-given: Workflow 'both': no --model was given for clarifai/main/models/other"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_workflow_is_said(
    tmp_path: Path, models: list[KnownModel], nodes: list[tuple[str, str, str]], findings: list[str]
):
    (tmp_path / "workflow.yml").write_text(definition(*nodes))
    texts = said(check_known([tmp_path], models))
    assert len(texts) == len(findings), texts
    for text, start in zip(texts, findings, strict=True):
        assert text.startswith(start), text


def test_a_finding_is_at_the_input_of_the_node_and_names_where_the_argument_is_declared(
    tmp_path: Path, models: list[KnownModel]
):
    file = tmp_path / "workflow.yml"
    file.write_text(definition(("a", SEES, ""), ("b", HELLO, "a")))
    (finding,) = check_known([file], models).findings
    place, declared = finding.location, finding.declared
    assert place is not None
    assert declared is not None
    assert (place.path, place.line, place.column) == (file, 9, 20)
    assert (declared.path.name, finding.model, finding.method) == ("model.py", "hello", "predict")


ODD = {
    "a list": "workflow: {nodes: [model_id]}",
    "no nodes": "workflow: {nodes: {model_id: 1}}",
    "a node that is a text": "workflow: {id: x, nodes: [a, {id: b, model: {model_id: hello}}]}",
    "inputs that are none": "workflow: {id: x, nodes: [{id: b, model: {model_id: hello}, node_inputs: [1, {}, {node_id: }]}]}",
    "no YAML": "workflow: {nodes: [model_id",
    "a bomb": "a: &a [model_id, nodes]\nb: &b [*a, *a]\nworkflow: [*b, *b]",
    "a circle of anchors": "workflow: &w {nodes: [{id: a, model: {model_id: *w}}]}",
    "deep": "workflow: {nodes: " + "[" * 3000 + "model_id",
}  # fmt: skip


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_yaml_is_passed_over(tmp_path: Path, models: list[KnownModel], text: str):
    (tmp_path / "workflow.yml").write_text(text)
    assert {each.rule for each in check_known([tmp_path], models).findings} <= {"workflow-graph"}
