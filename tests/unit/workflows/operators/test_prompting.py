"""A prompter puts the text into each place of its template, whatever the text holds."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from unit.workflows.operators.asked_operator import answers, info_of, refusal

PLACE = "{data.text.raw}"


@given(st.text(), st.lists(st.text().filter(lambda each: "{" not in each), min_size=2, max_size=5))
def test_each_place_holds_the_text_and_the_rest_of_the_template_stays(text: str, parts: list[str]) -> None:
    info = info_of({"prompt_template": PLACE.join(parts)})
    assert answers("prompter", info, Data(text={"raw": text})) == [Data(text={"raw": text.join(parts)})]


def test_a_text_that_looks_like_a_place_or_a_format_is_no_template() -> None:
    info = info_of({"prompt_template": f"say {PLACE} {{0.__class__}} %s"})
    assert answers("prompter", info, Data(text={"raw": PLACE}))[0].text.raw == f"say {PLACE} {{0.__class__}} %s"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (None, "must be a text that is not empty, got nothing"),
        ("", "must be a text that is not empty, got ''"),
        (7, "must be a text that is not empty, got 7.0"),
        (["x"], "must be a text that is not empty, got ['x']"),
        ("no place", "must contain {data.text.raw}, got 'no place'"),
    ],
)
def test_a_template_that_is_none_is_refused_with_what_it_must_be(template: object, problem: str) -> None:
    refused = refusal("prompter", info_of({"prompt_template": template}), Data(text={"raw": "x"}))
    assert refused.code == StatusCode.MODEL_INVALID_ARGUMENT
    assert refused.message == (
        f"Operator prompter: output_info.params.prompt_template {problem}. Give the model's version this "
        "output_info, or the node an output_info_override."
    )


def test_what_has_no_text_is_an_unsupported_format() -> None:
    info = info_of({"prompt_template": PLACE})
    refused = refusal("prompter", info, Data(text={"raw": "x"}), Data(image={"base64": b"x"}))
    assert refused.code == StatusCode.INPUT_UNSUPPORTED_FORMAT
    assert refused.details == "It takes text, and input 2 has image."


def test_a_text_by_url_is_not_downloaded() -> None:
    refused = refusal("prompter", info_of({"prompt_template": PLACE}), Data(text={"url": "http://example.com/x"}))
    assert refused.code == StatusCode.INPUT_DOWNLOAD_FAILED
    assert refused.message == (
        "Input 1 has its text by URL, and the emulator downloads nothing for an operator. Send the text itself "
        "(predict_by_bytes, predict_by_filepath)."
    )


def test_a_template_that_multiplies_a_text_beyond_measure_is_refused() -> None:
    refused = refusal("prompter", info_of({"prompt_template": PLACE * 1000}), Data(text={"raw": "x" * 100_000}))
    assert refused.message == (
        "The template has 1000 places, and a text of 100000 characters in each makes a prompt of more than "
        "33554432 characters. Shorten the text, or take places out of the template."
    )
