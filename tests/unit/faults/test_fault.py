"""Faults are described in words, and everything that can be wrong with one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.faults import Fault, InvalidFault, Moment
from clarifai_emulator.faults.selectors import INFERENCE, STREAMS, rpc_names


@pytest.mark.parametrize("status", [21354, "21354", "MODEL_BUSY_PLEASE_RETRY", "model_busy_please_retry"])
def test_a_status_is_a_number_or_a_name(status: int | str) -> None:
    assert Fault(status=status).code == StatusCode.MODEL_BUSY_PLEASE_RETRY


def test_without_an_rpc_it_is_about_inference() -> None:
    assert Fault(throttle=True).rpcs == INFERENCE
    assert Fault(cut_after=1).rpcs == Fault(cut_after=1, rpc="*").rpcs == STREAMS
    assert Fault(throttle=True, rpc="GetModel").rpcs == {"GetModel"}
    assert Fault(throttle=True, rpc="GetModel*").rpcs >= {"GetModel", "GetModelVersion"}
    assert Fault(throttle=True, rpc="*", model="hello").rpcs == INFERENCE


def test_every_rpc_is_what_clients_can_call() -> None:
    methods = {method.name for method in service_pb2.DESCRIPTOR.services_by_name["V2"].methods}
    assert set(rpc_names()) == methods - {"ProcessRunnerItems"}
    assert Fault(throttle=True, rpc="*").rpcs == set(rpc_names())


@pytest.mark.parametrize(
    ("fault", "moment"),
    [
        ({"throttle": True}, Moment.ARRIVED),
        ({"latency": 1, "rpc": "GetModel"}, Moment.ARRIVED),
        ({"throttle": True, "model": "hello"}, Moment.ROUTED),
        ({"throttle": True, "deployment": "d"}, Moment.ROUTED),
        ({"cut_after": 1}, Moment.ROUTED),
        ({"scale_to_zero": True}, Moment.ROUTED),
        ({"cold_start": "bounce"}, Moment.ROUTED),
        ({"throttle": True, "model": "hello", "nodepool": "cpu"}, Moment.TAKEN),
        ({"latency": 1, "replica": "0123"}, Moment.TAKEN),
        ({"cut_after": 1, "lose_replica": True}, Moment.TAKEN),
    ],
)
def test_it_is_decided_as_soon_as_all_is_known(fault: dict[str, Any], moment: Moment) -> None:
    assert Fault(**fault).moment is moment


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (Fault(throttle=True), "inference: status 11005 CONN_THROTTLED"),
        (Fault(rpc="PostModelOutputs", model="hello", status=21351, times=2, after=3, probability=0.25),
         "PostModelOutputs of model hello: status 21351 MODEL_DEPLOYING, after the first 3, with probability 0.25, "
         "2 times"),
        (Fault(cut_after=1, nodepool="cpu", times=1),
         "streams of nodepool cpu: cut after 1 chunk, gRPC UNAVAILABLE, once"),
        (Fault(cut_after=2, lose_replica=True), "streams: cut after 2 chunks, replica lost"),
        (Fault(grpc="INTERNAL", latency="uniform:1,2"),
         "inference: latency uniform, least 1 most 2 s, gRPC INTERNAL"),
        (Fault(deployment="d", scale_to_zero=True, cold_start="bounce"),
         "inference of deployment d: scale to zero, cold start: bounce"),
    ],
)  # fmt: skip
def test_it_is_described_in_one_line(fault: Fault, rule: str) -> None:
    assert str(fault) == rule


def test_as_json_it_is_what_was_given_and_makes_the_same_fault() -> None:
    fault = Fault(id="x", status="MODEL_DEPLOYING", cut_after=0, latency=0.5, probability=0.5)
    given = json.loads(json.dumps(fault.as_dict()))
    assert given == {
        "id": "x",
        "status": "MODEL_DEPLOYING",
        "cut_after": 0,
        "latency": 0.5,
        "probability": 0.5,
    }
    assert Fault(**given) == fault


@pytest.mark.parametrize(
    ("fault", "name", "problem"),
    [
        ({}, "", "does nothing; give one of status, grpc, throttle, latency, cut_after, lose_replica, cold_start, "
         "scale_to_zero"),
        ({"times": 3}, "", "does nothing; give one of status, grpc, throttle, latency, cut_after, lose_replica, "
         "cold_start, scale_to_zero"),
        ({"status": 999}, "status",
         "999 is no status code of the platform; write one such as 21354 or MODEL_DEPLOYING"),
        ({"status": "BUSY"}, "status",
         "'BUSY' is no status code of the platform; write one such as 21354 or MODEL_DEPLOYING"),
        ({"status": 0}, "status",
         "0 is no status code of the platform; write one such as 21354 or MODEL_DEPLOYING"),
        ({"status": 10000}, "status", "10000 SUCCESS is no fault"),
        ({"status": True}, "status", "expected the number or the name of a status, found True"),
        ({"grpc": "OK"}, "grpc", "'OK' is no gRPC status that is a failure; there are CANCELLED, UNKNOWN, "
         "INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED, "
         "FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, "
         "UNAUTHENTICATED"),
        ({"latency": "long"}, "latency",
         "'long' has something that is no number; write SECONDS, uniform:LEAST,MOST, "
         "normal:MEAN,DEVIATION or exponential:MEAN"),
        ({"throttle": True, "rpc": "PostModelOutput"}, "rpc",
         "'PostModelOutput' is no RPC of the platform; did you mean 'PostModelOutputs'?"),
        ({"throttle": True, "rpc": "???"}, "rpc",
         "'???' is no RPC of the platform; PostModelOutputs is one, Get* are many, * is all"),
        ({"throttle": True, "rpc": "ProcessRunnerItems"}, "rpc",
         "ProcessRunnerItems is for runners, not for clients; lose_replica breaks a runner"),
        ({"throttle": True, "rpc": "GetModel", "model": "hello"}, "rpc",
         "no model answers GetModel, so only status, grpc, throttle and latency can be injected there"),
        ({"lose_replica": True, "rpc": "GetModel"}, "rpc",
         "no model answers GetModel, so only status, grpc, throttle and latency can be injected there"),
        ({"cut_after": 1, "rpc": "PostModelOutputs"}, "cut_after",
         "PostModelOutputs has no stream; GenerateModelOutputs and StreamModelOutputs have"),
        ({"throttle": True, "deployment": "a/b/c"}, "deployment",
         "'a/b/c' is no name; write its id or USER/ID, with * for any part"),
        ({"throttle": True, "model": "a//c"}, "model",
         "'a//c' is no name; write its id or USER/APP/ID, with * for any part"),
        ({"status": 21354, "grpc": "INTERNAL"}, "grpc", "a request ends in one way; status is given too"),
        ({"throttle": True, "cold_start": "bounce"}, "cold_start",
         "a request ends in one way; throttle is given too"),
        ({"latency": 1, "message": "x"}, "message", "needs status, grpc or throttle, whose text it is"),
        ({"throttle": True, "cut_after": 1}, "cut_after",
         "a stream is cut by status, grpc or lose_replica, not by throttle"),
        ({"cold_start": "hold"}, "cold_start", "hold needs scale_to_zero, or a latency that says for how long"),
        ({"cold_start": "skip"}, "cold_start", "expected hold or bounce, found 'skip'"),
        ({"scale_to_zero": True, "status": 21354}, "status",
         "after a cold start the request goes on; only cold_start: bounce ends it"),
        ({"scale_to_zero": True, "nodepool": "cpu"}, "nodepool",
         "a cold start is before any replica; name the model or the deployment"),
        ({"throttle": True, "times": 0}, "times", "must be at least 1, got 0"),
        ({"throttle": True, "times": "many"}, "times", "expected a whole number, found 'many'"),
        ({"throttle": True, "after": -1}, "after", "must not be negative, got -1"),
        ({"cut_after": -1}, "cut_after", "must not be negative, got -1"),
        ({"throttle": True, "probability": 0}, "probability", "must be above 0 and at most 1, got 0"),
        ({"throttle": True, "probability": 1.5}, "probability", "must be above 0 and at most 1, got 1.5"),
        ({"throttle": True, "id": "a b"}, "id", "must have no spaces, quotes or slashes, got 'a b'"),
        ({"throttle": "yes"}, "throttle", "expected true or false, found 'yes'"),
        ({"throttle": True, "id": 5}, "id", "expected a text, found 5"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field(fault: dict[str, Any], name: str, problem: str) -> None:
    with pytest.raises(InvalidFault) as raised:
        Fault(**fault)
    assert raised.value.found == ((name, problem),)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        Fault(status="BUSY", times=0)
    assert str(raised.value) == (
        "The fault cannot be used:\n"
        "  - status: 'BUSY' is no status code of the platform; write one such as 21354 or MODEL_DEPLOYING\n"
        "  - times: must be at least 1, got 0"
    )


def test_a_fault_may_be_for_the_calls_that_a_model_makes() -> None:
    fault = Fault(model="tool", caller="me/demo/agent", status=21313)
    whom = "inference of model tool from model me/demo/agent"
    assert str(fault) == f"{whom}: status 21313 MODEL_PREDICTION_FAILED"
    assert fault.moment is Moment.ROUTED
    assert Fault(caller="agent", status=21313).moment is Moment.ARRIVED
    assert fault.name_of("caller", "ada") == ("ada", "demo", "agent")
