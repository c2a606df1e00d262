"""Inference messages are read as Python values."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, MethodSignature, ModelTypeField
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest

from clarifai_emulator.messages.data_values import arguments_of, method_of, shown, shown_call, value_of

TYPE = ModelTypeField.DataType


def test_the_method_is_predict_unless_the_request_names_one() -> None:
    request = PostModelOutputsRequest()
    assert method_of(request) == ""
    request.inputs.add()
    assert method_of(request) == "predict"
    request.inputs[0].data.metadata["_method_name"] = "rank"
    assert method_of(request) == "rank"


@pytest.mark.parametrize(
    ("data", "field", "value"),
    [
        (Data(string_value="a"), None, "a"),
        (Data(), None, None),
        (Data(), ModelTypeField(type=TYPE.STR), ""),
        (Data(), ModelTypeField(type=TYPE.INT), 0),
        (Data(), ModelTypeField(type=TYPE.BOOL), False),
        (Data(float_value=0.5), None, 0.5),
        (Data(bytes_value=b"x"), None, b"x"),
    ],
)
def test_a_signature_tells_an_empty_value_from_none(data: Any, field: Any, value: object) -> None:
    assert value_of(data, field) == value


def test_lists_are_told_from_named_fields_by_their_names() -> None:
    data = Data()
    data.parts.add(id="0").data.int_value = 1
    data.parts.add(id="1").data.int_value = 2
    assert value_of(data) == [1, 2]
    named = Data()
    named.parts.add(id="x").data.int_value = 1
    assert value_of(named) == {"x": 1}


def test_json_lists_are_unwrapped() -> None:
    data = Data()
    data.struct_value.update({"_list": [1, "a"]})
    assert value_of(data) == [1, "a"]


def test_arguments_are_read_as_the_signature_says() -> None:
    request = PostModelOutputsRequest()
    data = request.inputs.add().data
    data.parts.add(id="prompt").data.string_value = "a"
    data.parts.add(id="n")
    signature = MethodSignature(
        input_fields=[ModelTypeField(name="prompt", type=TYPE.STR), ModelTypeField(name="n", type=TYPE.INT)]
    )
    assert arguments_of(request) == {"prompt": "a", "n": None}
    assert arguments_of(request, signature) == {"prompt": "a", "n": 0}
    assert arguments_of(request, signature, index=1) == {}


def test_long_values_are_shortened_for_a_line() -> None:
    assert shown(b"x" * 100) == "<100 bytes>"
    assert shown("x" * 100).endswith("… (102 characters)")
    assert shown_call("predict", {"prompt": "a", "n": 2}) == "predict(prompt='a', n=2)"
