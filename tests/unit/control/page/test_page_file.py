"""A page that is saved to a file is one document, in which data stays data."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clarifai_emulator.control.page.page_file import address_of, json_of, page_document, saved_json


def document(title: str = "t", **parts: Any) -> str:
    given: dict[str, Any] = {"time": 1.5, "version": "1", "notes": [], "events": [], "answers": {}, **parts}
    return page_document(title, saved_json(title=title, **given))


def saved_in(text: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="saved">(.*?)</script>', text, re.S)
    return json.loads(found)


@pytest.mark.parametrize("text", ["</script><script>x()</script>", "<!--<script>", "\u2028\0\x1b[31m", "é漢😀"])
def test_no_text_ends_the_element_that_it_is_in(text: str) -> None:
    written = document(text, events=[json_of({"kind": text})], answers={text: json_of([text])}, notes=[text])
    assert written.count("<script") == 2
    assert written.count("</script") == 2
    saved = saved_in(written)
    assert (saved["title"], saved["notes"], saved["events"]) == (text, [text], [{"kind": text}])
    assert saved["answers"] == {text: [text]}


def test_half_a_character_does_not_keep_the_rest_from_being_written() -> None:
    written = document(events=[json_of("broken \ud800")])
    assert saved_in(written)["events"] == ["broken ?"]
    written.encode()


def test_only_the_file_of_a_run_has_tests() -> None:
    assert "tests" not in saved_in(document())
    assert saved_in(document(tests=[json_of({"id": "a"})]))["tests"] == [{"id": "a"}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": math.nan}, {"a": "NaN"}),
        ([math.inf, -math.inf], ["Infinity", "-Infinity"]),
        ({"NaN": "Infinity"}, {"NaN": "Infinity"}),
        ({"path": complex(1, 2)}, {"path": "(1+2j)"}),
    ],
)
def test_what_json_has_no_number_for_is_a_text(value: Any, expected: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(json_of(value), parse_constant=refuse) == expected


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ({}, "log"),
        ({"replica": "r1", "since": ""}, "log?replica=r1"),
        ({"b": "2", "a": "1"}, "log?a=1&b=2"),
        ({"id": "a b/c*d~e_f-g.h"}, "log?id=a+b%2Fc*d%7Ee_f-g.h"),
        ({"id": "é&="}, "log?id=%C3%A9%26%3D"),
    ],
)
def test_an_answer_is_found_by_what_a_browser_asks(query: dict[str, str], address: str) -> None:
    assert address_of("log", query) == address
    assert dict(parse_qsl(address.partition("?")[2])) == {name: each for name, each in query.items() if each}
