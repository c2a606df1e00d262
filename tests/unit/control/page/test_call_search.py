"""Words are found in what calls were asked and answered, whatever their case; secrets are not."""

from __future__ import annotations

from typing import Any, cast

import pytest
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest

from clarifai_emulator.api.kept_calls import KeptCall, KeptMessage
from clarifai_emulator.control.page.call_search import calls_that_say


def kept(request_id: str, *texts: str) -> KeptCall:
    call = KeptCall(request_id, cast(Any, None), cast(Any, None), "predict")
    for text in texts:
        request = PostModelOutputsRequest()
        request.inputs.add().data.text.raw = text
        data = request.SerializeToString()
        call.take(call.inputs, KeptMessage(0.0, data, len(data)))
    return call


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Tell me of Whales", "whales"),
        ("ÄRGER im Büro", "ärger"),
        ('{"said": "\\u00e4rger"}', "ärger"),
        ('a "quoted" word', '"quoted"'),
        ("x" * 100_000 + " needle", "needle"),
    ],
)
def test_a_word_is_found_in_any_case(text: str, word: str) -> None:
    calls = [kept("other", "nothing"), kept("wanted", "before", text)]
    assert calls_that_say(calls, [word]) == {word: ["wanted"]}


def test_each_word_has_its_calls() -> None:
    calls = [kept("a", "one two"), kept("b", "two")]
    assert calls_that_say(calls, ["one", "two", "three"]) == {"one": ["a"], "two": ["a", "b"], "three": []}


def test_nobody_finds_a_secret_by_guessing_how_it_begins() -> None:
    calls = [kept("a", "the key is hunter22 indeed")]
    found = calls_that_say(calls, ["hun", "hunter22", "key"], ["hunter22"])
    assert found == {"hun": [], "hunter22": [], "key": ["a"]}


def test_a_message_that_was_too_large_to_be_kept_is_passed_over() -> None:
    call = kept("a", "one")
    call.take(call.outputs, KeptMessage(0.0, None, 9_000_000))
    assert calls_that_say([call], ["one"]) == {"one": ["a"]}
