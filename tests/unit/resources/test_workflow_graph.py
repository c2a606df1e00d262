"""Tests that nodes are put behind their inputs, and that what cannot be a graph is said in words that help."""

from __future__ import annotations

from itertools import pairwise

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Model, NodeInput, WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.resources.workflow_graph import find_circle, graph_problems, in_order

INVALID = StatusCode.WORKFLOW_INVALID_GRAPH


def nodes(**inputs: str) -> list[WorkflowNode]:
    """Return nodes by their ids, each with the inputs that its text names."""
    return [
        WorkflowNode(id=name, model=Model(id="m"), node_inputs=[NodeInput(node_id=each) for each in before.split()])
        for name, before in inputs.items()
    ]


def said(given: list[WorkflowNode]) -> list[tuple[str, str, int]]:
    return [(each.where, each.text, each.code) for each in graph_problems(given)]


class TestProblems:
    def test_a_graph_with_branches_that_meet_has_none(self) -> None:
        assert said(nodes(a="", b="a", c="a", d="b c")) == []

    def test_no_nodes(self) -> None:
        assert said([]) == [("nodes", "a workflow needs at least one node; give each node an id and a model", 0)]

    def test_the_twenty_first_node(self) -> None:
        assert said(nodes(**{f"n{each}": "" for each in range(20)})) == []
        assert said(nodes(**{f"n{each}": "" for each in range(200)})) == [
            ("nodes", "200 are given, at most 20 are allowed; make several workflows", 0)
        ]

    def test_ids_that_are_missing_or_given_twice(self) -> None:
        given = [*nodes(a=""), *nodes(a=""), WorkflowNode()]
        assert said(given) == [
            ("nodes[1].id", "'a' is the id of nodes[0], too; give each node an id of its own", INVALID),
            ("nodes[2].id", "must not be empty; node_inputs name nodes by it", 0),
            ("nodes[2].model.id", "must not be empty; name the model that does the work of this node", 0),
        ]

    def test_inputs_that_no_node_is(self) -> None:
        assert said(nodes(detector="", cropper="detektor")) == [
            (
                "nodes[1].node_inputs[0].node_id",
                "no node of this workflow has the id 'detektor'; Did you mean 'detector'?; "
                "a node that reads the request's input has no node_inputs",
                INVALID,
            )
        ]
        ((_, text, _),) = said(nodes(one="", two="Input"))
        assert "there are 'one', 'two'" in text

    def test_an_input_that_is_named_twice(self) -> None:
        assert said(nodes(a="", b="a a")) == [
            ("nodes[1].node_inputs[1].node_id", "'a' is given twice; name each input once", INVALID)
        ]

    @pytest.mark.parametrize(
        ("given", "circle"),
        [
            (nodes(a="a"), "a → a"),
            (nodes(a="b", b="a"), "b → a → b"),
            (nodes(start="", a="start c", b="a", c="b", end="c"), "b → c → a → b"),
            (nodes(behind="a", a="b", b="a"), "b → a → b"),
        ],
    )
    def test_circles_name_the_way_round(self, given: list[WorkflowNode], circle: str) -> None:
        assert said(given) == [
            (
                "nodes",
                f"{circle} is a circle: each would wait for the others; take one of these node_inputs out",
                INVALID,
            )
        ]


class TestOrder:
    def test_a_node_comes_behind_its_inputs_and_else_where_it_was(self) -> None:
        given = nodes(last="a b", b="", a="b", alone="")
        assert [node.id for node in in_order(given)] == ["b", "a", "last", "alone"]

    def test_what_is_no_graph_is_left_as_it_was(self) -> None:
        for broken in (nodes(a="b", b="a"), [*nodes(a="b"), *nodes(a="", b="")]):
            assert in_order(broken) == broken

    @given(st.integers(1, 20).flatmap(lambda size: st.tuples(st.just(size), st.randoms())))
    def test_every_graph_without_circles_is_ordered(self, drawn: tuple[int, object]) -> None:
        size, random = drawn
        choose = random.sample  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
        names = [f"n{each}" for each in range(size)]
        given = [
            WorkflowNode(id=name, node_inputs=[NodeInput(node_id=each) for each in choose(names[:at], min(at, 3))])
            for at, name in enumerate(names)
        ]
        shuffled = choose(given, size)
        assert find_circle(shuffled) == ()
        ordered = in_order(shuffled)
        assert sorted(node.id for node in ordered) == sorted(names)
        place = {node.id: at for at, node in enumerate(ordered)}
        assert all(place[each.node_id] < place[node.id] for node in ordered for each in node.node_inputs)

    @given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefgh")), min_size=1))
    def test_a_circle_that_is_found_is_one(self, inputs: dict[str, set[str]]) -> None:
        given = nodes(**{name: " ".join(sorted(before)) for name, before in inputs.items()})
        circle = find_circle(given)
        assert all(one in inputs[other] for one, other in pairwise((*circle, *circle[:1])))
        ordered = [node.id for node in in_order(given)]
        if not circle:
            assert all(
                ordered.index(each) < ordered.index(name)
                for name in inputs
                for each in inputs[name] & inputs.keys()
            )
