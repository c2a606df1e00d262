"""Holds the workflows of an emulator against the methods of their models: when they are saved, and when a model is.

nodes that are saved ────────────────┐
a model's new methods ─► workflows ──┴─► does each node fit the next? ─► events, trailers; refused where strict
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, Workflow, WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.values.runtime import Mode
from clarifai_emulator.contracts.workflow_edges import METHOD, NodeModel, edge_problems
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import ModelKey
from clarifai_emulator.messages.header_text import header_text
from clarifai_emulator.models.versions import newest_usable
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Key, Kind
from clarifai_emulator.workflows.operators.hosted_operators import hosted_operator

TRAILER = "x-clarifai-emulator-finding"
_LONGEST_TRAILER = 1000


@dataclass(frozen=True, slots=True)
class NewMethods:
    """The methods that a model is about to have. ``version_id``: where they take the place of those of a version
    that is there; empty for a further version, which nodes without one follow."""

    model: ModelKey
    version_id: str
    signatures: Sequence[MethodSignature]


class SavedWorkflows:
    """Looks at the workflows of one emulator. ``mode``: of the emulator's contracts, ``off`` looks at none."""

    def __init__(self, *, mode: Mode, resources: Resources, events: EventBus) -> None:
        self._mode: Mode = mode
        self._resources = resources
        self._store = resources.store
        self._events = events

    def findings(
        self, workflow: Key, nodes: Sequence[WorkflowNode], new: NewMethods | None = None
    ) -> Iterator[Finding]:
        """Yield what does not fit in a workflow, as it would be with a model's new methods. Of models that are not
        known nothing is said."""
        if self._mode == "off":
            return
        models = {node.id: self._node_model(node, new) for node in nodes}
        known = {name: model for name, model in models.items() if model is not None}
        for each in edge_problems(nodes, known):
            yield found(
                "workflow-edge" if each.is_certain else "unchecked-edge",
                f"Workflow '{workflow[-1]}', node '{each.node}': {each.text}",
                hint=each.hint,
                model=known[each.node].name,
                method=METHOD if known[each.node].predict is not None else "",
            )

    def broken_by(self, new: NewMethods) -> list[tuple[Key, Finding]]:
        """Return what would no longer fit in which workflow. What does not fit now is not told again."""
        broken: list[tuple[Key, Finding]] = []
        for key in self._store.keys(Kind.WORKFLOW):
            workflow: Workflow | None = self._store.get(Kind.WORKFLOW, key)
            if workflow is not None and any(_runs(node, new) for node in workflow.nodes):
                before = list(self.findings(key, workflow.nodes))
                after = self.findings(key, workflow.nodes, new)
                broken += [(key, each) for each in after if each not in before]
        return broken

    def require_fit(self, new: NewMethods) -> None:
        """Tell what a model's new methods break. Raises ``CallerError`` for it if strict."""
        for key, each in self.broken_by(new):
            self.tell(key, [each])
            self._refuse([each])

    def require_edges(
        self, workflow: Key, nodes: Sequence[WorkflowNode], request_id: str, trailers: dict[str, str]
    ) -> None:
        """Tell what does not fit in a workflow that is about to be saved. Raises ``CallerError`` for it if
        strict."""
        told = list(self.findings(workflow, nodes))
        self.tell(workflow, told, request_id)
        for each in told:
            text, before = f"{each.rule}: {each.message}", trailers.get(TRAILER)
            trailers[TRAILER] = header_text(f"{before}; {text}" if before else text, _LONGEST_TRAILER)
        self._refuse(told)

    def tell(self, workflow: Key, findings: Sequence[Finding], request_id: str = "") -> None:
        """Write findings to the event log."""
        of_request: Mapping[str, str] = {"request_id": request_id} if request_id else {}
        for each in findings:
            self._events.emit(
                "contract.finding",
                **of_request,
                rule=each.rule,
                severity=str(each.severity),
                message=each.message,
                hint=each.hint,
                model=each.model,
                method=each.method,
                user_id=workflow[0],
                workflow="/".join(workflow),
            )

    def _refuse(self, findings: Sequence[Finding]) -> None:
        errors = [each for each in findings if each.severity is Severity.ERROR]
        if errors and self._mode == "strict":
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_GRAPH, f"{errors[0].rule}: {errors[0].message}", hint=errors[0].hint
            )

    def _node_model(self, node: WorkflowNode, new: NewMethods | None) -> NodeModel | None:
        key = (node.model.user_id, node.model.app_id, node.model.id)
        name = f"{key[0]}/{key[1]}/models/{key[2]}"
        model = self._store.get(Kind.MODEL, key)
        if model is None:
            operator = hosted_operator(*key)
            return NodeModel(name, (), operator.model_type_id) if operator is not None else None
        if new is not None and _runs(node, new):
            return NodeModel(name, new.signatures, model.model_type_id)
        pinned = node.model.model_version.id
        version = (
            self._store.get(Kind.MODEL_VERSION, (*key, pinned))
            if pinned
            else newest_usable(self._store.list(Kind.MODEL_VERSION, key))
        )
        return NodeModel(name, version.method_signatures if version is not None else (), model.model_type_id)


def _runs(node: WorkflowNode, new: NewMethods) -> bool:
    address = (node.model.user_id, node.model.app_id, node.model.id)
    return address == new.model and node.model.model_version.id in ("", new.version_id)
