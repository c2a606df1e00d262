"""Every message can be written as JSON, whatever the wire brought."""

from __future__ import annotations

import json

from clarifai_grpc.grpc.api.resources_pb2 import Data, Input, Model
from google.protobuf.struct_pb2 import Struct

from clarifai_emulator.messages.json import as_dict


def test_numbers_that_json_does_not_have_are_words_wherever_they_stand() -> None:
    data = Data()
    data.struct_value.update({"most": float("inf"), "list": [1, float("nan"), {"least": float("-inf")}], "n": 1})
    data.parts.add(id="deep").data.metadata.update({"most": float("inf")})
    assert as_dict(data) == {
        "struct_value": {"most": "Infinity", "list": [1.0, "NaN", {"least": "-Infinity"}], "n": 1.0},
        "parts": [{"id": "deep", "data": {"metadata": {"most": "Infinity"}}}],
    }
    assert data.struct_value["most"] == float("inf")  # the message itself is as it was


def test_a_struct_may_be_the_whole_message() -> None:
    struct = Struct()
    struct.update({"most": float("inf")})
    assert json.loads(json.dumps(as_dict(struct))) == {"most": "Infinity"}


def test_a_time_beyond_the_calendar_is_its_last_or_first_second() -> None:
    late, early = Input(id="i"), Input(id="i")
    late.created_at.seconds, late.created_at.nanos = 2**62, -5
    early.created_at.seconds = -(2**62)
    assert as_dict(late) == {"id": "i", "created_at": "9999-12-31T23:59:59Z"}
    assert as_dict(early) == {"id": "i", "created_at": "0001-01-01T00:00:00Z"}


def test_enums_are_names_or_numbers_as_asked() -> None:
    model = Model(visibility={"gettable": 50})
    assert as_dict(model) == {"visibility": {"gettable": "PUBLIC"}}
    assert as_dict(model, numeric_enums=True) == {"visibility": {"gettable": 50}}
