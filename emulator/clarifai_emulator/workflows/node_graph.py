"""Puts the nodes of a workflow in order: what each takes, which run at once, and why a graph cannot run. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode

from clarifai_emulator.spelling import did_you_mean_or

# "Up to 20 nodes" and "up to 32 inputs" (Clarifai/docs, pages about workflows and about limits).
MOST_NODES = 20
MOST_INPUTS = 32


@dataclass(frozen=True, slots=True)
class GraphProblem:
    """Says why nodes make no graph that can run. ``index``: the place of the node among them; None where it is
    about all of them. ``text``: what is wrong and what to do, without the name of the node."""

    index: int | None
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class NodeGraph:
    """Holds the ids of nodes in the order of their definition, each with the ids of the nodes that it takes from;
    a node that takes from none takes what the request brings. Without problems (``graph_problems``)."""

    taken: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: Iterable[WorkflowNode]) -> NodeGraph:
        """Make the graph of nodes that have no problem."""
        return cls({node.id: tuple(dict.fromkeys(each.node_id for each in node.node_inputs)) for node in nodes})

    def levels(self) -> tuple[tuple[str, ...], ...]:
        """Return the nodes in steps: each node in the first step that follows all that it takes from."""
        depth: dict[str, int] = {}
        for node in self.ordered():
            depth[node] = max((depth[each] + 1 for each in self.taken[node]), default=0)
        steps = range(max(depth.values(), default=-1) + 1)
        return tuple(tuple(node for node in self.taken if depth[node] == step) for step in steps)

    def ordered(self) -> Iterator[str]:
        """Yield the nodes, each after all that it takes from, and else in the order of their definition."""
        missing = {node: len(taken) for node, taken in self.taken.items()}
        readers = self.readers()
        ready = deque(node for node, count in missing.items() if not count)
        while ready:
            node = ready.popleft()
            yield node
            for reader in readers[node]:
                missing[reader] -= 1
                if not missing[reader]:
                    ready.append(reader)

    def readers(self) -> dict[str, list[str]]:
        """Return the nodes that take from each node."""
        readers: dict[str, list[str]] = {node: [] for node in self.taken}
        for node, taken in self.taken.items():
            for each in taken:
                readers[each].append(node)
        return readers

    def before(self, node: str) -> Iterator[str]:
        """Yield all that a node takes from, directly or through others, the nearest first."""
        seen = set(self.taken[node])
        queue = deque(self.taken[node])
        while queue:
            each = queue.popleft()
            yield each
            further = [one for one in self.taken[each] if one not in seen]
            seen.update(further)
            queue.extend(further)


def graph_problems(nodes: Sequence[WorkflowNode]) -> list[GraphProblem]:
    """Return why these nodes cannot run as a graph; empty when they can."""
    if not nodes:
        return [GraphProblem(None, "nodes", "a workflow needs at least one node")]
    problems = list(_limits(nodes))
    problems += _ids(nodes)
    problems += _unknown_inputs(nodes)
    circle = () if problems else find_circle(nodes)
    if circle:
        text = f"the nodes make a circle: {' → '.join(circle)}; take one of these inputs out"
        problems.append(GraphProblem(None, "nodes", text))
    return problems


def _limits(nodes: Sequence[WorkflowNode]) -> Iterator[GraphProblem]:
    if len(nodes) > MOST_NODES:
        yield GraphProblem(
            None, "nodes", f"a workflow has {MOST_NODES} nodes at most, this one has {len(nodes)}; split it"
        )


def _ids(nodes: Sequence[WorkflowNode]) -> Iterator[GraphProblem]:
    count = Counter(node.id for node in nodes)
    for index, node in enumerate(nodes):
        if not node.id:
            yield GraphProblem(index, f"nodes[{index}].id", "a node needs an id; give it one")
        elif count[node.id] > 1:
            count[node.id] = 0  # said once
            yield GraphProblem(index, f"nodes[{index}].id", f"another node is called {node.id!r}, too; rename one")


def _unknown_inputs(nodes: Sequence[WorkflowNode]) -> Iterator[GraphProblem]:
    known = {node.id for node in nodes}
    for index, node in enumerate(nodes):
        for number, each in enumerate(node.node_inputs):
            field = f"nodes[{index}].node_inputs[{number}].node_id"
            if each.node_id not in known:
                hint = did_you_mean_or(each.node_id, known, "name one of its nodes")
                yield GraphProblem(index, field, f"there is no node {each.node_id!r} in this workflow; {hint}")


def find_circle(nodes: Sequence[WorkflowNode]) -> tuple[str, ...]:
    """Return the ids along a circle of nodes, the first one again at its end; empty where there is none."""
    taken = {node.id: [each.node_id for each in node.node_inputs] for node in nodes}
    done: set[str] = set()
    for start in taken:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = iter(taken[start])
        while path:
            node = next(reversed(path))
            following = next((each for each in path[node] if each in taken and each not in done), None)
            if following is None:
                done.add(node)
                del path[node]
            elif following in path:
                ids = list(path)
                # Against the direction in which it was looked for: from what gives to what takes.
                return (following, *reversed(ids[ids.index(following) :]))
            else:
                path[following] = iter(taken[following])
    return ()
