"""Tests that workflows are made of models that are there, and that every save of nodes is a version."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Model, ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal


def node(name: str, model: Any = "model", *inputs: str, **fields: Any) -> dict[str, Any]:
    given = {"id": model} if isinstance(model, str) else model
    return {"id": name, "model": given, "node_inputs": [{"node_id": each} for each in inputs], **fields}


@pytest.fixture
def api() -> ResourceApi:
    api = ResourceApi()
    for name in ("model", "other"):
        api.model(name)
        api.version(name)
    return api


def post(api: ResourceApi, *nodes: Any, workflow_id: str = "flow", **fields: Any) -> Any:
    given = [{"id": workflow_id, "nodes": nodes, **fields}]
    return api("PostWorkflows", app_id="app", workflows=given).workflows[0]


def patch(api: ResourceApi, action: str = "overwrite", **fields: Any) -> Any:
    given = [{"id": "flow", **fields}]
    return api("PatchWorkflows", app_id="app", workflows=given, action=action).workflows[0]


def refused(api: ResourceApi, *nodes: Any) -> tuple[int, str]:
    return refusal(api, "PostWorkflows", app_id="app", workflows=[{"id": "flow", "nodes": nodes}])


def versions(api: ResourceApi, **fields: Any) -> list[Any]:
    asked = {"app_id": "app", "workflow_id": "flow", **fields}
    return list(api("ListWorkflowVersions", **asked).workflow_versions)


class TestWhatIsMade:
    def test_only_the_ids_of_a_model_are_kept_and_the_whole_model_is_shown(self, api: ResourceApi) -> None:
        api("PatchModels", app_id="app", models=[{"id": "model", "notes": "n"}], action="overwrite")
        made = post(api, node("a", {"id": "model", "notes": "of the client", "model_version": {"license": "l"}}))
        shown = made.nodes[0].model
        assert (shown.user_id, shown.app_id, shown.id, shown.notes) == ("ada", "app", "model", "n")
        assert shown.model_version.status.code == StatusCode.MODEL_TRAINED
        kept = api.store.get(Kind.WORKFLOW, ("ada", "app", "flow"))
        assert kept is not None
        assert kept.nodes[0].model == Model(user_id="ada", app_id="app", id="model")

    def test_everything_else_of_a_node_is_kept(self, api: ResourceApi) -> None:
        made = post(
            api,
            node("a", suppress_output=True, output_info_override={"params": {"temperature": 0.5}}),
            node("b", "other", "a"),
            description="d",
            notes="n",
            metadata={"team": "blue"},
        )
        assert made.nodes[0].suppress_output
        assert made.nodes[0].output_info_override.params["temperature"] == 0.5
        assert [each.node_id for each in made.nodes[1].node_inputs] == ["a"]
        assert (made.description, made.notes, made.metadata["team"]) == ("d", "n", "blue")

    def test_a_node_without_a_version_follows_the_newest_one(self, api: ResourceApi) -> None:
        first = post(api, node("a")).nodes[0].model.model_version.id
        newest = api.version()
        assert newest != first
        shown = api("GetWorkflow", app_id="app", workflow_id="flow").workflow
        assert shown.nodes[0].model.model_version.id == newest

    def test_a_node_with_a_version_stays_with_it(self, api: ResourceApi) -> None:
        old = api("GetModel", app_id="app", model_id="model").model.model_version.id
        api.version()
        made = post(api, node("a", {"id": "model", "model_version": {"id": old}}))
        assert made.nodes[0].model.model_version.id == old
        assert made.nodes[0].model.model_version.status.code == StatusCode.MODEL_TRAINED

    def test_nodes_are_put_behind_their_inputs(self, api: ResourceApi) -> None:
        made = post(api, node("last", "model", "first"), node("first"))
        assert [each.id for each in made.nodes] == ["first", "last"]
        assert [each.id for each in versions(api)[0].nodes] == ["first", "last"]

    def test_a_model_without_user_and_app_is_that_of_the_app_or_else_clarifais_own(self, api: ResourceApi) -> None:
        api.app("main", "clarifai", visibility={"gettable": 50})
        public = {"visibility": {"gettable": 50}}
        for name in ("model", "general"):
            api.model(name, "main", "clarifai", **public)
            api.version(name, "main", "clarifai", **public)
        made = post(api, node("a"), node("b", "general"))
        assert [(each.model.user_id, each.model.id) for each in made.nodes] == [
            ("ada", "model"),
            ("clarifai", "general"),
        ]

    def test_me_is_the_owner(self, api: ResourceApi) -> None:
        assert (
            post(api, node("a", {"user_id": "me", "app_id": "app", "id": "model"})).nodes[0].model.user_id == "ada"
        )


class TestWhatIsRefused:
    def test_every_problem_is_said_at_once(self, api: ResourceApi) -> None:
        code, text = refused(api, node("a", "modell"), node("a", "other", "b"))
        assert code == StatusCode.WORKFLOW_INVALID_GRAPH
        assert "workflows[0].nodes[1].id: 'a' is the id of nodes[0], too" in text
        assert "workflows[0].nodes[1].node_inputs[0].node_id: no node of this workflow has the id 'b'" in text
        assert (
            "workflows[0].nodes[0].model: the model ada/app/models/modell of node 'a' does not exist; deploy or "
            "upload it first, or have a stand-in answer in its place"
        ) in text
        assert api.store.count(Kind.WORKFLOW) == api.store.count(Kind.WORKFLOW_VERSION) == 0

    def test_no_nodes_and_too_many(self, api: ResourceApi) -> None:
        code, text = refused(api)
        assert (code, text) == (
            StatusCode.WORKFLOW_INVALID_ARGUMENT,
            "workflows[0].nodes: a workflow needs at least one node; give each node an id and a model.",
        )
        code, text = refused(api, *(node(f"n{each}", "nothing") for each in range(200)))
        assert (code, text) == (
            StatusCode.WORKFLOW_INVALID_ARGUMENT,
            "workflows[0].nodes: 200 are given, at most 20 are allowed; make several workflows.",
        )

    def test_a_circle(self, api: ResourceApi) -> None:
        code, text = refused(api, node("a", "model", "b"), node("b", "other", "a"))
        assert (code, text) == (
            StatusCode.WORKFLOW_INVALID_GRAPH,
            "workflows[0].nodes: b → a → b is a circle: each would wait for the others; take one of these "
            "node_inputs out.",
        )

    def test_a_model_or_version_that_is_not_there(self, api: ResourceApi) -> None:
        assert refused(api, node("a", "gone"))[0] == StatusCode.MODEL_DOES_NOT_EXIST
        code, text = refused(api, node("a", {"id": "model", "model_version": {"id": "gone"}}))
        assert (code, text) == (
            StatusCode.MODEL_DOES_NOT_EXIST,
            "workflows[0].nodes[0].model.model_version.id: the model ada/app/models/model of node 'a' has no "
            "version 'gone'; leave it out for the newest.",
        )

    def test_a_model_of_somebody_else_that_is_private(self, api: ResourceApi) -> None:
        api.model("secret", "app", "bob")
        api.version("secret", "app", "bob")
        code, text = refused(api, node("a", {"user_id": "bob", "app_id": "app", "id": "secret"}))
        assert code == StatusCode.MODEL_DOES_NOT_EXIST
        assert "the model bob/app/models/secret of node 'a' does not exist" in text

    @pytest.mark.parametrize("pinned", [False, True])
    def test_a_model_that_is_not_built(self, api: ResourceApi, pinned: bool) -> None:
        api.model("new")
        code, text = refused(api, node("a", "new"))
        assert code == StatusCode.WORKFLOW_REQUIRE_TRAINED_MODEL
        assert "the model ada/app/models/new of node 'a' has no version; upload or deploy it" in text
        version = ModelVersion(id="v", status={"code": StatusCode.MODEL_BUILDING, "description": "being built"})
        api.store.put(Kind.MODEL_VERSION, ("ada", "app", "new", "v"), version)
        code, text = refused(api, node("a", {"id": "new", "model_version": {"id": "v" if pinned else ""}}))
        assert code == StatusCode.WORKFLOW_REQUIRE_TRAINED_MODEL
        assert "of node 'a' is not built: being built; upload or deploy it, and save the workflow then" in text

    def test_all_or_none(self, api: ResourceApi) -> None:
        with pytest.raises(CallerError):
            api(
                "PostWorkflows",
                app_id="app",
                workflows=[{"id": "good", "nodes": [node("a")]}, {"id": "bad", "nodes": [node("a", "gone")]}],
            )
        assert api.store.count(Kind.WORKFLOW) == 0

    def test_a_refusal_leaves_nothing_for_the_next_save(self, api: ResourceApi) -> None:
        good = node("a"), node("b", "other", "a")
        for _ in range(2):
            assert refused(api, node("a", "model", "b"), node("b", "other", "a"))[0]
            post(api, *good)
            api("DeleteWorkflow", app_id="app", workflow_id="flow")

    def test_an_id_that_is_taken_says_so_in_the_words_that_the_sdk_looks_for(self, api: ResourceApi) -> None:
        post(api, node("a"))
        code, text = refused(api, node("b"))
        assert (code, "already exists" in text) == (StatusCode.DATABASE_DUPLICATE_KEY, True)
        assert [each.id for each in versions(api)[0].nodes] == ["a"]

    def test_a_workflow_whose_model_is_deleted_is_still_shown_and_described(self, api: ResourceApi) -> None:
        post(api, node("a"))
        api("DeleteModel", app_id="app", model_id="model")
        assert patch(api, description="d").nodes[0].model == Model(user_id="ada", app_id="app", id="model")
        with pytest.raises(CallerError, match="models/model of node 'a' does not exist"):
            patch(api, nodes=[node("a")])


class TestVersions:
    def test_each_save_of_nodes_makes_one_and_other_changes_make_none(self, api: ResourceApi) -> None:
        made = post(api, node("a"))
        assert made.version.workflow_id == "flow"
        assert list(made.version.nodes) == []  # they stand in the workflow itself
        assert patch(api, description="new").version.id == made.version.id
        patched = patch(api, nodes=[node("b", "other")])
        assert patched.version.id != made.version.id
        assert [each.id for each in patched.nodes] == ["b"]
        assert [[at.id for at in each.nodes] for each in versions(api)] == [["b"], ["a"]]
        assert patched.description == "new"

    def test_merge_adds_nodes_and_replaces_those_with_the_same_id(self, api: ResourceApi) -> None:
        post(api, node("a"), node("b"))
        patched = patch(api, "merge", nodes=[node("c", "model", "b"), node("a", "other")])
        assert [(each.id, each.model.id) for each in patched.nodes] == [
            ("a", "other"),
            ("b", "model"),
            ("c", "model"),
        ]

    def test_a_patch_that_makes_no_graph_changes_nothing(self, api: ResourceApi) -> None:
        post(api, node("a"))
        with pytest.raises(CallerError, match="a → a is a circle"):
            patch(api, nodes=[node("a", "model", "a")])
        with pytest.raises(CallerError, match="21 are given"):
            patch(api, "merge", nodes=[node(f"n{each}") for each in range(20)])
        assert len(versions(api)) == 1

    def test_without_the_newest_version_the_one_before_it_is_shown_and_patched(self, api: ResourceApi) -> None:
        post(api, node("a"))
        newest = patch(api, nodes=[node("b")]).version.id
        api("DeleteWorkflowVersions", app_id="app", workflow_id="flow", workflow_version_ids=[newest])
        shown = api("GetWorkflow", app_id="app", workflow_id="flow").workflow
        assert [each.id for each in shown.nodes] == ["a"]
        assert [each.id for each in patch(api, "merge", nodes=[node("c")]).nodes] == ["a", "c"]

    def test_the_last_version_may_go(self, api: ResourceApi) -> None:
        only = post(api, node("a")).version.id
        api("DeleteWorkflowVersions", app_id="app", workflow_id="flow", workflow_version_ids=[only])
        shown = api("GetWorkflow", app_id="app", workflow_id="flow").workflow
        assert (list(shown.nodes), shown.HasField("version")) == ([], False)
        assert patch(api, nodes=[node("b")]).nodes[0].id == "b"

    def test_a_version_is_read_and_its_words_changed_but_not_its_nodes(self, api: ResourceApi) -> None:
        version_id = post(api, node("a")).version.id
        asked = {"app_id": "app", "workflow_id": "flow"}
        given = [{"id": version_id, "description": "d", "license": "l", "nodes": [node("b")]}]
        api("PatchWorkflowVersions", **asked, workflow_versions=given, action="merge")
        version = api("GetWorkflowVersion", **asked, workflow_version_id=version_id).workflow_version
        assert (version.description, version.license, version.nodes[0].id) == ("d", "l", "a")
        assert (version.workflow_id, version.app_id, version.user_id) == ("flow", "app", "ada")

    def test_it_is_deprecated_when_a_version_that_it_names_is_gone(self, api: ResourceApi) -> None:
        pinned = api.version()
        post(api, node("a", {"id": "model", "model_version": {"id": pinned}}))
        assert not versions(api)[0].is_deprecated
        api("DeleteModelVersion", app_id="app", model_id="model", version_id=pinned)
        assert versions(api)[0].is_deprecated
        assert versions(api)[0].nodes[0].model.model_version.id == pinned

    def test_deleting_the_workflow_takes_them_along(self, api: ResourceApi) -> None:
        post(api, node("a"))
        patch(api, nodes=[node("b")])
        api("DeleteWorkflow", app_id="app", workflow_id="flow")
        assert api.store.count(Kind.WORKFLOW) == api.store.count(Kind.WORKFLOW_VERSION) == 0
        assert refusal(api, "GetWorkflow", app_id="app", workflow_id="flow")[0] == StatusCode.CONN_DOES_NOT_EXIST

    def test_an_edit_that_assigns_the_same_nodes_makes_none(self, api: ResourceApi) -> None:
        from clarifai_grpc.grpc.api.resources_pb2 import Workflow

        post(api, node("a"))
        for name, count in (("a", 1), ("b", 2)):
            given = Workflow(id="flow", nodes=[node(name)])  # pyright: ignore[reportArgumentType]
            api.resources.assign(Kind.WORKFLOW, "ada", ("app",), given, {"nodes"})
            assert len(versions(api)) == count


class TestWhoSeesWhat:
    def test_a_public_workflow_is_seen_with_the_ids_of_models_that_are_private(self, api: ResourceApi) -> None:
        api("PatchApps", apps=[{"id": "app", "visibility": {"gettable": 50}}], action="overwrite")
        api("PatchModels", app_id="app", models=[{"id": "model", "notes": "secret"}], action="overwrite")
        post(api, node("a"), visibility={"gettable": 50})
        seen = api("GetWorkflow", "bob", user_id="ada", app_id="app", workflow_id="flow").workflow
        assert seen.nodes[0].model == Model(user_id="ada", app_id="app", id="model")
        assert [each.id for each in api("ListWorkflows", "bob", user_id="ada", app_id="app").workflows] == ["flow"]

    def test_a_private_one_is_not(self, api: ResourceApi) -> None:
        post(api, node("a"))
        code, _ = refusal(api, "GetWorkflow", "bob", user_id="ada", app_id="app", workflow_id="flow")
        assert code == StatusCode.CONN_DOES_NOT_EXIST


class TestListing:
    def test_filters_and_orders(self, api: ResourceApi) -> None:
        for name, description in (("general-one", "satisfied people"), ("faces", "Finds faces in a general way")):
            post(api, node("a"), workflow_id=name, description=description)

        def listed(**fields: Any) -> list[str]:
            return [each.id for each in api("ListWorkflows", app_id="app", **fields).workflows]

        assert listed() == ["faces", "general-one"]
        assert listed(id="gen*") == ["general-one"]
        assert listed(search="gener") == ["faces", "general-one"]
        assert listed(search="satis peo") == ["general-one"]
        assert listed(search="atis") == []
        assert listed(search_term="find") == ["faces"]
        assert listed(query="aces in") == ["faces"]
        assert listed(visibility={"gettable": 50}) == []
        assert listed(sort_by_id=True, sort_ascending=True) == ["faces", "general-one"]
        assert listed(sort_by_id=True) == ["general-one", "faces"]
        code, text = refusal(api, "ListWorkflows", app_id="app", starred_only=True)
        assert (code, "starred_only" in text) == (StatusCode.NOT_IMPLEMENTED, True)

    def test_the_one_that_was_changed_last_is_first(self, api: ResourceApi) -> None:
        for name in ("flow", "second"):
            post(api, node("a"), workflow_id=name)
        patch(api, notes="n")
        assert [each.id for each in api("ListWorkflows", app_id="app").workflows] == ["flow", "second"]
