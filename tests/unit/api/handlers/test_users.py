"""Tests that users exist once they call or own something."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import User
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal


class TestUsers:
    @pytest.mark.parametrize("user_id", ["me", "", "ada"])
    def test_the_caller(self, api: ResourceApi, user_id: str) -> None:
        assert api("GetUser", user_id=user_id).user.id == "ada"

    def test_another_one_exists_once_it_owns_something(self, api: ResourceApi) -> None:
        assert refusal(api, "GetUser", user_id="bob") == (
            StatusCode.CONN_DOES_NOT_EXIST,
            "User 'bob' does not exist. You are 'ada'. There is 'ada'.",
        )
        api.cluster("c", "bob")
        assert api("GetUser", user_id="bob").user.id == "bob"

    def test_others_see_only_what_is_public_of_a_user(self, api: ResourceApi) -> None:
        api.store.put(Kind.USER, ("bob",), User(id="bob", first_name="Bob", primary_email="bob@example.com"))
        assert api("GetUser", user_id="bob").user == User(id="bob", first_name="Bob")
        assert api("GetUser", "bob").user.primary_email == "bob@example.com"

    @pytest.mark.parametrize("rpc", ["MyScopes", "MyScopesUser"])
    def test_tokens_are_not_limited(self, api: ResourceApi, rpc: str) -> None:
        scopes = api(rpc).scopes
        assert {"All", "Predict", "Deployments_Add"} <= set(scopes)

    def test_scopes_in_an_app_come_with_it(self, api: ResourceApi) -> None:
        api("PostApps", apps=[{"id": "app"}])
        assert api("MyScopes", app_id="app").app.id == "app"
        assert not api("MyScopes", app_id="other").HasField("app")
