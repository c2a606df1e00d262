"""Asks the models of a workflow's nodes, each by a request of its own, as any client would.

node ─► PostModelOutputs ─► chain, routing with the node's runner selector, replica ─► outputs, or its failure
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, Model, Output, RunnerSelector
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, UnaryHandler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError, shortened
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.store import Kind
from clarifai_emulator.workflows.workflow_run import NodeAnswer, NodePlan

# The most that one request may have ("requests.batch-size"); regions of many inputs may be more.
_MOST_INPUTS = 128


class NodeRequests:
    """Makes the requests of the nodes of one workflow request. ``selectors``: by the id of the node, as its client
    gave them. ``calls`` has the requests that were made, by node."""

    def __init__(
        self,
        call: ApiCall,
        chain: RequestChain,
        predict: UnaryHandler,
        resources: Resources,
        selectors: Mapping[str, RunnerSelector],
    ) -> None:
        self._outer = call
        self._chain = chain
        self._predict = predict
        self._resources = resources
        self._selectors = selectors
        self.calls: dict[str, list[ApiCall]] = {}

    async def ask(self, plan: NodePlan, items: Sequence[Data]) -> NodeAnswer:
        """Return the answer of a node's model. Raises ``CallerError`` with the status of whatever failed."""
        outputs: list[Output] = []
        for start in range(0, len(items), _MOST_INPUTS):
            outputs += await self._answered(plan, items[start : start + _MOST_INPUTS])
        return NodeAnswer(outputs, self._model(plan))

    async def _answered(self, plan: NodePlan, items: Sequence[Data]) -> Sequence[Output]:
        rpc = rpc_table()["PostModelOutputs"]
        call = self._chain.begin(
            rpc,
            self._outer.metadata,
            peer=self._outer.peer,
            seconds_left=self._outer.seconds_left,
            caller=self._outer.caller,
        )
        self.calls.setdefault(plan.id, []).append(call)
        handler = partial(self._placed, plan.id)
        response = await self._chain.unary(call, handler, self._request(rpc.request_type, plan, items))
        for status in (response.status, *(each.status for each in response.outputs)):
            if status.code not in (StatusCode.SUCCESS, StatusCode.ZERO, StatusCode.MIXED_STATUS):
                raise _failure(status)
        return response.outputs

    def _placed(self, node: str, call: ApiCall, request: Any) -> Any:
        """Let a node's model answer, once it is known that the request lies in that of the workflow."""
        around = self._outer.place
        call.notes["workflow_node"] = node
        call.notes["parent_id"] = self._outer.request_id
        call.notes["trace_id"] = around.trace_id if around is not None else self._outer.request_id
        call.notes["depth"] = around.depth + 1 if around is not None else 1
        return self._predict(call, request)

    def _request(self, request_type: Any, plan: NodePlan, items: Sequence[Data]) -> Any:
        model = plan.model
        request = request_type(model_id=model.id, inputs=[{"data": each} for each in items])
        request.user_app_id.user_id, request.user_app_id.app_id = model.user_id, model.app_id
        request.version_id = plan.version_id
        if plan.id in self._selectors:
            request.runner_selector.CopyFrom(self._selectors[plan.id])
        if plan.info.ListFields():
            # Where the SDK's own clients put settings, and its runners look for them.
            request.model.model_version.output_info.CopyFrom(plan.info)
        return request

    def _model(self, plan: NodePlan) -> Model:
        """Return the model with the version that answered."""
        decision = self.calls[plan.id][-1].decision
        if decision is None or decision.version_id == plan.model.model_version.id:
            return plan.model
        key = (*decision.model, decision.version_id)
        if self._resources.store.get(Kind.MODEL_VERSION, key) is None:
            return plan.model
        model = Model()
        model.CopyFrom(plan.model)
        shown = self._resources.shown(Kind.MODEL_VERSION, key, self._outer.caller.user_id)
        model.model_version.CopyFrom(shown)
        return model


def _failure(status: Any) -> CallerError:
    """Return the failure of a node's request. A trace quotes what the model was told, and that may quote a trace:
    where models run workflows that run models, it would grow with each of them."""
    return CallerError(
        status.code,
        status.details or status.description,
        description=status.description,
        stack_trace=shortened("\n".join(status.stack_trace)).splitlines(),
    )
