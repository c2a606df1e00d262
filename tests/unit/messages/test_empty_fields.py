"""REST answers have the empty fields that the platform's have."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, Model, OutputConfig, OutputInfo
from clarifai_grpc.grpc.api.service_pb2 import MultiModelResponse, MultiOutputResponse, SingleModelResponse

from clarifai_emulator.messages.json import as_dict


def answered(message: Any) -> dict[str, Any]:
    return as_dict(message, numeric_enums=True, as_answered=True)


def test_a_listing_without_items_is_an_empty_list_beside_the_status() -> None:
    page = MultiModelResponse(status={"code": 10000})
    assert answered(page) == {"status": {"code": 10000}, "models": []}
    assert as_dict(page) == {"status": {"code": "SUCCESS"}}


def test_a_listing_that_the_proto_does_not_mark_is_left_out() -> None:
    assert answered(SingleModelResponse()) == {}


def test_zeros_that_the_proto_marks_are_written_wherever_they_stand() -> None:
    info = OutputInfo(output_config=OutputConfig())
    assert answered(Model(output_info=info))["output_info"] == {
        "output_config": {"max_concepts": 0, "min_value": 0}
    }
    data = Data(concepts=[{"id": "c"}], parts=[{"id": "p", "data": {"concepts": [{"id": "d", "value": 0.5}]}}])  # pyright: ignore[reportArgumentType]
    assert answered(data) == {
        "concepts": [{"id": "c", "value": 0}],
        "parts": [{"id": "p", "data": {"concepts": [{"id": "d", "value": 0.5}]}}],
    }


def test_a_model_has_the_empty_fields_of_recorded_answers() -> None:
    model = Model(id="m", app_id="a", use_cases=["chat"], model_version={"id": "v"})  # pyright: ignore[reportArgumentType]
    assert answered(model) == {
        "id": "m",
        "app_id": "a",
        "use_cases": ["chat"],
        "toolkits": [],
        "languages": [],
        "languages_full": [],
        "check_consents": [],
        "workflow_recommended": False,
        "model_version": {"id": "v", "metadata": {}},
    }


def test_two_answers_share_no_list() -> None:
    first, second = answered(MultiOutputResponse()), answered(MultiOutputResponse())
    first["outputs"].append(1)
    assert second == {"outputs": []}


def test_messages_in_lists_have_theirs() -> None:
    data = Data(frames=[{"id": "f", "frame_info": {"time": 1}}])  # pyright: ignore[reportArgumentType]
    assert answered(data) == {"frames": [{"id": "f", "frame_info": {"time": "1", "index": 0, "number": 0}}]}
