"""JSON, query parameters and path variables become a request; what does not fit is said field by field."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from typing import Any

import google.protobuf
import pytest
from clarifai_grpc.grpc.api import service_pb2
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.rest.paths import Bound, Paths
from clarifai_emulator.api.rest.transcoding import as_json, read_aside, read_message, read_request
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError

PATHS = Paths(rpc_table().values())


def bound(method: str, path: str) -> tuple[Bound, tuple[str, ...]]:
    match = PATHS.match(method, path)
    assert match is not None
    return match.candidates[0], match.values


def read(method: str, path: str, content: Any = None, query: list[tuple[str, str]] | None = None) -> Any:
    form, values = bound(method, path)
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    return read_request(form, values, query or [], body)


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(CallerError) as raised:
        read(*arguments, **options)
    assert raised.value.code == 11100
    return raised.value.message


OUTPUTS = "/v2/users/u/apps/a/models/m/outputs"
RUNNERS = "/v2/users/u/runners"


def test_names_may_be_snake_or_camel_case_and_enums_numbers_or_names() -> None:
    snake = {"models": [{"id": "m", "model_type_id": "t", "visibility": {"gettable": 50}}]}
    camel = {"models": [{"id": "m", "modelTypeId": "t", "visibility": {"gettable": "PUBLIC"}}]}
    path = "/v2/users/u/apps/a/models"
    assert read("POST", path, snake) == read("POST", path, camel)


def test_64_bit_integers_are_text_and_may_be_numbers() -> None:
    as_text = read("POST", OUTPUTS, {"inputs": [{"data": {"int_value": "9007199254740993"}}]})
    as_number = read("POST", OUTPUTS, {"inputs": [{"data": {"int_value": 9007199254740993}}]})
    assert as_text.inputs[0].data.int_value == as_number.inputs[0].data.int_value == 2**53 + 1
    assert b'"int_value":"9007199254740993"' in as_json(as_text)


def test_the_path_wins_over_the_body_and_the_body_over_the_query() -> None:
    request = read(
        "POST",
        OUTPUTS,
        {"user_app_id": {"user_id": "other"}, "version_id": "of-body", "use_predict_cache": True},
        query=[("version_id", "of-query"), ("model.id", "x")],
    )
    assert request.user_app_id.user_id == "u"
    assert request.version_id == "of-body"
    assert request.model.id == "x"
    assert request.use_predict_cache


def test_query_parameters_fill_fields_of_every_type() -> None:
    request = read(
        "GET",
        RUNNERS,
        query=[("page", "2"), ("model_version_ids", "v1"), ("model_version_ids", "v2"), ("min_replicas", "3")],
    )
    assert (request.page, request.min_replicas) == (2, 3)
    assert list(request.model_version_ids) == ["v1", "v2"]
    pools = read("GET", "/v2/users/u/nodepools", query=[("active_usage", "true")])
    assert pools.active_usage is True


def test_the_documentations_filter_of_nodepools_is_the_one_of_the_rpc() -> None:
    """The documentation's curl sample asks so; ``ListNodepoolsRequest`` has no such field."""
    path = "/v2/users/u/nodepools"
    assert read("GET", path, query=[("min_runner_replicas", "1")]).active_usage is True
    assert refusal("GET", path, query=[("min_runner_replicas", "2")]) == (
        "ListNodepools takes the query parameter 'min_runner_replicas' only as 1, got '2'."
    )


def test_a_path_variable_may_be_a_number() -> None:
    form, values = bound("GET", "/v2/status_codes/10000")
    assert read_request(form, values, [], b"").status_code_id == "10000"


def test_an_answer_has_snake_case_numeric_enums_and_the_empty_fields_of_the_platform() -> None:
    response = service_pb2.SingleDeploymentResponse()
    response.status.code = 10000  # pyright: ignore[reportAttributeAccessIssue]
    response.deployment.visibility.gettable = 10  # pyright: ignore[reportAttributeAccessIssue]
    response.deployment.created_at.seconds = 1
    assert json.loads(as_json(response)) == {
        "status": {"code": 10000},
        "deployment": {"created_at": "1970-01-01T00:00:01Z", "visibility": {"gettable": 10}},
    }
    assert json.loads(as_json(service_pb2.MultiDeploymentResponse())) == {"deployments": []}


# What cannot be read


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            b"{",
            "The body of PostModelOutputs is no JSON: Expecting property name enclosed in double quotes at line 1",
        ),
        (b'{"inputs": [}', "is no JSON: Expecting value at line 1, column 13."),
        (b"\xff\xfe{}", "The body of PostModelOutputs is no JSON: "),
        (b'{"model_id": NaN}', "is no JSON: NaN is not a JSON number."),
        (b'{"model_id": 1e400}', "is no JSON: the number 1e400 is too large."),
        (b'{"page": ' + b"9" * 5000 + b"}", "is no JSON: a number has 5000 digits; 400 are the most."),
        (b'{"model_id": "a", "model_id": "b"}', "is no JSON: the name 'model_id' stands twice in one object."),
        (b'{"a\\ud83d": 1}', r"is no JSON: the name 'a\ud83d' is no text."),
        (b"[]", "The body of PostModelOutputs must be a JSON object, got an array."),
        (b"3", "must be a JSON object, got a number."),
        (b"null", "must be a JSON object, got null."),
        (b"[" * 100_000, "The body of PostModelOutputs is nested too deeply."),
    ],
)
def test_malformed_json_is_said_with_its_place(body: bytes, says: str) -> None:
    assert says in refusal("POST", OUTPUTS, body)


def test_a_name_that_stands_twice_among_many_is_found_in_one_go() -> None:
    body = ("{" + ",".join(f'"name{number}": 1' for number in range(40_000)) + ', "name39999": 2}').encode()
    began = time.process_time()
    json.loads(body)
    plain = time.process_time() - began
    assert "the name 'name39999' stands twice in one object" in refusal("POST", OUTPUTS, body)
    assert time.process_time() - began < 50 * max(plain, 0.002), "it looks at each name once"


def test_of_many_fields_that_do_not_exist_only_the_first_are_looked_at() -> None:
    body = json.dumps({f"name{number}": 1 for number in range(40_000)}).encode()
    began = time.process_time()
    json.loads(body)
    plain = time.process_time() - began
    text = refusal("POST", OUTPUTS, body)
    assert "has no field 'name4'" in text
    assert text.endswith("; and more.")
    assert time.process_time() - began < 50 * max(plain, 0.002)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"inptus": []}, "PostModelOutputsRequest has no field 'inptus' (did you mean 'inputs'?)"),
        ({"inputs": [{"data": {"txt": {}}}]}, "Data has no field 'inputs[0].data.txt' (did you mean 'text'?)"),
        ({"zzz": 1}, "PostModelOutputsRequest has no field 'zzz'."),
        ({"inputs": {}}, "inputs must be an array, got an object"),
        ({"inputs": ["x"]}, "inputs[0] must be an object, got a string"),
        ({"model_id": 7}, "model_id must be a string, got a number"),
        ({"use_predict_cache": "yes"}, "use_predict_cache must be true or false, got 'yes'"),
        (
            {"inputs": [{"data": {"int_value": "many"}}]},
            "inputs[0].data.int_value must be a whole number, got 'many'",
        ),
        (
            {"inputs": [{"data": {"int_value": 1.5}}]},
            "inputs[0].data.int_value must be a whole number, got a number",
        ),
        (
            {"model": {"visibility": {"gettable": {}}}},
            "gettable must be a number or one of UNKNOWN_VISIBILITY, PRIVATE, ORG, PUBLIC, got an object",
        ),
        ({"inputs": [{"data": {"float_value": []}}]}, "inputs[0].data.float_value must be a number, got an array"),
        (
            {"inputs": [{"data": {"bytes_value": 3}}]},
            "inputs[0].data.bytes_value must be base64 text, got a number",
        ),
        (
            {"inputs": [{"data": {"image": {"base64": "data:image/png;base64,iVBORw0KGgo="}}}]},
            "inputs[0].data.image.base64 must be base64 text, without 'data:…,' before it, "
            "got 'data:image/png;base64,iVBORw0KGgo='.",
        ),
        (
            {"inputs": [{"data": {"image": {"base64": "picture.png"}}}]},
            "inputs[0].data.image.base64 must be base64 text, got 'picture.png'.",
        ),
        ({"inputs": [{"data": {"int_value": 10**350}}]}, "inputs[0].data.int_value must be a whole number from"),
        ({"model": {"visibility": {"gettable": "OPEN"}}}, "must be a number or one of UNKNOWN_VISIBILITY, PRIVATE"),
        ({"inputs": [{"data": {"metadata": 3}}]}, "inputs[0].data.metadata must be an object, got a number."),
        (
            {"inputs": [{"data": {"int_value": 2**63}}]},
            "inputs[0].data.int_value must be a whole number from -9223372036854775808 to 9223372036854775807, "
            "got a number.",
        ),
        (
            {"inputs": [{"data": {"int_value": str(2**63)}}]},
            "inputs[0].data.int_value must be a whole number from -9223372036854775808 to 9223372036854775807, "
            "got '9223372036854775808'.",
        ),
        ({"model": {"visibility": {"gettable": 2**31}}}, "must be a number or one of UNKNOWN_VISIBILITY, PRIVATE"),
        (
            {"inputs": [{"created_at": "yesterday"}]},
            "inputs[0].created_at must be a time as '2030-01-31T12:00:00Z', got 'yesterday'.",
        ),
        (
            {"inputs": [{"created_at": 5}]},
            "inputs[0].created_at must be a time as '2030-01-31T12:00:00Z', got a number.",
        ),
    ],
)
def test_a_field_that_does_not_fit_is_named(content: Any, says: str) -> None:
    assert says in refusal("POST", OUTPUTS, content)


@pytest.mark.parametrize(
    "text", ["aGk=", "aGk", "_-8=", "aGVs\nbG8=\n", "", base64.b64encode(bytes(range(256)) * 20).decode()]
)
def test_base64_may_be_of_either_alphabet_in_lines_and_without_its_padding(text: str) -> None:
    request = read("POST", OUTPUTS, {"inputs": [{"data": {"image": {"base64": text}}}]})
    padded = text.replace("\n", "") + "=" * (-len(text.replace("\n", "")) % 4)
    assert request.inputs[0].data.image.base64 == base64.urlsafe_b64decode(
        padded.replace("+", "-").replace("/", "_")
    )


@pytest.mark.skipif(google.protobuf.__version__ < "6", reason="protobuf 5 reads whole numbers without an exponent")
def test_a_whole_number_may_be_text_with_an_exponent() -> None:
    assert read("POST", OUTPUTS, {"inputs": [{"data": {"int_value": "1e3"}}]}).inputs[0].data.int_value == 1000


def test_several_misfits_are_named_at_once_and_many_are_counted_off() -> None:
    text = refusal("POST", OUTPUTS, {"inptus": [], "model_id": 1})
    assert "inptus" in text
    assert "model_id must be a string" in text
    assert refusal("POST", OUTPUTS, {f"zz{number}": 1 for number in range(9)}).count("has no field") == 5


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ([("pgae", "1")], "ListRunners has no query parameter 'pgae'. Did you mean 'page'?"),
        ([("page", "one")], "The query parameters of ListRunners cannot be read: page must be a whole number"),
        ([("page", "-1")], "page must be a whole number from 0 to 4294967295, got '-1'."),
        ([("page.x", "1")], "The query parameter 'page.x' of ListRunners names a part of 'page', which has none."),
        ([("user_app_id.usr", "1")], "Did you mean 'user_id'?"),
    ],
)
def test_a_query_parameter_that_does_not_fit_is_named(query: list[tuple[str, str]], says: str) -> None:
    assert says in refusal("GET", RUNNERS, query=query)


def test_a_form_without_a_body_refuses_one_but_an_empty_object() -> None:
    assert read("GET", RUNNERS, {}).user_app_id.user_id == "u"
    assert refusal("GET", RUNNERS, {"page": 1}) == (
        "GET /v2/users/{user_app_id.user_id}/runners takes no body. Send its fields as query parameters."
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(
        ["inputs", "data", "parts", "model", "id", "text", "int_value", "metadata", "created_at", "zzz", "concepts"]
    ) | st.text(max_size=5), each, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(content=json_values)
def test_any_json_is_read_or_refused_with_words(content: Any) -> None:
    refused = ""
    try:
        read_message("PostModelOutputs", service_pb2.PostModelOutputsRequest, json.dumps(content).encode())
    except CallerError as error:
        refused = error.message
    assert refused == "" or refused.startswith("The body of PostModelOutputs ")


async def test_large_bodies_are_read_one_after_the_other_and_let_others_have_the_interpreter_often() -> None:
    usual, beside_each_other = sys.getswitchinterval(), 0
    seen: list[tuple[int, float]] = []

    def note() -> None:
        nonlocal beside_each_other
        beside_each_other += 1
        seen.append((beside_each_other, sys.getswitchinterval()))
        beside_each_other -= 1

    await asyncio.gather(*(read_aside(1 << 20, note) for _ in range(10)))
    assert [number for number, _ in seen] == [1] * 10
    assert all(interval < usual / 10 for _, interval in seen)
    assert sys.getswitchinterval() == usual


async def test_a_large_body_that_cannot_be_read_leaves_the_interpreter_as_it_was() -> None:
    usual = sys.getswitchinterval()
    with pytest.raises(CallerError):
        await read_aside(1 << 20, read_message, "PostInputs", service_pb2.PostInputsRequest, b"[")
    assert sys.getswitchinterval() == usual
