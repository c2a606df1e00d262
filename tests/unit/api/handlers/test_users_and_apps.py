"""Users exist once they call or own something; apps once they are mentioned."""

from __future__ import annotations

from typing import Any

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


class TestApps:
    def test_getting_one_that_is_not_there_creates_it(self, api: ResourceApi) -> None:
        assert api("GetApp", app_id="fresh").app.name == "fresh"
        assert [each.id for each in api("ListApps").apps] == ["fresh"]

    def test_but_not_another_users(self, api: ResourceApi) -> None:
        code, message = refusal(api, "GetApp", user_id="bob", app_id="fresh")
        assert code == StatusCode.CONN_DOES_NOT_EXIST
        assert message == "App 'fresh' does not exist for user 'bob'."

    def test_nor_one_with_an_id_that_is_not_valid(self, api: ResourceApi) -> None:
        assert "'a b' is not a valid id" in refusal(api, "GetApp", app_id="a b")[1]

    def test_listing_its_models_does_not_create_it(self, api: ResourceApi) -> None:
        code, _ = refusal(api, "ListModels", app_id="fresh")
        assert code == StatusCode.CONN_DOES_NOT_EXIST

    def test_filters(self, api: ResourceApi) -> None:
        api("PostApps", apps=[{"id": "one", "name": "First"}, {"id": "two", "visibility": {"gettable": 50}}])

        def listed(**fields: Any) -> list[str]:
            return [each.id for each in api("ListApps", **fields).apps]

        assert listed(name="first") == ["one"]
        assert listed(id="two") == ["two"]
        assert listed(visibility={"gettable": 50}) == ["two"]
        assert listed(sort_by_id=True, sort_ascending=True) == ["one", "two"]

    def test_patch_one(self, api: ResourceApi) -> None:
        api.clock.seconds += 1
        api("PostApps", apps=[{"id": "app", "description": "old"}])
        patched = api("PatchApp", app_id="app", app={"id": "app", "description": "new"}, action="overwrite").app
        assert (patched.id, patched.description) == ("app", "new")
        by_path = api("PatchApp", app_id="app", app={"description": "newer"}, action="overwrite").app
        assert (by_path.id, by_path.description) == ("app", "newer")

    def test_delete_takes_the_models_along(self, api: ResourceApi) -> None:
        api.model()
        api.version()
        api("DeleteApp", app_id="app")
        for kind in (Kind.APP, Kind.MODEL, Kind.MODEL_VERSION):
            assert api.store.count(kind) == 0
