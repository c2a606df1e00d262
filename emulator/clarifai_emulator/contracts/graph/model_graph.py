"""Makes a graph of the calls that were found: models, workflows and clients, and who calls whom with what. Pure.

calls of models and clients ─┐
definitions of workflows    ─┴─► nodes, edges with methods, calls that lead nobody knows where, circles
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.model_circles import circles
from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModels, shown_address
from clarifai_emulator.contracts.endpoints.platform_urls import model_address
from clarifai_emulator.contracts.endpoints.workflow_files import WorkflowFile
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.workflow_edges import METHOD

_GRAVEST = (Severity.ERROR, Severity.WARNING, Severity.UNCHECKED)
_CIRCLE = "model-circle"


class NodeKind(StrEnum):
    """Kinds of nodes. ``OTHER``: a model that was not given, as the code names it."""

    MODEL = "model"
    WORKFLOW = "workflow"
    CLIENT = "client"
    OTHER = "other"


@dataclass(frozen=True, slots=True, order=True)
class GraphNode:
    """A node. ``place``: the directory of a model, the file of a workflow or a client; None of others.
    ``is_readable``: not a model whose methods could not be read."""

    kind: NodeKind
    name: str
    place: Location | None = None
    is_readable: bool = True

    @property
    def key(self) -> str:
        """Return what names it among all nodes."""
        return f"{self.kind}:{self.name}"

    @property
    def label(self) -> str:
        """Return what names it among models: ``greeter``, ``workflow both``."""
        return self.name if self.kind in (NodeKind.MODEL, NodeKind.OTHER) else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """Calls of one method. ``called``: the method, or the function that sends the request; of a workflow, its node.
    ``verdict``: of the gravest of them, ``checked`` where all are right."""

    caller: GraphNode
    callee: GraphNode
    called: str
    places: tuple[Location, ...]
    verdict: str = "checked"


@dataclass(frozen=True, slots=True)
class UnresolvedCall:
    """A call of which the source does not say whom it calls. ``rule`` and ``reason``: why."""

    caller: GraphNode
    called: str
    place: Location
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelGraph:
    """The graph. ``circles``: models and workflows, each of which calls the next, and the last one the first, by
    their labels."""

    nodes: Sequence[GraphNode]
    edges: Sequence[GraphEdge]
    unresolved: Sequence[UnresolvedCall]
    circles: Sequence[tuple[str, ...]]

    def edges_of(self, node: GraphNode) -> list[GraphEdge]:
        """Return the calls that a node makes."""
        return [each for each in self.edges if each.caller == node]

    def unresolved_of(self, node: GraphNode) -> list[UnresolvedCall]:
        """Return its calls that lead nobody knows where."""
        return [each for each in self.unresolved if each.caller == node]


def model_graph(
    known: Sequence[KnownModel],
    calls: Iterable[ClientCall],
    workflows: Sequence[WorkflowFile] = (),
    findings: Iterable[Finding] = (),
) -> ModelGraph:
    """Return the graph of these models, of the calls that they and clients make, and of workflows. ``findings``:
    what was said of the workflows."""
    return _Building(known, workflows).graph(calls, list(findings))


class _Building:
    def __init__(self, known: Sequence[KnownModel], workflows: Sequence[WorkflowFile]) -> None:
        self._workflows = workflows
        self._endpoints = EndpointModels(known)
        self._nodes: dict[str, GraphNode] = {}
        self._edges: dict[tuple[str, str, str], list[tuple[Location, str]]] = {}
        self._unresolved: list[UnresolvedCall] = []
        self._models = {
            each.name: self._node(NodeKind.MODEL, each.name, Location(each.directory), bool(each.methods))
            for each in known
        }
        self._addresses = {shown_address(each.address): each.name for each in known}
        self._flows = {
            each.workflow_id: self._node(NodeKind.WORKFLOW, each.workflow_id, Location(each.location.path))
            for each in workflows
        }

    def graph(self, calls: Iterable[ClientCall], findings: Sequence[Finding]) -> ModelGraph:
        for call in calls:
            self._call(call)
        for workflow in self._workflows:
            self._workflow(workflow, findings)
        edges = [
            GraphEdge(
                self._nodes[caller],
                self._nodes[callee],
                called,
                tuple(sorted({place for place, _ in several})),
                _gravest(verdict for _, verdict in several),
            )
            for (caller, callee, called), several in sorted(self._edges.items())
        ]
        called_: dict[str, list[str]] = {}
        for edge in edges:
            called_.setdefault(edge.caller.label, []).append(edge.callee.label)
        nodes = sorted(self._nodes.values(), key=lambda each: (_ORDER[each.kind], each.name))
        return ModelGraph(nodes, edges, self._unresolved, circles(called_))

    def _node(
        self, kind: NodeKind, name: str, place: Location | None = None, is_readable: bool = True
    ) -> GraphNode:
        node = GraphNode(kind, name, place, is_readable)
        return self._nodes.setdefault(node.key, node)

    def _call(self, call: ClientCall) -> None:
        findings = [each for each in call.findings if each.rule != _CIRCLE]
        caller = self._caller(call)
        called = " ".join(call.called.split()).removesuffix("()")
        names = [each for each in call.model.split(", ") if each]
        if not names:
            why = next((each for each in findings if each.severity is Severity.UNCHECKED), None)
            if why is not None:
                self._unresolved.append(UnresolvedCall(caller, called, call.location, why.rule, why.message))
            return
        verdict = _gravest(each.severity.value for each in findings)
        for name in names:
            self._edge(caller, self._callee(name), called, call.location, verdict)

    def _caller(self, call: ClientCall) -> GraphNode:
        if call.caller:
            return self._models.get(call.caller) or self._node(NodeKind.MODEL, call.caller)
        return self._node(NodeKind.CLIENT, call.location.path.as_posix(), Location(call.location.path))

    def _callee(self, name: str) -> GraphNode:
        node = self._models.get(name) or self._models.get(self._addresses.get(name, "")) or self._flows.get(name)
        return node or self._node(NodeKind.OTHER, name)

    def _workflow(self, workflow: WorkflowFile, findings: Sequence[Finding]) -> None:
        node = self._flows[workflow.workflow_id]
        wrong = {each.location: each.severity.value for each in findings if each.location is not None}
        for each in workflow.nodes:
            if each.model is not None and each.model.texts:
                places = (each.location, *each.fields.values())
                verdict = _gravest(wrong[place] for place in places if place in wrong)
                called = f"{METHOD} ({each.node_id})"
                self._edge(node, self._model_of(each.model.texts[0]), called, each.location, verdict)

    def _model_of(self, url: str) -> GraphNode:
        address = model_address(url)
        found = self._endpoints.find(address) if address is not None else None
        if found is not None:
            return self._models[found.name]
        return self._node(NodeKind.OTHER, shown_address(address) if address is not None else url)

    def _edge(self, caller: GraphNode, callee: GraphNode, called: str, place: Location, verdict: str) -> None:
        self._edges.setdefault((caller.key, callee.key, called), []).append((place, verdict))


_ORDER: Mapping[NodeKind, int] = {each: number for number, each in enumerate(NodeKind)}


def _gravest(verdicts: Iterable[str]) -> str:
    given = set(verdicts)
    return next((each.value for each in _GRAVEST if each.value in given), "checked")
