"""Tells of each node of a workflow as an event: when it ran, for how long, by which requests, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Workflow

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.workflows.workflow_run import NodePlan


class NodeEvents:
    """Emits ``workflow.node`` for the nodes of one request. ``calls``: the requests that each node made."""

    def __init__(
        self,
        events: EventBus,
        clock: Clock,
        request_id: str,
        workflow: Workflow,
        calls: Mapping[str, Sequence[ApiCall]],
    ) -> None:
        self._events = events
        self._clock = clock
        self._request_id = request_id
        self._workflow = f"{workflow.user_id}/{workflow.app_id}/workflows/{workflow.id}"
        self._calls = calls
        self._started = clock.monotonic()
        self._begun: dict[str, float] = {}

    def begin(self, plan: NodePlan) -> None:
        """Note that a node begins."""
        self._begun[plan.id] = self._clock.monotonic()

    def end(self, plan: NodePlan, error: BaseException | None) -> None:
        """Emit the event of a node that has ended, with why where it failed; ``begun``: milliseconds after the
        first."""
        begun, now = self._begun[plan.id], self._clock.monotonic()
        said = {}
        if isinstance(error, CallerError):
            said = {"status": error.code, "error": error.details}
        elif error is not None:
            said = {"cancelled": True}
        self._events.emit(
            "workflow.node",
            request_id=self._request_id,
            workflow=self._workflow,
            node=plan.id,
            by=plan.who,
            requests=[call.request_id for call in self._calls.get(plan.id, ())],
            begun=round((begun - self._started) * 1000, 3),
            milliseconds=round((now - begun) * 1000, 3),
            **said,
        )
