"""A state is begun, goes on for five minutes after each call, and is its user's own."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.clock import TurnableClock
from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.workflow_states import WorkflowStates


def test_a_state_lives_five_minutes_after_its_last_call() -> None:
    clock = TurnableClock()
    states = WorkflowStates(clock)
    state = states.call("ada", "init")
    for _ in range(3):
        clock.ahead += 299
        assert states.call("ada", state) == state
    clock.ahead += 301
    with pytest.raises(CallerError) as refused:
        states.call("ada", state)
    assert refused.value.code == StatusCode.WORKFLOW_INVALID_REQUEST
    assert refused.value.message == (
        f"There is no workflow state {state!r}: a state ends 5 minutes after its last call. Begin one with "
        "workflow_state.id 'init', and go on with the id that the answer gives."
    )


def test_a_state_is_nobody_elses() -> None:
    states = WorkflowStates(TurnableClock())
    state = states.call("ada", "init")
    with pytest.raises(CallerError):
        states.call("bob", state)


def test_no_more_than_ten_thousand_states_are_kept() -> None:
    states = WorkflowStates(TurnableClock())
    ids = [states.call("ada", "init") for _ in range(10_050)]
    assert states.call("ada", ids[-1]) == ids[-1]
    with pytest.raises(CallerError):
        states.call("ada", ids[0])
