"""A credential of a replica is found in an answer, wherever it stands and however it is cut over chunks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

from clarifai_emulator.contracts.values.leaks import AnswerSearch
from clarifai_emulator.replica_tokens import new_token

TOKEN = new_token()


def answer(field: str = "string_value", value: Any = "", details: str = "") -> MultiOutputResponse:
    made = MultiOutputResponse()
    made.status.details = details
    setattr(made.outputs.add().data.parts.add(id="return").data, field, value)
    return made


def finds(*answers: MultiOutputResponse, is_chunk: bool = True) -> list[bool]:
    search = AnswerSearch()
    return [search.finds(each, b"", each.ByteSize(), is_chunk=is_chunk) for each in answers]


@pytest.mark.parametrize(
    "leaking",
    [
        answer(value=f"it is {TOKEN}."),
        answer(value=json.dumps({"environ": {"CLARIFAI_PAT": TOKEN}})),
        answer("bytes_value", b"\x00\xff" + TOKEN.encode()),
        answer(details=f"KeyError: '{TOKEN}'"),
    ],
)
def test_it_is_found_in_text_json_bytes_and_errors(leaking: MultiOutputResponse) -> None:
    assert finds(leaking, is_chunk=False) == [True]


@pytest.mark.parametrize("size", [1, 7, 8, 55, 56])
@pytest.mark.parametrize("field", ["string_value", "bytes_value"])
def test_it_is_found_in_chunks_of_any_size_once(size: int, field: str) -> None:
    said = f"so: {TOKEN}, and on"
    pieces = [said[start : start + size] for start in range(0, len(said), size)]
    chunks = [answer(field, each if field == "string_value" else each.encode()) for each in pieces]
    assert finds(*chunks).count(True) == 1


def test_it_is_found_in_the_deltas_of_a_chat() -> None:
    def delta(text: str) -> MultiOutputResponse:
        return answer(value=json.dumps({"choices": [{"delta": {"role": "assistant", "content": text}}]}))

    pieces = [TOKEN[start : start + 5] for start in range(0, len(TOKEN), 5)]
    assert finds(*map(delta, ["My key: ", *pieces, "!"])).count(True) == 1


def test_nothing_is_found_where_there_is_none() -> None:
    assert finds(answer(value="replica-"), answer(value="replica-0123"), answer("int_value", 3)) == [False] * 3
    assert finds(answer(value=TOKEN[:-1]), answer(value="g")) == [False, False]
    assert not any(finds(*(answer(value=TOKEN[start:20]) for start in range(20)), is_chunk=False))


def test_of_a_large_answer_the_first_64_kibibytes_are_looked_at() -> None:
    large = answer(value=f"{TOKEN}{'x' * 200_000}")
    late = answer(value=f"{'x' * 200_000}{TOKEN}")
    for each, found in ((large, True), (late, False)):
        data = each.SerializeToString()
        assert AnswerSearch().finds(each, data, len(data), is_chunk=False) == found
        assert AnswerSearch().finds(each, b"", 0, is_chunk=False) == found
