"""A sampler keeps its share of the inputs, the same ones each time."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Data
from hypothesis import given
from hypothesis import strategies as st

from unit.workflows.operators.asked_operator import answers, info_of, refusal

ITEMS = [Data(text={"raw": f"text {number}"}) for number in range(400)]


def kept(fraction: float) -> set[int]:
    found = answers("random-sample", info_of({"keep_fraction": fraction}), *ITEMS)
    assert all(each in (Data(), item) for each, item in zip(found, ITEMS, strict=True))
    return {number for number, each in enumerate(found) if each != Data()}


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_the_smaller_one(one: float, other: float) -> None:
    assert kept(min(one, other)) <= kept(max(one, other))


def test_the_share_is_kept_about_and_all_or_nothing_exactly() -> None:
    assert kept(0) == set()
    assert kept(1) == set(range(400))
    assert 140 < len(kept(0.5)) < 260


def test_equal_inputs_have_chances_of_their_own() -> None:
    found = answers("random-sample", info_of({"keep_fraction": 0.5}), *[ITEMS[0]] * 100)
    assert 0 < sum(each == Data() for each in found) < 100


def test_a_share_that_is_none_is_refused() -> None:
    for given_, got in ((None, "nothing"), (1.5, "1.5"), ("half", "'half'"), (True, "True"), (float("nan"), "nan")):
        refused = refusal("random-sample", info_of({"keep_fraction": given_}), ITEMS[0])
        assert refused.details == (
            f"Operator random-sample: output_info.params.keep_fraction must be a number from 0 to 1, got {got}."
        )
