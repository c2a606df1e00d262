"""Tests the default workflow of an app, new ids of workflows, and what ``remove`` may take out."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal


@pytest.fixture
def api() -> ResourceApi:
    api = ResourceApi()
    api.model()
    api.version()
    nodes = [{"id": "a", "model": {"id": "model"}}]
    api("PostWorkflows", app_id="app", workflows=[{"id": name, "nodes": nodes} for name in ("flow", "other")])
    return api


def set_default(api: ResourceApi, **workflow: str) -> None:
    api("PatchApps", apps=[{"id": "app", "default_workflow": workflow}], action="overwrite")


class TestTheDefaultOne:
    def test_it_is_shown_where_no_id_is_given(self, api: ResourceApi) -> None:
        set_default(api, id="other")
        assert api("GetWorkflow", app_id="app").workflow.id == "other"

    def test_it_may_be_that_of_another_app(self, api: ResourceApi) -> None:
        api.app("second")
        api(
            "PatchApps",
            apps=[{"id": "second", "default_workflow": {"id": "flow", "app_id": "app"}}],
            action="merge",
        )
        assert api("GetWorkflow", app_id="second").workflow.app_id == "app"

    def test_an_app_that_has_none(self, api: ResourceApi) -> None:
        assert refusal(api, "GetWorkflow", app_id="app") == (
            StatusCode.CONN_DOES_NOT_EXIST,
            "The request names no workflow, and app 'app' has no default one. Give workflow_id, or set the app's "
            "default_workflow.",
        )

    def test_one_that_is_not_here(self, api: ResourceApi) -> None:
        set_default(api, id="Universal", user_id="clarifai", app_id="main")
        code, text = refusal(api, "GetWorkflow", app_id="app")
        assert code == StatusCode.CONN_DOES_NOT_EXIST
        assert text == "Workflow 'Universal' does not exist for user 'clarifai' in app 'main'."

    def test_an_app_that_is_not_there(self, api: ResourceApi) -> None:
        code, text = refusal(api, "GetWorkflow", app_id="gone")
        assert (code, text) == (
            StatusCode.CONN_DOES_NOT_EXIST,
            "app identified by path /users/ada/apps/gone not found There is 'app'.",
        )


class TestRemove:
    def test_it_takes_the_image_out(self, api: ResourceApi) -> None:
        image = {"url": "https://example.com/a.png"}
        for action, url in (("merge", "https://example.com/a.png"), ("remove", "")):
            given = [{"id": "flow", "image": image}]
            patched = api("PatchWorkflows", app_id="app", workflows=given, action=action).workflows[0]
            assert patched.image.url == url

    def test_and_nothing_else(self, api: ResourceApi) -> None:
        given: list[Any] = [{"id": "flow", "nodes": [{"id": "a"}]}]
        assert refusal(api, "PatchWorkflows", app_id="app", workflows=given, action="remove") == (
            StatusCode.WORKFLOW_INVALID_ARGUMENT,
            "workflows[0].nodes: the action 'remove' takes out the image alone. Send the nodes that should "
            "stay with 'overwrite'.",
        )


class TestNewIds:
    def rename(self, api: ResourceApi, new: str, action: str = "overwrite", old: str = "flow") -> Any:
        return api("PatchWorkflowIds", app_id="app", ids=[{"id": old, "new_id": new}], action=action)

    def test_the_workflow_goes_with_its_versions_and_as_the_default_one(self, api: ResourceApi) -> None:
        set_default(api, id="flow")
        nodes = [{"id": "b", "model": {"id": "model"}}]
        given = [{"id": "flow", "nodes": nodes}]
        newest = api("PatchWorkflows", app_id="app", workflows=given, action="overwrite").workflows[0].version.id
        renamed = self.rename(api, "renamed").workflows[0]
        assert (renamed.id, renamed.version.id, renamed.version.workflow_id) == ("renamed", newest, "renamed")
        listed = api("ListWorkflowVersions", app_id="app", workflow_id="renamed").workflow_versions
        assert [each.nodes[0].id for each in listed] == ["b", "a"]
        assert api.store.count(Kind.WORKFLOW_VERSION, ("ada", "app", "flow")) == 0
        assert api("GetWorkflow", app_id="app").workflow.id == "renamed"

    @pytest.mark.parametrize(
        ("new", "action", "code", "text"),
        [
            ("other", "overwrite", StatusCode.DATABASE_DUPLICATE_KEY,
             "ids[0].new_id: workflow 'other' already exists; choose another id, or delete that one."),
            ("a b", "overwrite", StatusCode.WORKFLOW_INVALID_ARGUMENT,
             "ids[0].new_id: 'a b' is not a valid id: use letters, digits, '-' and '_'."),
            ("new", "merge", StatusCode.WORKFLOW_INVALID_ARGUMENT,
             "Invalid action: Unrecognized action 'merge'. Supported actions: overwrite"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, api: ResourceApi, new: str, action: str, code: int, text: str) -> None:
        ids = [{"id": "flow", "new_id": new}]
        assert refusal(api, "PatchWorkflowIds", app_id="app", ids=ids, action=action) == (code, text)

    def test_one_at_a_time(self, api: ResourceApi) -> None:
        code, text = refusal(api, "PatchWorkflowIds", app_id="app", ids=[], action="overwrite")
        assert (code, text) == (
            StatusCode.WORKFLOW_INVALID_ARGUMENT,
            "ids has 0 entries; PatchWorkflowIds takes 1. Send one request for each workflow.",
        )

    def test_another_users_is_not_renamed(self, api: ResourceApi) -> None:
        ids = [{"id": "flow", "new_id": "mine"}]
        code, _ = refusal(api, "PatchWorkflowIds", "bob", user_id="ada", app_id="app", ids=ids, action="overwrite")
        assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
