"""JSON of a browser and for one: neither side gets what it cannot take."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.transport.http_exchange import HttpProblem
from clarifai_emulator.control.page.page_json import (
    NO_JSON,
    NO_TEXT,
    SHOWN_TOO_DEEP,
    TOO_DEEP,
    json_bytes,
    json_object,
)
from clarifai_emulator.errors import CallerError

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def as_a_browser_reads(text: bytes) -> Any:
    def refuse(what: str) -> None:
        raise AssertionError(f"{what} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(ANY)
def test_whatever_is_told_a_browser_reads(data: Any) -> None:
    as_a_browser_reads(json_bytes(data))


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.text("aä🎉\n\\")))
def test_what_a_form_sends_is_read_as_it_was(data: Any) -> None:
    assert json_object("POST x", json.dumps(data).encode()) == data
    assert json_object("POST x", json.dumps(data, ensure_ascii=False).encode()) == data


@pytest.mark.parametrize("depth", [98, 99])
def test_a_hundred_levels_are_read(depth: int) -> None:
    assert json_object("POST x", b'{"a":' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", NO_JSON),
        (b"3", NO_JSON),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", TOO_DEEP),
        (b'{"a": "\\ud800"}', NO_TEXT),
        (b'{"a": ["\\udc00"]}', NO_TEXT),
    ],
)
def test_what_no_form_sends_is_told_so(body: bytes, said: str) -> None:
    with pytest.raises(HttpProblem) as refused:
        json_object("POST x", body)
    assert (refused.value.status, refused.value.details) == (400, said)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 10_000, b'{"a": 1, "a": 2}'])
def test_what_is_no_json_is_refused_with_the_place(body: bytes) -> None:
    with pytest.raises(CallerError, match="The body of POST x"):
        json_object("POST x", body)


def test_a_value_that_is_nested_without_end_is_told_so() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(HttpProblem, match=SHOWN_TOO_DEEP):
        json_bytes(deep)
