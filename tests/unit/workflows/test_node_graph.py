"""Nodes are put in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.workflows.node_graph import NodeGraph


def nodes_of(taken: Mapping[str, Sequence[str]]) -> list[WorkflowNode]:
    return [
        WorkflowNode(id=node, node_inputs=[{"node_id": each} for each in inputs]) for node, inputs in taken.items()
    ]


DIAMOND = {"end": ("left", "right"), "left": ("start",), "right": ("start",), "start": (), "other": ()}


def test_nodes_run_in_steps_whatever_their_order_of_definition() -> None:
    graph = NodeGraph.of(nodes_of(DIAMOND))
    assert graph.levels() == (("start", "other"), ("left", "right"), ("end",))


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


GRAPHS = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1)


@given(GRAPHS)
def test_each_node_comes_after_all_that_it_takes_from(drawn: dict[str, list[str]]) -> None:
    taken = {node: [each for each in inputs if each in drawn] for node, inputs in drawn.items()}
    left = dict(taken)
    while ready := [node for node, inputs in left.items() if not set(inputs) & left.keys()]:
        for node in ready:
            del left[node]

    graph = NodeGraph.of(nodes_of({node: inputs for node, inputs in taken.items() if node not in left}))
    place = {node: number for number, node in enumerate(graph.ordered())}

    assert place.keys() == taken.keys() - left.keys()
    assert all(place[each] < place[node] for node, inputs in graph.taken.items() for each in inputs)
    assert sorted(node for step in graph.levels() for node in step) == sorted(place)
