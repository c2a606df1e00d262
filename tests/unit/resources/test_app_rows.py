"""Tests that apps exist once they are posted, or mentioned where that is chosen."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal


class TestApps:
    def test_getting_one_that_is_not_there_creates_nothing(self, api: ResourceApi) -> None:
        assert refusal(api, "GetApp", app_id="fresh")[0] == StatusCode.CONN_DOES_NOT_EXIST
        assert api("ListApps").apps == []

    def test_where_that_is_chosen_getting_one_creates_it(self) -> None:
        api = ResourceApi(behaviour=Behaviour(apps="on-mention"))
        assert api("GetApp", app_id="fresh").app.name == "fresh"
        assert [each.id for each in api("ListApps").apps] == ["fresh"]

        code, message = refusal(api, "GetApp", user_id="bob", app_id="fresh")
        assert code == StatusCode.CONN_DOES_NOT_EXIST
        assert message == "app identified by path /users/bob/apps/fresh not found"
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

    def test_without_a_wish_the_one_changed_last_is_first(self, api: ResourceApi) -> None:
        for name in ("one", "two"):
            api.app(name)
        api("PatchApps", apps=[{"id": "one", "description": "new"}], action="overwrite")
        assert [each.id for each in api("ListApps").apps] == ["one", "two"]
        assert [each.id for each in api("ListApps", sort_ascending=True).apps] == ["two", "one"]
        for name in ("a", "b"):
            api.model(name, "one")
        api("PatchModels", app_id="one", models=[{"id": "a", "description": "new"}], action="overwrite")
        assert [each.id for each in api("ListModels", app_id="one").models] == ["a", "b"]

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
