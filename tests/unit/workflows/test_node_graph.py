"""Nodes are put in order, and a graph that cannot run says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.workflows.node_graph import NodeGraph, find_circle, graph_problems


def nodes_of(taken: Mapping[str, Sequence[str]]) -> list[WorkflowNode]:
    return [
        WorkflowNode(id=node, node_inputs=[{"node_id": each} for each in inputs]) for node, inputs in taken.items()
    ]


DIAMOND = {"end": ("left", "right"), "left": ("start",), "right": ("start",), "start": (), "other": ()}


def test_nodes_run_in_steps_whatever_their_order_of_definition() -> None:
    graph = NodeGraph.of(nodes_of(DIAMOND))
    assert graph.levels() == (("start", "other"), ("left", "right"), ("end",))
    assert not graph_problems(nodes_of(DIAMOND))


def test_a_node_knows_who_takes_from_it_and_all_that_comes_before_it() -> None:
    graph = NodeGraph.of(nodes_of(DIAMOND))
    assert graph.readers() == {
        "end": [],
        "left": ["end"],
        "right": ["end"],
        "start": ["left", "right"],
        "other": [],
    }
    assert list(graph.before("end")) == ["left", "right", "start"]


def test_an_input_that_is_named_twice_is_taken_once() -> None:
    assert NodeGraph.of(nodes_of({"a": (), "b": ("a", "a")})).taken == {"a": (), "b": ("a",)}


def texts(taken: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{each.field}: {each.text}" for each in graph_problems(nodes_of(taken))]


def test_a_circle_is_shown_in_the_direction_of_the_data() -> None:
    assert texts({"a": ("c",), "b": ("a",), "c": ("b",), "d": ()}) == [
        "nodes: the nodes make a circle: a → b → c → a; take one of these inputs out"
    ]
    assert texts({"a": ("a",)}) == ["nodes: the nodes make a circle: a → a; take one of these inputs out"]


def test_an_unknown_node_is_named_with_the_one_that_was_meant() -> None:
    assert texts({"detector": (), "crop": ("detecter",), "read": ("x",)}) == [
        "nodes[1].node_inputs[0].node_id: there is no node 'detecter' in this workflow; did you mean 'detector'?",
        "nodes[2].node_inputs[0].node_id: there is no node 'x' in this workflow; name one of its nodes",
    ]


def test_a_workflow_has_one_to_twenty_nodes() -> None:
    assert texts({}) == ["nodes: a workflow needs at least one node"]
    assert not texts({str(number): () for number in range(20)})
    assert texts({str(number): () for number in range(200)}) == [
        "nodes: a workflow has 20 nodes at most, this one has 200; split it"
    ]


def test_nodes_have_ids_of_their_own() -> None:
    found = graph_problems([WorkflowNode(id="a"), WorkflowNode(), WorkflowNode(id="a"), WorkflowNode(id="a")])
    assert [(each.index, each.text) for each in found] == [
        (0, "another node is called 'a', too; rename one"),
        (1, "a node needs an id; give it one"),
    ]


GRAPHS = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1)


@given(GRAPHS)
def test_nodes_can_be_put_in_order_unless_they_make_a_circle(drawn: dict[str, list[str]]) -> None:
    taken = {node: [each for each in inputs if each in drawn] for node, inputs in drawn.items()}
    left = dict(taken)
    while ready := [node for node, inputs in left.items() if not set(inputs) & left.keys()]:
        for node in ready:
            del left[node]

    circle = find_circle(nodes_of(taken))

    assert bool(circle) == bool(left)
    if circle:
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
        assert all(giver in taken[taker] for giver, taker in pairwise(circle))
    else:
        place = {node: number for number, node in enumerate(NodeGraph.of(nodes_of(taken)).ordered())}
        assert place.keys() == taken.keys()
        assert all(place[each] < place[node] for node, inputs in taken.items() for each in inputs)
