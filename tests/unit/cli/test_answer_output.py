"""Tests printing a model's answer as text and as JSON."""

from __future__ import annotations

from clarifai_emulator.cli.answer_output import as_json_value, as_text


def test_answers_as_text_and_as_json() -> None:
    assert as_text("text") == "text"
    assert as_text(b"text") == "text"
    assert as_text(b"\xff\x00") == "<2 bytes>"
    assert as_text({"a": [1, None, "é"]}) == '{"a": [1, null, "é"]}'
    assert as_text([object]) == "[<class 'object'>]"
    assert as_json_value((1, b"a", {"x": object})) == [1, {"base64": "YQ=="}, {"x": "<class 'object'>"}]
