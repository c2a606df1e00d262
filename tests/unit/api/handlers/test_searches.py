"""Searching models and apps: listings that are asked for with a query message."""

from __future__ import annotations

from typing import Any

from resource_api import ResourceApi


def found(api: ResourceApi, rpc: str, _user: str = "ada", **fields: Any) -> list[str]:
    answer = api(rpc, _user, **fields)
    return [each.id for each in (answer.models if rpc == "PostModelsSearches" else answer.apps)]


def test_models_by_text_and_type(api: ResourceApi) -> None:
    api.model("cat-finder", model_type_id="visual-classifier")
    api.model("dog-finder", model_type_id="text-to-text")
    search = "PostModelsSearches"
    assert found(api, search, model_query={"name": "Finder"}) == ["dog-finder", "cat-finder"]
    assert found(api, search, model_query={"name": "cat"}) == ["cat-finder"]
    assert found(api, search, model_query={"model_type_id": "text-to-text"}) == ["dog-finder"]
    assert found(api, search, pagination={"page": 2, "per_page": 1}) == ["cat-finder"]
    assert api(search, pagination={"page": 3, "per_page": 1}).ListFields() == []


def test_apps_by_text(api: ResourceApi) -> None:
    for app in ("search", "chat"):
        api("PostApps", apps=[{"id": app}])
    assert found(api, "PostAppsSearches", app_query={"name": "sea"}) == ["search"]


def test_nobody_finds_what_they_may_not_see(api: ResourceApi) -> None:
    api.model("secret-model")
    assert found(api, "PostModelsSearches", "bob", user_id="ada", model_query={"name": "secret"}) == []
