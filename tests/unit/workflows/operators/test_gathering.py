"""Regions become one text in reading order, and a count."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Region
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.workflows.operators.operator_table import OPERATORS
from unit.workflows.operators.asked_operator import answers, info_of, refusal


def word(text: str, left: float, top: float) -> Region:
    box = {"left_col": left, "top_row": top, "right_col": left + 0.1, "bottom_row": top + 0.1}
    return Region(region_info={"bounding_box": box}, data={"text": {"raw": text}})


def test_words_are_read_from_left_to_right_and_from_top_to_bottom() -> None:
    regions = [word("below", 0.1, 0.5), word("right", 0.6, 0.02), word("left", 0.2, 0.05), word("end", 0.5, 0.52)]
    found = answers("text-aggregation-operator", info_of({}), Data(regions=[*regions, Region()]))
    assert found == [Data(text={"raw": "left right below end"})]


def test_regions_without_text_have_none_and_other_data_is_refused() -> None:
    assert answers("text-aggregation-operator", info_of({}), Data(regions=[Region()])) == [Data()]
    refused = refusal("text-aggregation-operator", info_of({}), Data(text={"raw": "x"}))
    assert refused.code == StatusCode.INPUT_UNSUPPORTED_FORMAT


def test_regions_with_a_concept_are_counted() -> None:
    regions = [Region(data={"concepts": [Concept(id="car")]})] * 3 + [Region()]
    [found] = answers("object-counter", info_of({}), Data(regions=regions))
    assert found.metadata["object_count"] == 3


def test_many_regions_are_gathered_in_a_thread() -> None:
    assert OPERATORS["text-aggregation-operator"].takes_time
