"""An answer that is too large is cut where it is text, and fails where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.messages.answer_size import CLEARED, CLEARED_WHY, CUT, ENDING, ROOM_FOR_STATUS, fit_answer

MOST = 2000


def answer(*outputs: dict[str, Any]) -> Any:
    done = {"code": StatusCode.SUCCESS}
    return service_pb2.MultiOutputResponse(
        status=done,  # pyright: ignore[reportArgumentType]
        outputs=[{"status": done, "data": data} for data in outputs],  # pyright: ignore[reportArgumentType]
    )


def part(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data as the runner of the SDK answers it, in a part with a name."""
    return {"parts": [{"id": "return", "data": data}]}


TEXTS = [{"text": {"raw": "x" * 3000}}, {"string_value": "x" * 3000}, part({"string_value": "x" * 3000})]
BINARY = [
    {"image": {"base64": bytes(3000)}},
    {"audio": {"base64": bytes(3000)}},
    {"bytes_value": bytes(3000)},
    part({"ndarray": {"buffer": bytes(3000)}}),
]


@pytest.mark.parametrize("data", [*TEXTS, *BINARY])
def test_an_answer_that_is_small_enough_stays_as_it_is(data: dict[str, Any]) -> None:
    given_answer, same = answer(data), answer(data)
    fit_answer(given_answer, given_answer.ByteSize() + ROOM_FOR_STATUS)
    assert given_answer == same


@pytest.mark.parametrize("data", TEXTS)
def test_text_is_cut_to_fit_and_says_so(data: dict[str, Any]) -> None:
    long = answer(data)
    fit_answer(long, MOST)
    assert MOST - 2 * ROOM_FOR_STATUS < long.ByteSize() <= MOST
    (output,) = long.outputs
    assert (long.status.code, output.status.code) == (StatusCode.SUCCESS, StatusCode.SUCCESS)
    assert output.status.description == CUT == "Success (output truncated to fit size limit)"
    found = output.data.parts[0].data if output.data.parts else output.data
    assert (found.text.raw or found.string_value).endswith(f"x{ENDING}")


@pytest.mark.parametrize("data", BINARY)
def test_binary_data_is_cleared_with_a_failure_in_the_platforms_words(data: dict[str, Any]) -> None:
    large = answer(data)
    fit_answer(large, MOST)
    (output,) = large.outputs
    assert not output.HasField("data")
    assert (large.status.code, output.status.code) == (StatusCode.FAILURE, StatusCode.FAILURE)
    assert output.status.description == "Binary data cleared due to size limit"
    assert output.status.details == large.status.details == CLEARED_WHY
    assert CLEARED_WHY == "Image/audio/video data was removed because response exceeded size limit"


def test_an_answer_fails_where_its_runner_has_cleared_the_data_and_calls_it_a_success() -> None:
    cleared = answer({})
    cleared.outputs[0].status.code = StatusCode.FAILURE
    cleared.outputs[0].status.description = CLEARED
    fit_answer(cleared, MOST)
    assert (cleared.status.code, cleared.status.details) == (StatusCode.FAILURE, CLEARED_WHY)


def test_text_is_cut_for_binary_data_beside_it() -> None:
    mixed = answer({"image": {"base64": bytes(500)}, "text": {"raw": "x" * 3000}})
    fit_answer(mixed, MOST)
    data = mixed.outputs[0].data
    assert (len(data.image.base64), mixed.status.code) == (500, StatusCode.SUCCESS)
    assert data.text.raw.endswith(ENDING)


def test_the_largest_outputs_are_cleared_first_and_the_others_stay() -> None:
    several = answer({"bytes_value": bytes(500)}, {"bytes_value": bytes(3000)}, {"string_value": "short"})
    fit_answer(several, MOST)
    assert several.status.code == StatusCode.MIXED_STATUS
    assert [each.status.code == StatusCode.SUCCESS for each in several.outputs] == [True, False, True]
    assert several.outputs[2].data.string_value == "short"


@given(
    st.lists(st.one_of(st.text(max_size=2000).map(lambda raw: {"text": {"raw": raw}}), st.sampled_from(BINARY))),
    st.integers(MOST, 4 * MOST),
)
def test_whatever_is_answered_fits(outputs: list[dict[str, Any]], most: int) -> None:
    several = answer(*outputs[:8])
    fit_answer(several, most)
    assert several.ByteSize() <= most
