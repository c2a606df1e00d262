"""Answers PostWorkflowResults: runs a workflow for the inputs of a request.

request ─► workflow, version ─► plan of each node ─► WorkflowRun ─► one result per input, one output per node
                                                        │
                                                        └─► NodeRequests: each node's model, as any client asks it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Input, Model, Workflow, WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler, UnaryHandler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.handlers.node_events import NodeEvents
from clarifai_emulator.api.handlers.node_requests import NodeRequests
from clarifai_emulator.api.handlers.resource_verbs import target
from clarifai_emulator.api.handlers.workflows import workflow_or_default
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError, describe
from clarifai_emulator.events import EventBus
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.workflow_graph import graph_problems
from clarifai_emulator.resources.workflow_rows import WORKFLOW
from clarifai_emulator.spelling import did_you_mean_or
from clarifai_emulator.store import Kind
from clarifai_emulator.unique_ids import unique_id
from clarifai_emulator.workflows.node_data import echoed, is_empty, limited
from clarifai_emulator.workflows.node_graph import MOST_INPUTS, NodeGraph
from clarifai_emulator.workflows.operators.hosted_operators import operator_of
from clarifai_emulator.workflows.operators.operator import Operator
from clarifai_emulator.workflows.operators.operator_settings import settings_with
from clarifai_emulator.workflows.workflow_run import NodePlan, WorkflowRun
from clarifai_emulator.workflows.workflow_states import WorkflowStates


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowResults:
    """Serves PostWorkflowResults. ``predict``: the handler of PostModelOutputs, which every node's request gets."""

    resources: Resources
    chain: RequestChain
    predict: Callable[[], UnaryHandler]
    events: EventBus
    clock: Clock
    states: WorkflowStates
    most_bytes: int

    def handlers(self) -> dict[str, Handler]:
        """Return the handler."""
        return {"PostWorkflowResults": self.post}

    async def post(self, call: ApiCall, request: Any) -> Any:
        """Run a workflow. The status of a node that fails is the status of the request."""
        _check_inputs(request.inputs)
        workflow = self._workflow(call, request)
        plans = [_plan(node) for node in workflow.nodes]
        state = ""
        if request.HasField("workflow_state"):
            state = self.states.call(call.caller.user_id, request.workflow_state.id)
        selectors = request.node_runner_selectors
        _check_selectors(selectors, [plan.id for plan in plans])
        nodes = NodeRequests(call, self.chain, self.predict(), self.resources, selectors)
        told = NodeEvents(self.events, self.clock, call.request_id, workflow, nodes.calls)
        run = WorkflowRun(
            NodeGraph.of(workflow.nodes),
            {plan.id: plan for plan in plans},
            [each.data for each in request.inputs],
            nodes.ask,
            self.most_bytes,
            told.begin,
            told.end,
        )
        await run.run()
        return self._answer(call, request, workflow, [plan for plan in plans if not plan.is_suppressed], run, state)

    def _answer(
        self,
        call: ApiCall,
        request: Any,
        workflow: Workflow,
        plans: Sequence[NodePlan],
        run: WorkflowRun,
        state: str,
    ) -> Any:
        """Return one result for each input, with one output for each node, in the order of their definition."""
        response = call.rpc.response_type(workflow=workflow)
        now = self.resources.now()
        for number, given in enumerate(request.inputs):
            result = response.results.add(input=echoed(given, unique_id()))
            _succeed(result.status)
            for plan in plans:
                answer = run.given[plan.id]
                output = result.outputs.add()
                output.CopyFrom(answer.outputs[number])
                shown = limited(output.data, request.output_config)
                if shown is not output.data:
                    output.data.CopyFrom(shown)
                output.id = unique_id()
                output.created_at.CopyFrom(now)
                output.model.CopyFrom(answer.model)
                _succeed(output.status)
        if state:
            response.workflow_state.id = state
        return response

    def _workflow(self, call: ApiCall, request: Any) -> Workflow:
        """Return the workflow as the caller sees it, with the nodes of the version that the request names."""
        workflow_or_default(self.resources, call, request)
        viewer = call.caller.user_id
        key = target(self.resources, WORKFLOW, call, request)
        workflow: Workflow = self.resources.shown(Kind.WORKFLOW, key, viewer)
        if request.version_id:
            pinned = (*key, request.version_id)
            if self.resources.store.get(Kind.WORKFLOW_VERSION, pinned) is None or not self.resources.visible(
                Kind.WORKFLOW_VERSION, pinned, viewer
            ):
                raise self.resources.missing(Kind.WORKFLOW_VERSION, pinned, viewer)
            version = self.resources.shown(Kind.WORKFLOW_VERSION, pinned, viewer)
            workflow.ClearField("nodes")
            workflow.nodes.extend(version.nodes)
            version.ClearField("nodes")
            workflow.version.CopyFrom(version)
        problems = list(graph_problems(workflow.nodes))
        if problems:  # of a state that another program wrote: at create they are refused
            what = "; ".join(f"{each.where}: {each.text}" for each in problems)
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_GRAPH,
                f"Workflow {workflow.id!r} cannot run: {what}.",
                hint="Save its nodes again.",
            )
        return workflow


def _plan(node: WorkflowNode) -> NodePlan:
    """Return what will be asked for a node, and with which settings. Its model is as it is shown: where there is
    none, routing says so."""
    operator, info = _operator(node.id, node.model), node.output_info_override
    if operator is not None:
        info = settings_with(node.model.model_version.output_info, info)
    return NodePlan(node.id, node.model, operator, info, node.model.model_version.id, node.suppress_output)


def _check_inputs(inputs: Sequence[Input]) -> None:
    """Refuse what no workflow can be asked about. Raises ``CallerError``."""
    if not 1 <= len(inputs) <= MOST_INPUTS:
        raise CallerError(
            StatusCode.WORKFLOW_INVALID_REQUEST,
            f"The request has {len(inputs)} inputs; it must have 1 to {MOST_INPUTS}.",
            hint="Send more of them in several requests." if inputs else "Give inputs.",
            row="workflows.inputs",
        )
    empty = [number for number, each in enumerate(inputs, 1) if is_empty(each.data)]
    if empty:
        what = (
            "is an id without data, and the emulator keeps no inputs" if inputs[empty[0] - 1].id else "has no data"
        )
        raise CallerError(
            StatusCode.INPUT_INVALID_ARGUMENT,
            f"Input {empty[0]} {what}.",
            hint="Send the text, the image or whatever it is in its data.",
            row="workflows.inputs",
        )


def _check_selectors(selectors: Iterable[str], nodes: Sequence[str]) -> None:
    """Refuse a selector for a node that the workflow does not have: it would select nothing, in silence."""
    for name in selectors:
        if name not in nodes:
            hint = did_you_mean_or(name, nodes, f"its nodes are {', '.join(nodes)}.")
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_REQUEST,
                f"node_runner_selectors names the node {name!r}, which the workflow does not have; {hint}",
                row="workflows.node-selectors",
            )


def _operator(node_id: str, model: Model) -> Operator | None:
    """Return the operator that a node is. Raises ``CallerError`` 10040, with its name, for one that cannot run."""
    try:
        return operator_of(model)
    except CallerError as error:
        details = f"Node {node_id!r}: {error.details}"
        raise CallerError(error.code, details, hint=error.hint, row=error.row) from None


def _succeed(status: Any) -> None:
    status.Clear()
    status.code, status.description = StatusCode.SUCCESS, describe(StatusCode.SUCCESS)
