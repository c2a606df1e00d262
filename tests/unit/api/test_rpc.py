"""The table of RPCs says what the platform's service descriptor says."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2

from clarifai_emulator.api.rpc import Auth, HttpBinding, rpc_table


def test_every_rpc_of_the_descriptor_is_in_the_table_and_it_is_built_once() -> None:
    names = [method.name for method in service_pb2.DESCRIPTOR.services_by_name["V2"].methods]
    assert list(rpc_table()) == names
    assert len(names) > 250
    assert rpc_table() is rpc_table()


def test_an_rpc_has_its_messages_path_and_shape() -> None:
    predict = rpc_table()["PostModelOutputs"]
    assert predict.path == "/clarifai.api.V2/PostModelOutputs"
    assert predict.request_type is service_pb2.PostModelOutputsRequest
    assert predict.response_type is service_pb2.MultiOutputResponse
    shapes = {
        name: (rpc_table()[name].client_streaming, rpc_table()[name].server_streaming)
        for name in ("PostModelOutputs", "GenerateModelOutputs", "StreamModelOutputs", "ProcessRunnerItems")
    }
    assert shapes == {
        "PostModelOutputs": (False, False),
        "GenerateModelOutputs": (False, True),
        "StreamModelOutputs": (True, True),
        "ProcessRunnerItems": (True, True),
    }


def test_an_rpc_has_the_credential_and_the_scopes_it_asks_for() -> None:
    assert rpc_table()["PostModelOutputs"].auth is Auth.KEY
    assert "Predict" in rpc_table()["PostModelOutputs"].scopes
    assert rpc_table()["ListStatusCodes"].auth is Auth.NONE
    assert {rpc.auth for rpc in rpc_table().values()} <= set(Auth)


def test_an_rpc_has_every_rest_form_with_its_verb_and_body() -> None:
    bindings = rpc_table()["GetModel"].http
    assert bindings[0] == HttpBinding(
        "GET", "/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}/models/{model_id}", ""
    )
    assert len(bindings) > 1
    posted = rpc_table()["PostDeployments"].http
    assert {(binding.method, binding.body) for binding in posted} == {("POST", "*")}
    assert {binding.method for rpc in rpc_table().values() for binding in rpc.http} == {
        "GET",
        "POST",
        "PATCH",
        "PUT",
        "DELETE",
    }


def test_every_answer_of_the_platform_can_carry_a_status() -> None:
    """The request chain relies on the status."""
    without = [
        rpc.name for rpc in rpc_table().values() if "status" not in rpc.response_type.DESCRIPTOR.fields_by_name
    ]
    assert without == []
