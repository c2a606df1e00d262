"""Findings about running requests become an event and a trailer, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.values.runtime import Mode, Watch
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from resource_api import StillClock

UNARY = resources_pb2.RunnerMethodType.UNARY_UNARY
MODEL = ("ada", "main", "hello")


def version(*methods: str) -> Any:
    made = resources_pb2.ModelVersion(id="v1")
    for name in methods:
        signature = made.method_signatures.add(name=name, method_type=UNARY)
        signature.input_fields.add(name="prompt", type=resources_pb2.ModelTypeField.STR, required=True)
        signature.output_fields.add(name="return", type=resources_pb2.ModelTypeField.STR)
    return made


class Case:
    """A watch over one version, and the events and trailers of its requests."""

    def __init__(self, message: Any, mode: Mode = "record") -> None:
        self.message = message
        self.events = EventBus(StillClock())
        self.watch = Watch(mode=mode, find_version=lambda key: self.message, events=self.events)
        self.trailers: dict[str, str] = {}

    def call(self, method: str = "predict", **parts: str) -> Any:
        request = service_pb2.PostModelOutputsRequest()
        data = request.inputs.add().data
        data.metadata["_method_name"] = method
        for name, value in parts.items():
            data.parts.add(id=name).data.string_value = value
        return self.watch.request(request, MODEL, "v1", UNARY, "r1", self.trailers)

    @property
    def rules(self) -> list[str]:
        return [str(each.fields["rule"]) for each in self.events.recent("contract.finding")]


def answer(field: str, value: Any) -> Any:
    made = service_pb2.MultiOutputResponse()
    made.status.code = StatusCode.SUCCESS
    setattr(made.outputs.add().data.parts.add(id="return").data, field, value)
    return made


def test_right_requests_and_answers_leave_no_trace() -> None:
    case = Case(version("predict"))
    case.call(prompt="x").output(answer("string_value", "y"))
    assert (case.rules, case.trailers) == ([], {})


def test_several_findings_share_a_trailer_that_is_ascii() -> None:
    case = Case(version("predict"))
    case.call(prömpt="x")
    assert case.rules == ["unknown-argument", "missing-argument"]
    assert case.trailers["x-clarifai-emulator-finding"].startswith(
        "unknown-argument: predict(): there is no argument 'pr\\xf6mpt'; it takes prompt."
    )
    assert "; missing-argument: " in case.trailers["x-clarifai-emulator-finding"]


def test_strict_refuses_a_request_and_fails_an_answer() -> None:
    case = Case(version("predict"), "strict")
    with pytest.raises(CallerError) as refused:
        case.call()
    assert refused.value.code == StatusCode.MODEL_INVALID_ARGUMENT
    assert refused.value.message == (
        "missing-argument: predict(): argument 'prompt' (str) is required and not given. Give the argument."
    )
    with pytest.raises(CallerError) as failed:
        case.call(prompt="x").output(answer("int_value", 3))
    assert failed.value.code == StatusCode.RUNNER_PROCESSING_FAILED
    assert failed.value.details.startswith("result-type: predict(): the result came as int_value")


def test_what_cannot_be_checked_is_said_once() -> None:
    case = Case(version())
    assert case.call(prompt="x") is None
    assert case.call(prompt="x") is None
    assert case.rules == ["unchecked-request"]


def test_a_version_whose_signatures_change_is_compiled_anew() -> None:
    case = Case(version("predict"))
    assert case.call("other", prompt="x") is None
    case.message = version("predict", "other")
    assert case.call("other", prompt="x") is not None
    assert case.rules == ["unknown-method"]


def test_requests_that_hold_anything_are_told_briefly() -> None:
    case = Case(version("predict"))
    request = service_pb2.PostModelOutputsRequest()
    request.inputs.add().data.metadata["_method_name"] = {"a": "b"}
    assert case.watch.request(request, MODEL, "v1", UNARY, "r1", case.trailers) is None
    assert case.rules == ["unknown-method"]

    case.call("x" * 10_000_000)
    case.call(**{f"name{number}": "x" for number in range(1000)})
    assert len(case.rules) == 2 + 20
    assert all(len(str(each.fields["message"])) < 300 for each in case.events.recent("contract.finding"))
    assert len(case.trailers["x-clarifai-emulator-finding"]) <= 1000


def streaming(case: Case, *answers: Any) -> None:
    """End a stream of these answers."""
    call = case.call(prompt="x")
    for each in answers:
        call.output(each)
    call.end()


def test_a_stream_of_nothing_is_a_warning_said_once_for_each_method() -> None:
    case = Case(version("predict"), "strict")  # a warning refuses nothing
    streaming(case, answer("string_value", ""))
    assert case.rules == []
    for _ in range(2):
        streaming(case)
    assert case.rules == ["empty-stream"]
    assert case.trailers["x-clarifai-emulator-finding"] == (
        "empty-stream: predict(): it yielded nothing, and the SDK's client fails for a stream of nothing."
    )


def test_a_stream_whose_only_answer_is_a_failure_is_not_one_of_nothing() -> None:
    case = Case(version("predict"))
    failed = service_pb2.MultiOutputResponse()
    failed.status.code = StatusCode.FAILURE
    streaming(case, failed)
    assert case.rules == []


def test_an_empty_result_of_a_call_without_arguments_is_said_once_for_each_method() -> None:
    message = version("predict", "other")
    for signature in message.method_signatures:
        del signature.input_fields[:]
    case = Case(message, "strict")
    empty = service_pb2.MultiOutputResponse()
    empty.status.code = StatusCode.SUCCESS
    empty.outputs.add()
    for method in ("predict", "predict", "other"):
        case.call(method).output(empty)
    assert case.rules == ["result-lost", "result-lost"]


def test_an_answer_that_failed_is_not_held_against_the_result_type() -> None:
    case = Case(version("predict"))
    made = service_pb2.MultiOutputResponse()
    made.status.code = StatusCode.FAILURE
    made.outputs.add()
    case.call(prompt="x").output(made)
    assert case.rules == []


def test_off_makes_no_call_and_the_signatures_request_is_left_alone() -> None:
    assert Case(version("predict"), "off").call() is None
    case = Case(version("predict"))
    assert case.call("_GET_SIGNATURES") is None
    assert case.rules == []
