"""A failure of the emulator itself is told to whoever waits, at once, and by `status`."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.nodepools.fleet_scaling import FleetScaling
from flow.driver import MODELS, Client, inference_request, live_replicas, running, text_of, wait_for


def test_requests_do_not_wait_for_what_the_emulator_fails_over_and_status_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(hold_seconds=1800) as emulator:
        emulator.deploy(MODELS / "hello")
        (key,) = emulator.run(lambda each: list(each.supervisor.fleets))
        emulator.run(lambda each: each.supervisor.scale_to_zero(key, "nobody asks"))
        wait_for(lambda: not live_replicas(emulator, "deploy-hello"))
        client = Client(emulator.url)

        def scale(*_: object) -> None:
            raise AttributeError("ComputeInfo has no field accelerator_model")

        monkeypatch.setattr(FleetScaling, "scale", scale)
        answer = client.call("PostModelOutputs", inference_request("hello", prompt="x"), timeout=20)
        assert answer.status.code == StatusCode.INTERNAL_UNCATEGORIZED
        reason = "AttributeError: ComputeInfo has no field accelerator_model"
        assert f"saw to the replicas of deployment 'deploy-hello': {reason}." in answer.status.details
        (failure, *_) = emulator.status()["failures"]
        assert (failure["part"], failure["reason"]) == ("supervisor of deployment 'deploy-hello'", reason)
        assert [event.fields["reason"] for event in emulator.events("emulator.failed")] == [reason]
        monkeypatch.undo()
        answer = client.call("PostModelOutputs", inference_request("hello", prompt="x"))
        assert text_of(answer) == "Hello, x!"
        client.close()
