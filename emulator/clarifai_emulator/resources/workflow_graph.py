"""Orders the nodes of a workflow, each behind its inputs, and tells what is wrong with how they are connected.

Pure: nodes in, problems or an order out. Whether their models are there is asked in ``workflow_rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.resources.item_problem import Problem
from clarifai_emulator.spelling import did_you_mean

# Of the platform's documentation (docs.clarifai.com, "Manage Workflows").
MAX_NODES = 20


def graph_problems(nodes: Sequence[WorkflowNode]) -> Iterator[Problem]:
    """Yield what is wrong with the nodes by themselves and with their connections."""
    if not nodes:
        yield Problem("nodes", "a workflow needs at least one node; give each node an id and a model")
        return
    if len(nodes) > MAX_NODES:
        yield Problem("nodes", f"{len(nodes)} are given, at most {MAX_NODES} are allowed; make several workflows")
        return
    known: dict[str, int] = {}
    for index, node in enumerate(nodes):
        yield from _own_problems(node, f"nodes[{index}]", known)
        known.setdefault(node.id, index)
    for index, node in enumerate(nodes):
        yield from _input_problems(node, f"nodes[{index}]", known)
    circle = find_circle(nodes)
    if circle:
        yield Problem(
            "nodes",
            f"{' → '.join((*circle, circle[0]))} is a circle: each would wait for the others; "
            "take one of these node_inputs out",
            StatusCode.WORKFLOW_INVALID_GRAPH,
        )


def _own_problems(node: WorkflowNode, where: str, known: dict[str, int]) -> Iterator[Problem]:
    if not node.id:
        yield Problem(f"{where}.id", "must not be empty; node_inputs name nodes by it")
    elif node.id in known:
        yield Problem(
            f"{where}.id",
            f"{node.id!r} is the id of nodes[{known[node.id]}], too; give each node an id of its own",
            StatusCode.WORKFLOW_INVALID_GRAPH,
        )
    if not node.model.id:
        yield Problem(f"{where}.model.id", "must not be empty; name the model that does the work of this node")


def _input_problems(node: WorkflowNode, where: str, known: dict[str, int]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, each in enumerate(node.node_inputs):
        place = f"{where}.node_inputs[{index}].node_id"
        if each.node_id not in known:
            yield Problem(place, _unknown_input(each.node_id, known), StatusCode.WORKFLOW_INVALID_GRAPH)
        elif each.node_id in seen:
            yield Problem(
                place, f"{each.node_id!r} is given twice; name each input once", StatusCode.WORKFLOW_INVALID_GRAPH
            )
        seen.add(each.node_id)


def _unknown_input(name: str, known: dict[str, int]) -> str:
    guess = did_you_mean(name, known)
    said = guess.rstrip(".") if guess else f"there are {', '.join(map(repr, known))}"
    return (
        f"no node of this workflow has the id {name!r}; {said}; a node that reads the request's input has no "
        "node_inputs"
    )


def find_circle(nodes: Sequence[WorkflowNode]) -> tuple[str, ...]:
    """Return the ids along a circle of connections, each the input of the next one; none where there is no
    circle. Inputs that name no node are passed over."""
    inputs = _inputs(nodes)
    waiting = {name for name, before in inputs.items() if before}
    while ready := {name for name in waiting if not inputs[name] & waiting}:
        waiting -= ready
    if not waiting:
        return ()
    path = [next(node.id for node in nodes if node.id in waiting)]
    while True:  # each that still waits has an input that waits, so the way back meets itself
        before = next(each for each in sorted(inputs[path[-1]]) if each in waiting)
        if before in path:
            return tuple(reversed(path[path.index(before) :]))
        path.append(before)


def in_order(nodes: Sequence[WorkflowNode]) -> list[WorkflowNode]:
    """Return the nodes, each behind its inputs; where that leaves a choice, in the order in which they were given.
    Nodes in a circle, with ids that are not their own, or too many are left as they were given."""
    inputs = _inputs(nodes) if len(nodes) <= MAX_NODES else {}
    if len(inputs) < len(nodes) or find_circle(nodes):
        return list(nodes)
    left, ordered, done = list(nodes), [], set[str]()
    while left:
        ready = next(node for node in left if inputs[node.id] <= done)
        left.remove(ready)
        ordered.append(ready)
        done.add(ready.id)
    return ordered


def _inputs(nodes: Sequence[WorkflowNode]) -> dict[str, frozenset[str]]:
    ids = {node.id for node in nodes}
    return {node.id: frozenset(each.node_id for each in node.node_inputs if each.node_id in ids) for node in nodes}
