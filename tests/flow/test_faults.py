"""The unmodified SDK meets faults on purpose: some calls it tries again, some it raises, and all recovers."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.faults import Fault
from flow.driver import MODELS, Client, inference_request, running, sdk_model, wait_for


@pytest.fixture
def hello(emulator: EmulatorThread) -> Any:
    """Return the SDK's model, its signatures already read."""
    emulator.deploy(MODELS / "hello")
    model = sdk_model("hello")
    assert model.predict(prompt="x") == "Hello, x!"
    return model


def statuses(emulator: EmulatorThread, rpc: str = "PostModelOutputs") -> list[int]:
    """Return the status of each answer of a test, the first one of ``hello`` left out."""
    return [event.fields["status"] for event in emulator.events("request.finished", rpc=rpc)][1:]


# What the SDK tries again.


@pytest.mark.parametrize("status", ["MODEL_BUSY_PLEASE_RETRY", "MODEL_DEPLOYING", "MODEL_LOADING"])
def test_the_sdk_tries_again_after_a_status_that_passes(emulator: EmulatorThread, hello: Any, status: str) -> None:
    busy = emulator.faults.add(Fault(id="busy", model="hello", status=status, times=1))
    assert hello.predict(prompt="x") == "Hello, x!"
    assert statuses(emulator) == [StatusCode.Value(status), StatusCode.SUCCESS]
    assert (busy.seen, busy.injected, busy.is_used_up) == (1, 1, True)
    refused = next(e for e in emulator.events("request.finished") if e.fields.get("faults") == ["busy"])
    (injected,) = emulator.events("fault.injected")
    assert injected.fields["request_id"] == refused.fields["request_id"]
    assert refused.fields["error"].endswith("(injected by fault 'busy')")


def test_the_sdk_tries_again_when_it_is_throttled(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(throttle=True, times=1))
    assert hello.predict(prompt="x") == "Hello, x!"
    assert statuses(emulator) == [StatusCode.CONN_THROTTLED, StatusCode.SUCCESS]


def test_the_sdk_tries_again_when_the_server_is_unavailable(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(rpc="PostModelOutputs", grpc="UNAVAILABLE", times=1))
    assert hello.predict(prompt="x") == "Hello, x!"
    first, second = list(emulator.events("request.finished", rpc="PostModelOutputs"))[1:]
    assert (first.fields["grpc_status"], second.fields["status"]) == ("UNAVAILABLE", StatusCode.SUCCESS)


def test_the_first_status_of_a_stream_is_tried_again_too(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(rpc="GenerateModelOutputs", status="MODEL_BUSY_PLEASE_RETRY", times=1))
    assert list(hello.generate(prompt="x")) == ["Hello,", "x!"]


# What it raises.


def test_any_other_status_is_raised_with_its_text(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(id="mine", status="MODEL_PREDICTION_FAILED", message="Out of luck."))
    with pytest.raises(Exception, match=r"Out of luck\. \(injected by fault .*mine"):
        hello.predict(prompt="x")


def test_any_other_grpc_status_is_raised_and_the_trailers_name_the_fault(
    emulator: EmulatorThread, hello: Any, client: Client
) -> None:
    emulator.faults.add(Fault(id="mine", grpc="INTERNAL", message="Out of luck."))
    with pytest.raises(grpc.RpcError, match="Out of luck"):
        hello.predict(prompt="x")
    with pytest.raises(grpc.RpcError) as raised:
        client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    error: Any = raised.value
    assert (error.code(), error.details()) == (
        grpc.StatusCode.INTERNAL,
        "Out of luck. (injected by fault 'mine')",
    )
    trailers = dict(error.trailing_metadata())
    assert trailers["x-clarifai-emulator-fault"] == "mine"
    assert len(trailers["x-clarifai-request-id"]) == 32


@pytest.mark.parametrize(
    ("cut", "error"),
    [
        ({}, r"The stream broke off \(injected by fault 'cut'\)"),
        ({"grpc": "INTERNAL"}, r"status = StatusCode.INTERNAL"),
        ({"status": 25608}, r"Model Generate failed with response code: RUNNER_PROCESSING_FAILED"),
        ({"lose_replica": True}, r"its process was killed \(injected by fault .{0,2}cut"),
    ],
)
def test_a_cut_stream_is_an_error_and_no_short_success(
    emulator: EmulatorThread, hello: Any, cut: dict[str, Any], error: str
) -> None:
    chunks: list[str] = []
    with emulator.faults.add(Fault(id="cut", cut_after=1, **cut)), pytest.raises(Exception, match=error):
        chunks.extend(hello.generate(prompt="x"))
    assert chunks == ["Hello,"]
    assert list(hello.generate(prompt="x")) == ["Hello,", "x!"]


def test_a_cut_bidirectional_stream_is_an_error_too(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(cut_after=2, deployment="deploy-hello", times=1))
    answers = hello.stream(iter("abc"))
    assert [next(answers), next(answers)] == ["Hello, a!", "Hello, b!"]
    with pytest.raises(grpc.RpcError, match="The stream broke off"):
        next(answers)
    assert list(hello.stream(iter("abc"))) == ["Hello, a!", "Hello, b!", "Hello, c!"]


# Replicas.


def test_a_lost_replica_comes_back(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(id="kill", deployment="deploy-hello", lose_replica=True, times=1))
    with pytest.raises(Exception, match=r"its process was killed \(injected by fault"):
        hello.predict(prompt="x")
    assert hello.predict(prompt="x") == "Hello, x!"
    crashed = emulator.events("replica.crashed")[-1].fields["message"]
    assert crashed.startswith("its process was killed (injected by fault 'kill'); starts again in 0.5 s")


def test_a_replica_is_lost_in_the_middle_of_its_work(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "slow")
    model = sdk_model("slow")
    emulator.faults.add(Fault(lose_replica=True, latency=0.3, times=1))
    began = time.monotonic()
    with pytest.raises(Exception, match="its process was killed"):
        model.predict(seconds=20)
    assert 0.3 <= time.monotonic() - began < 10
    assert model.predict(seconds=0) == "slept 0 s"


def test_one_replica_of_two_fails(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "hello", min_replicas=2)

    def live() -> list[str]:
        (version,) = emulator.status()["deployments"][0]["versions"]
        return [each["replica_id"] for each in version["replicas"] if each["state"] == "live"]

    broken, _ = wait_for(lambda: ids if len(ids := live()) == 2 else None)
    emulator.faults.add(Fault(replica=broken[:8], status="RUNNER_PROCESSING_FAILED"))
    for _ in range(20):
        client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    requests = [event.fields for event in emulator.events("request.finished", rpc="PostModelOutputs")]
    assert broken in {each["replica_id"] for each in requests}
    for each in requests:
        failed = each["status"] == StatusCode.RUNNER_PROCESSING_FAILED
        assert failed == (each["replica_id"] == broken)


def test_a_model_never_sees_what_was_kept_away_from_it(emulator: EmulatorThread, client: Client) -> None:
    emulator.deploy(MODELS / "slow")
    for place in ({"model": "slow"}, {"nodepool": "cpu"}):
        with emulator.faults.add(Fault(**place, status="MODEL_PREDICTION_FAILED")):
            response = client.call("PostModelOutputs", inference_request("slow", seconds=0.0))
            assert response.status.code == StatusCode.MODEL_PREDICTION_FAILED
    assert sdk_model("slow").counts()["started"] == 0


# Cold starts.


def test_scaled_to_zero_the_next_request_is_held(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(model="hello", scale_to_zero=True, times=1))
    assert hello.predict(prompt="x") == "Hello, x!"
    assert len(emulator.events("replica.live")) == 2
    assert statuses(emulator) == [StatusCode.SUCCESS]


def test_scaled_to_zero_the_next_request_is_bounced_and_tried_again(emulator: EmulatorThread, hello: Any) -> None:
    emulator.faults.add(Fault(model="hello", scale_to_zero=True, cold_start="bounce", times=1))
    assert hello.predict(prompt="x") == "Hello, x!"
    assert statuses(emulator)[0] == StatusCode.MODEL_DEPLOYING
    assert statuses(emulator)[-1] == StatusCode.SUCCESS
    assert len(emulator.events("replica.live")) == 2


def test_held_where_everyone_else_is_bounced() -> None:
    with running(hold_seconds=0) as emulator:
        emulator.deploy(MODELS / "hello", min_replicas=0)
        client = Client(emulator.url)
        emulator.faults.add(Fault(scale_to_zero=True, cold_start="hold", times=1))
        request = inference_request("hello", prompt="x")
        assert client.call("PostModelOutputs", request).status.code == StatusCode.SUCCESS
        client.close()


# Latency.


def test_late_answers_are_marked_in_the_trailers(emulator: EmulatorThread, hello: Any, client: Client) -> None:
    emulator.faults.add(Fault(id="slow", latency="uniform:0.2,0.3"))
    emulator.faults.add(Fault(id="slower", nodepool="cpu", latency=0.2))
    began = time.monotonic()
    response, trailers = client.call_with_trailers("PostModelOutputs", inference_request("hello", prompt="x"))
    assert time.monotonic() - began >= 0.4
    assert response.status.code == StatusCode.SUCCESS
    assert trailers["x-clarifai-emulator-fault"] == "slow,slower"


def test_the_same_requests_get_the_same_faults_again(emulator: EmulatorThread, hello: Any, client: Client) -> None:
    def run() -> list[int]:
        with emulator.faults.add(Fault(status="MODEL_PREDICTION_FAILED", probability=0.4, seed=3)):
            calls = (client.call("PostModelOutputs", inference_request("hello", prompt="x")) for _ in range(30))
            return [response.status.code for response in calls]

    first = run()
    assert run() == first
    assert 5 < first.count(StatusCode.MODEL_PREDICTION_FAILED) < 25


# Other RPCs, and where faults are kept.


def test_an_rpc_that_no_model_answers(emulator: EmulatorThread, client: Client) -> None:
    emulator.faults.add(Fault(rpc="ListModel*", status="CONN_EXCEED_HOURLY_LIMIT"))
    assert client.call("ListModels").status.code == StatusCode.CONN_EXCEED_HOURLY_LIMIT
    assert client.call("ListNodepools").status.code == StatusCode.SUCCESS


def test_a_fault_may_outlive_its_emulator() -> None:
    with ExitStack() as later:
        with running() as emulator:
            later.enter_context(emulator.faults.add(Fault(throttle=True)))


def test_reset_restores_those_of_the_topology_and_drops_the_others(tmp_path: Any) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("faults:\n  - {id: busy, rpc: ListModels, status: MODEL_DEPLOYING, times: 1}\n")
    with running(topology=(file,)) as emulator:
        client = Client(emulator.url)
        for _ in range(2):
            (busy,) = emulator.faults
            assert (busy.id, busy.origin, busy.injected) == ("busy", f"{file}:2", 0)
            assert client.call("ListModels").status.code == StatusCode.MODEL_DEPLOYING
            assert client.call("ListModels").status.code == StatusCode.SUCCESS
            emulator.faults.add(Fault(id="more", throttle=True))
            assert [each["active"] for each in emulator.status()["faults"]] == [False, True]
            emulator.reset()
            assert emulator.events("fault.removed") == []
        (busy,) = emulator.faults
        busy.remove()
        busy.remove()
        assert list(emulator.faults) == []
        client.close()
