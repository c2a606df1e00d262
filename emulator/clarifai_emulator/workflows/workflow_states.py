"""Keeps the states of workflows: begun by the id ``init``, and gone five minutes after their last call."""

from __future__ import annotations

from collections import OrderedDict

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError
from clarifai_emulator.unique_ids import unique_id

INIT = "init"
SECONDS = 300.0
_MOST = 10_000


class WorkflowStates:
    """Knows which states live. What a state holds is not public: here it holds nothing, and no node is passed over
    because of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By user and id: when each was called last; the longest ago first.
        self._called: OrderedDict[tuple[str, str], float] = OrderedDict()

    def call(self, user_id: str, state_id: str) -> str:
        """Return the id of the state that a request goes on with, a new one for ``init``. Raises ``CallerError``
        for one that is not there (any more)."""
        now = self._clock.monotonic()
        self._forget(now)
        if state_id == INIT:
            state_id = unique_id()
        elif (user_id, state_id) not in self._called:
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_REQUEST,
                f"There is no workflow state {state_id[:64]!r}: a state ends {SECONDS / 60:g} minutes after its "
                "last call.",
                hint=f"Begin one with workflow_state.id {INIT!r}, and go on with the id that the answer gives.",
                row="workflows.state",
            )
        self._called[user_id, state_id] = now
        self._called.move_to_end((user_id, state_id))
        return state_id

    def _forget(self, now: float) -> None:
        while self._called:
            key, called = next(iter(self._called.items()))
            if now - called < SECONDS and len(self._called) < _MOST:
                break
            del self._called[key]
