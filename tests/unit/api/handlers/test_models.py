"""Models and model versions."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal

PUBLIC = {"gettable": 50}


class TestModels:
    def test_what_the_server_fills(self, api: ResourceApi) -> None:
        model = api.model("echo", model_type_id="any-to-any", version_count=9)
        assert (model.name, model.app_id, model.user_id) == ("echo", "app", "ada")
        assert model.version_count == 0
        assert not model.HasField("model_version")

    def test_both_fields_of_the_request_count(self, api: ResourceApi) -> None:
        api.app()
        assert api("PostModels", app_id="app", model={"id": "one"}, models=[{"id": "two"}]).model.id == "one"
        assert [each.id for each in api("ListModels", app_id="app").models] == ["two", "one"]

    def test_an_app_that_is_only_mentioned_is_not_created(self, api: ResourceApi) -> None:
        code, message = refusal(api, "PostModels", app_id="fresh", models=[{"id": "echo"}])
        assert code == StatusCode.CONN_DOES_NOT_EXIST
        assert "fresh" in message
        assert api.store.count(Kind.APP) == api.store.count(Kind.MODEL) == 0

    def test_where_that_is_chosen_an_app_that_is_mentioned_is_created(self) -> None:
        api = ResourceApi(behaviour=Behaviour(apps="on-mention"))
        api("PostModels", app_id="fresh", models=[{"id": "echo"}])
        assert api.store.get(Kind.APP, ("ada", "fresh")).visibility.gettable == 10  # pyright: ignore[reportOptionalMemberAccess]

    def test_not_even_an_app_is_left_of_a_model_that_is_refused(self) -> None:
        api = ResourceApi(behaviour=Behaviour(apps="on-mention"))
        code, message = refusal(api, "PostModels", app_id="fresh", models=[{"id": "has.dot"}])
        assert code == StatusCode.MODEL_INVALID_ARGUMENT
        assert "models[0].id: 'has.dot' is not a valid id" in message
        assert api.store.count(Kind.APP) == 0

    def test_one_that_does_not_exist_is_answered_as_the_platform_does(self, api: ResourceApi) -> None:
        expected = (StatusCode.MODEL_DOES_NOT_EXIST, "Model 'none' does not exist.")
        assert refusal(api, "GetModel", app_id="app", model_id="none") == expected
        assert refusal(api, "GetModelVersion", app_id="app", model_id="none") == expected
        api.model("private")
        hidden = (StatusCode.MODEL_DOES_NOT_EXIST, "Model 'private' does not exist.")
        assert refusal(api, "GetModel", "bob", user_id="ada", app_id="app", model_id="private") == hidden

    def test_it_comes_with_its_newest_version_or_the_one_that_is_asked_for(self, api: ResourceApi) -> None:
        api.model()
        old, new = api.version(), api.version()
        model = api("GetModel", app_id="app", model_id="model").model
        assert (model.model_version.id, model.version_count) == (new, 2)
        asked = api("GetModel", app_id="app", model_id="model", version_id=old).model
        assert asked.model_version.id == old
        code, _ = refusal(api, "GetModel", app_id="app", model_id="model", version_id="f" * 32)
        assert code == StatusCode.MODEL_DOES_NOT_EXIST
        assert api("ListModels", app_id="app").models[0].model_version.id == new

    def test_a_public_model_in_a_public_app_is_everybodys(self, api: ResourceApi) -> None:
        api("PostApps", apps=[{"id": "app", "visibility": PUBLIC}])
        api.model(visibility=PUBLIC)
        version = api.version(visibility=PUBLIC)
        ids = {"user_id": "ada", "app_id": "app", "model_id": "model"}
        assert api("GetModel", "bob", **ids).model.model_version.id == version
        assert api("GetModelVersion", "bob", **ids).model_version.id == version
        assert len(api("ListModelVersions", "bob", **ids).model_versions) == 1
        assert refusal(api, "PostModelVersions", "bob", **ids)[0] == StatusCode.CONN_INSUFFICIENT_SCOPES

    def test_a_public_model_in_a_private_app_is_not(self, api: ResourceApi) -> None:
        api.model(visibility=PUBLIC)
        code, _ = refusal(api, "GetModel", "bob", user_id="ada", app_id="app", model_id="model")
        assert code == StatusCode.MODEL_DOES_NOT_EXIST

    def test_filters_and_order(self, api: ResourceApi) -> None:
        for name, kind in (("beta", "text"), ("alpha", "image"), ("gamma", "text")):
            api.model(name, model_type_id=kind, description=f"about {name}")
        version = api.version("beta")

        def listed(**fields: Any) -> list[str]:
            return [each.id for each in api("ListModels", **fields).models]

        assert listed() == ["gamma", "alpha", "beta"]
        assert listed(model_type_id="text") == ["gamma", "beta"]
        assert listed(name="AL*") == ["alpha"]
        assert listed(query="about g") == ["gamma"]
        assert listed(search="zzz") == []
        assert listed(model_version_ids=[version]) == ["beta"]
        assert listed(trained_only=True) == ["beta"]
        assert listed(visibility={"gettable": 50}) == []
        assert listed(sort_by_name=True, sort_ascending=True) == ["alpha", "beta", "gamma"]
        assert listed(sort_by_name=True) == ["gamma", "beta", "alpha"]
        assert listed(sort_ascending=True) == ["beta", "alpha", "gamma"]
        assert listed(app_id="app", additional_fields=["all"], filter_by_user_id=True, per_page=1) == ["gamma"]

    @pytest.mark.parametrize("action", ["merge", "overwrite"])
    def test_patch(self, api: ResourceApi, action: str) -> None:
        api.model(notes="kept")
        api("PatchModels", app_id="app", models=[{"id": "model", "visibility": PUBLIC}], action=action)
        model = api("GetModel", app_id="app", model_id="model").model
        assert (model.visibility.gettable, model.notes) == (50, "kept")

    def test_delete(self, api: ResourceApi) -> None:
        for name in ("one", "two", "three"):
            api.model(name)
            api.version(name)
        api("DeleteModel", app_id="app", model_id="one")
        api("DeleteModels", app_id="app", ids=["two"])
        assert [each.id for each in api("ListModels").models] == ["three"]
        assert api.store.count(Kind.MODEL_VERSION) == 1
        api("DeleteModels", app_id="app", delete_all=True)
        assert api.store.count(Kind.MODEL) == 0


class TestVersions:
    @pytest.fixture(autouse=True)
    def _model(self, api: ResourceApi) -> None:
        api.model()

    def get(self, api: ResourceApi, version_id: str = "") -> Any:
        return api("GetModelVersion", app_id="app", model_id="model", version_id=version_id).model_version

    def test_a_new_one_is_trained_and_has_an_id(self, api: ResourceApi) -> None:
        answer = api("PostModelVersions", app_id="app", model_id="model", model_versions=[{}], description="first")
        version = answer.model.model_version
        assert answer.model.id == "model"
        assert len(version.id) == 32
        assert (version.app_id, version.user_id, version.description) == ("app", "ada", "first")
        assert version.status.code == 21100
        assert version.status.description == "Model is trained and ready for deployment"
        assert self.get(api, version.id) == version

    def test_a_given_status_stays(self, api: ResourceApi) -> None:
        version = api.version(status={"code": StatusCode.MODEL_BUILDING})
        assert self.get(api, version).status.code == StatusCode.MODEL_BUILDING
        assert not self.get(api, version).HasField("completed_at")

    def test_without_an_id_the_newest_is_got(self, api: ResourceApi) -> None:
        code, _ = refusal(api, "GetModelVersion", app_id="app", model_id="model")
        assert code == StatusCode.MODEL_DOES_NOT_EXIST
        api.version()
        newest = api.version()
        assert self.get(api).id == newest

    def test_a_model_that_does_not_exist(self, api: ResourceApi) -> None:
        assert refusal(api, "PostModelVersions", app_id="app", model_id="none", model_versions=[{}]) == (
            StatusCode.MODEL_DOES_NOT_EXIST,
            "Model 'none' does not exist.",
        )

    def test_they_are_listed_newest_first(self, api: ResourceApi) -> None:
        old, new = api.version(), api.version(status={"code": StatusCode.MODEL_BUILDING})

        def listed(**fields: Any) -> list[str]:
            answer = api("ListModelVersions", app_id="app", model_id="model", **fields)
            return [each.id for each in answer.model_versions]

        assert listed() == [new, old]
        assert listed(sort_ascending=True) == [old, new]
        assert listed(trained_only=True) == [old]
        assert listed(sort_by_status_code=True) == [new, old]
        assert listed(page=2) == []

    def test_accelerator_types_without_a_number_are_refused(self, api: ResourceApi) -> None:
        version = {"inference_compute_info": {"accelerator_type": ["NVIDIA-L4"]}}
        code, message = refusal(api, "PostModelVersions", app_id="app", model_id="model", model_versions=[version])
        assert code == StatusCode.MODEL_INVALID_ARGUMENT
        assert "NVIDIA-L4 is given but num_accelerators is 0; set num_accelerators" in message

    def test_accelerator_types_of_an_existing_version_stay(self, api: ResourceApi) -> None:
        needs = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-L4"]}
        version = api.version(inference_compute_info=needs)

        def patch(**info: Any) -> Any:
            item = {"id": version, "inference_compute_info": info}
            return {"app_id": "app", "model_id": "model", "model_versions": [item], "action": "merge"}

        [patched] = api(
            "PatchModelVersions", **patch(num_accelerators=2, accelerator_type=["NVIDIA-L4"])
        ).model_versions
        assert patched.inference_compute_info.num_accelerators == 2
        code, message = refusal(api, "PatchModelVersions", **patch(accelerator_type=["NVIDIA-T4"]))
        assert code == StatusCode.MODEL_INVALID_ARGUMENT
        assert "cannot change from NVIDIA-L4 on an existing version; upload a new version" in message

    def test_delete(self, api: ResourceApi) -> None:
        version = api.version()
        api.store.put(Kind.SOURCE, ("ada", "app", "model", version), object())
        api("DeleteModelVersion", app_id="app", model_id="model", version_id=version)
        assert api.store.count(Kind.MODEL_VERSION) == 0
        assert api.store.count(Kind.SOURCE) == 0


class TestClarifaisOwn:
    @pytest.fixture
    def published(self, api: ResourceApi) -> ResourceApi:
        api.app()
        api.app("main", "clarifai", visibility=PUBLIC)
        api.model("faces", "main", "clarifai", visibility=PUBLIC)
        api.version("faces", "main", "clarifai", visibility=PUBLIC, id="v1")
        return api

    def test_it_is_shown_where_the_callers_app_has_no_model_of_this_id(self, published: ResourceApi) -> None:
        shown = published("GetModel", app_id="app", model_id="faces", version_id="v1").model
        assert (shown.user_id, shown.app_id, shown.model_version.id) == ("clarifai", "main", "v1")

    def test_the_callers_own_comes_first(self, published: ResourceApi) -> None:
        published.model("faces")
        assert published("GetModel", app_id="app", model_id="faces").model.user_id == "ada"

    @pytest.mark.parametrize("asked", [{"user_id": "bob", "app_id": "app"}, {}])
    def test_not_for_another_users_app_nor_without_an_app(self, published: ResourceApi, asked: Any) -> None:
        published.app("app", "bob", visibility=PUBLIC)
        assert refusal(published, "GetModel", model_id="faces", **asked)[0] == StatusCode.MODEL_DOES_NOT_EXIST

    def test_one_that_is_private_is_not_shown(self, published: ResourceApi) -> None:
        given = [{"id": "faces", "visibility": {"gettable": 10}}]
        published("PatchModels", "clarifai", app_id="main", models=given, action="overwrite")
        assert refusal(published, "GetModel", app_id="app", model_id="faces")[0] == StatusCode.MODEL_DOES_NOT_EXIST
