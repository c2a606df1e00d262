"""Puts the nodes of a workflow in order: what each takes, who takes from it, and which run at once. Pure.

What is wrong with a graph is said when it is made (``resources/workflow_graph.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import WorkflowNode

# "Up to 32 inputs" (Clarifai/docs, pages about workflows).
MOST_INPUTS = 32


@dataclass(frozen=True, slots=True)
class NodeGraph:
    """Holds the ids of nodes in the order of their definition, each with the ids of the nodes that it takes from;
    a node that takes from none takes what the request brings. There is no circle in it."""

    taken: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, nodes: Iterable[WorkflowNode]) -> NodeGraph:
        """Make the graph of nodes with which nothing is wrong."""
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
