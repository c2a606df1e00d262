"""Thresholders keep the concepts that compare as asked, and the regions that have such."""

from __future__ import annotations

import operator

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, OutputInfo, Region
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from unit.workflows.operators.asked_operator import answers, info_of, refusal

COMPARES = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "EQUAL": operator.eq,
}
VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


def data(values: dict[str, float]) -> Data:
    return Data(concepts=[Concept(id=name, value=value) for name, value in values.items()])


def values(found: Data) -> dict[str, float]:
    return {each.id: each.value for each in found.concepts}


@given(
    st.sampled_from(list(COMPARES)),
    st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1),
    st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1),
)
def test_a_concept_stays_if_it_is_listed_and_compares_as_asked(
    kind: str, listed: dict[str, float], given: dict[str, float]
) -> None:
    info = info_of({"concept_threshold_type": kind}, listed)
    [found] = answers("concept-thresholder", info, data(given))
    passing = {
        name: value for name, value in given.items() if name in listed and COMPARES[kind](value, listed[name])
    }
    assert values(found) == passing
    if not passing:
        assert found == Data()


@given(st.lists(st.dictionaries(st.sampled_from("ab"), VALUES), max_size=4).filter(any))
def test_a_region_goes_when_none_of_its_concepts_stays(regions: list[dict[str, float]]) -> None:
    info = info_of({"concept_threshold_type": "GREATER_THAN"}, {"a": 0.5})
    given = Data(regions=[Region(id=str(number), data=data(each)) for number, each in enumerate(regions)])
    [found] = answers("region-thresholder", info, given)
    assert {each.id: values(each.data) for each in found.regions} == {
        str(number): {"a": each["a"]} for number, each in enumerate(regions) if each.get("a", 0) > 0.5
    }


def test_the_type_may_be_given_by_number_and_in_the_older_place() -> None:
    given = data({"a": 0.5})
    assert answers("concept-thresholder", info_of({"concept_threshold_type": 3}, {"a": 0.9}), given) == [given]
    older = info_of({}, {"a": 0.9})
    older.output_config.model_metadata["concept_threshold_type"] = 3
    assert answers("concept-thresholder", older, given) == [given]
    assert answers("concept-thresholder", info_of({}, {"a": 0.4}), given) == [given]  # GREATER_THAN


def test_a_concept_without_an_id_is_known_by_its_name() -> None:
    info = OutputInfo(data={"concepts": [{"name": "cat", "value": 0.5}]})
    given = Data(concepts=[Concept(id="c1", name="cat", value=0.6)])
    assert answers("concept-thresholder", info, given) == [given]


def test_settings_that_are_none_are_refused() -> None:
    wrong = refusal("concept-thresholder", info_of({"concept_threshold_type": "ABOVE"}, {"a": 0.5}), data({"a": 1}))
    assert wrong.code == StatusCode.MODEL_INVALID_ARGUMENT
    assert wrong.details == (
        "Operator concept-thresholder: output_info.params.concept_threshold_type must be one of GREATER_THAN, "
        "GREATER_THAN_OR_EQUAL, LESS_THAN, LESS_THAN_OR_EQUAL, EQUAL, got 'ABOVE'."
    )
    none = refusal("region-thresholder", info_of({}), Data(regions=[Region()]))
    assert none.details == (
        "Operator region-thresholder: output_info.data.concepts has no concepts; list those that it is about."
    )


@pytest.mark.parametrize(
    ("type_id", "takes"), [("concept-thresholder", "concepts"), ("region-thresholder", "regions")]
)
def test_what_has_nothing_to_compare_is_an_unsupported_format(type_id: str, takes: str) -> None:
    refused = refusal(type_id, info_of({}, {"a": 0.5}), Data(text={"raw": "x"}))
    assert refused.code == StatusCode.INPUT_UNSUPPORTED_FORMAT
    assert refused.details == f"It takes {takes}, and input 1 has text."
