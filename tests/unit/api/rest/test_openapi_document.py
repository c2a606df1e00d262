"""The OpenAPI document holds every form of the table, as it is served."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarifai_emulator.api.rest.openapi_document import openapi_document
from clarifai_emulator.api.rest.paths import Paths
from clarifai_emulator.api.rpc import rpc_table


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    paths = Paths(rpc_table().values())
    return json.loads(openapi_document(list(paths.forms()), frozenset({"PostModelOutputs"})))


def test_every_form_is_there_once(document: dict[str, Any]) -> None:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len({operation["operationId"] for operation in operations})
    bindings = {(form.binding.method, form.binding.path) for form in Paths(rpc_table().values()).forms()}
    assert len(operations) == len(bindings) > 450


def test_an_operation_says_what_it_takes_and_whether_it_is_served(document: dict[str, Any]) -> None:
    outputs = document["paths"][
        "/v2/users/{user_app_id_user_id}/apps/{user_app_id_app_id}/models/{model_id}/outputs"
    ]
    operation = outputs["post"]
    assert operation["tags"] == ["served"]
    assert [parameter["name"] for parameter in operation["parameters"]] == [
        "user_app_id_user_id",
        "user_app_id_app_id",
        "model_id",
    ]
    schema = {"$ref": "#/components/schemas/clarifai.api.PostModelOutputsRequest"}
    assert operation["requestBody"] == {"content": {"application/json": {"schema": schema}}}
    assert operation["security"] == [{"key": []}]
    assert document["paths"]["/v2/concepts"]["get"]["tags"] == ["not served: answers 501"]
    assert "security" not in document["paths"]["/v2/status_codes"]["get"]


def test_query_parameters_are_the_fields_that_are_not_in_the_path(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v2/users/{user_app_id_user_id}/runners"]["get"]
    query = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
    assert query["page"] == {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    assert query["model_version_ids"] == {"type": "array", "items": {"type": "string"}}


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = {piece.partition('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    assert names == set(document["components"]["schemas"])


def test_messages_have_their_json_forms(document: dict[str, Any]) -> None:
    data = document["components"]["schemas"]["clarifai.api.Data"]["properties"]
    assert data["int_value"]["type"] == "string"
    assert data["metadata"] == {"type": "object"}
    assert data["parts"] == {"type": "array", "items": {"$ref": "#/components/schemas/clarifai.api.Part"}}
    model = document["components"]["schemas"]["clarifai.api.Model"]["properties"]
    assert model["created_at"] == {"type": "string", "format": "date-time"}
    visibility = document["components"]["schemas"]["clarifai.api.Visibility"]["properties"]["gettable"]
    assert visibility["enum"] == [0, 10, 30, 50]
