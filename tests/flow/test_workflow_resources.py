"""Workflows as resources: the unmodified SDK makes, lists, exports, changes and deletes them; over REST; over a
restart; for several users at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client.app import App
from clarifai.client.user import User
from clarifai.client.workflow import Workflow
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, running
from flow.test_rest import Rest

IN_APP = {"user_id": "me", "app_id": "flows"}
DETECTOR = {"id": "detector", "model": {"model_id": "faces"}}
CROPPER = {"id": "cropper", "model": {"model_id": "crops"}, "node_inputs": [{"node_id": "detector"}]}


def add_model(client: Client, model_id: str, *, user: str = "me", app: str = "flows", **version: Any) -> str:
    """Add a model with one version, as somebody does who has no code of it here; return the version's id."""
    user_app_id = {"user_id": user, "app_id": app}
    made = client.call(
        "PostModels", user_app_id=user_app_id, models=[{"id": model_id, "visibility": version.get("visibility")}]
    )
    assert made.status.code == StatusCode.SUCCESS, made
    made = client.call("PostModelVersions", user_app_id=user_app_id, model_id=model_id, model_versions=[version])
    assert made.status.code == StatusCode.SUCCESS, made
    return made.model.model_version.id


@pytest.fixture
def app(emulator: EmulatorThread, client: Client) -> App:
    app = User(user_id="me", base_url=emulator.url).create_app("flows")
    for name in ("faces", "crops", "other"):
        add_model(client, name)
    return app


def written(folder: Path, *nodes: Any, workflow_id: str = "flow") -> str:
    """Write a definition as the SDK reads it; return its path."""
    path = folder / "workflow.yml"
    path.write_text(yaml.safe_dump({"workflow": {"id": workflow_id, "nodes": list(nodes)}}))
    return str(path)


def ids_of(workflow: Any) -> list[str]:
    return [node.id for node in workflow.nodes]


class TestTheSdk:
    def test_it_makes_one_of_yaml_and_finds_it(self, app: App, tmp_path: Path) -> None:
        made = app.create_workflow(written(tmp_path, DETECTOR, CROPPER))
        assert (made.id, ids_of(made)) == ("flow", ["detector", "cropper"])
        assert [each.id for each in app.list_workflows()] == ["flow"]
        found = app.workflow("flow")
        assert [node.model.id for node in found.nodes] == ["faces", "crops"]
        assert found.nodes[1].node_inputs[0].node_id == "detector"
        with pytest.raises(Exception, match="CONN_DOES_NOT_EXIST"):
            app.workflow("other")

    def test_an_export_is_read_again(self, app: App, tmp_path: Path) -> None:
        app.create_workflow(written(tmp_path, DETECTOR, CROPPER))
        exported = tmp_path / "exported.yml"
        app.workflow("flow").export(str(exported))
        read = yaml.safe_load(exported.read_text())["workflow"]
        assert [set(node["model"]) for node in read["nodes"]] == [
            {"model_id", "model_version_id", "user_id", "app_id"}
        ] * 2
        app.delete_workflow("flow")
        app.create_workflow(str(exported))
        again = tmp_path / "again.yml"
        app.workflow("flow").export(str(again))
        assert again.read_text() == exported.read_text()

    def test_each_save_of_nodes_is_a_version(self, app: App, client: Client, tmp_path: Path) -> None:
        app.create_workflow(written(tmp_path, DETECTOR, CROPPER))
        app.patch_workflow("flow", action="merge", description="no other nodes")
        app.patch_workflow("flow", action="overwrite", config_filepath=written(tmp_path, DETECTOR))
        assert len(list(app.workflow("flow").list_versions())) == 2
        listed = client.call("ListWorkflowVersions", user_app_id=IN_APP, workflow_id="flow").workflow_versions
        assert [ids_of(each) for each in listed] == [["detector"], ["detector", "cropper"]]
        url = f"https://clarifai.com/me/flows/workflows/flow/versions/{listed[1].id}"
        assert Workflow(url=url).version.id == listed[1].id
        assert app.workflow("flow").description == "no other nodes"

    def test_a_model_that_is_not_there_is_made_with_the_parameters_of_the_file(
        self, app: App, client: Client, tmp_path: Path
    ) -> None:
        model = {"model_id": "mine", "model_type_id": "image-crop", "output_info": {"params": {"margin": 1.5}}}
        new = {"id": "cropper", "model": model, "node_inputs": [{"node_id": "detector"}]}
        app.create_workflow(written(tmp_path, DETECTOR, new))
        other = {**new, "model": {**model, "output_info": {"params": {"margin": 1.7}}}}
        app.create_workflow(written(tmp_path, DETECTOR, other, workflow_id="wider"))
        margins = [
            client.call("GetWorkflow", user_app_id=IN_APP, workflow_id=name)
            .workflow.nodes[1]
            .model.model_version.output_info.params["margin"]
            for name in ("flow", "wider")
        ]
        assert margins == [1.5, 1.7]

    def test_it_knows_the_type_of_the_input_by_the_first_model(
        self, app: App, client: Client, tmp_path: Path
    ) -> None:
        given = [{"id": "faces", "model_type_id": "visual-detector"}]
        client.call("PatchModels", user_app_id=IN_APP, models=given, action="overwrite")
        app.create_workflow(written(tmp_path, DETECTOR))
        workflow = Workflow(url="https://clarifai.com/me/flows/workflows/flow")
        workflow.load_info()
        assert workflow.input_types == ["image"]

    def test_a_model_without_user_and_app_may_be_one_that_clarifai_publishes(self, tmp_path: Path) -> None:
        public = {"gettable": 50}
        with running(pats={"mine": "me", "theirs": "clarifai"}) as emulator:
            with closing(Client(emulator.url, pat="theirs")) as clarifai:
                owner = {"user_id": "clarifai"}
                clarifai.call("PostApps", user_app_id=owner, apps=[{"id": "main", "visibility": public}])
                add_model(clarifai, "published", user="clarifai", app="main", visibility=public)
            app = User(user_id="me", base_url=emulator.url, pat="mine").create_app("flows")
            made = app.create_workflow(written(tmp_path, {"id": "only", "model": {"model_id": "published"}}))
            assert made.nodes[0].model.user_id == "clarifai"

    def test_what_is_wrong_reaches_its_user(self, app: App, client: Client) -> None:
        nodes = [
            {"id": "a", "model": {"id": "faces"}, "node_inputs": [{"node_id": "b"}]},
            {"id": "b", "model": {"id": "gone"}, "node_inputs": [{"node_id": "a"}]},
        ]
        answer = client.call("PostWorkflows", user_app_id=IN_APP, workflows=[{"id": "flow", "nodes": nodes}])
        assert answer.status.code == StatusCode.WORKFLOW_INVALID_GRAPH
        assert answer.status.description == "Workflow graph is invalid"
        assert "b → a → b is a circle" in answer.status.details
        assert "the model me/flows/models/gone of node 'b' does not exist" in answer.status.details


class TestRest:
    def test_the_life_of_one_by_the_paths_of_the_documentation(self, app: App, emulator: EmulatorThread) -> None:
        rest, below = Rest(emulator.url), "/v2/users/me/apps/flows/workflows"
        nodes = [{"id": "first", "model": {"id": "faces"}}]
        status, answer = rest.json("POST", below, {"workflows": [{"id": "flow", "nodes": nodes}]})
        assert (status, answer["status"]["code"]) == (200, 10000)
        first = answer["workflows"][0]["version"]["id"]
        shown = rest.json("GET", f"{below}/flow")[1]["workflow"]
        assert shown["nodes"][0]["model"]["app_id"] == "flows"
        assert (shown["use_cases"], shown["check_consents"]) == ([], [])
        nodes.append({"id": "second", "model": {"id": "crops"}})
        patched = {"action": "merge", "workflows": [{"id": "flow", "nodes": nodes}]}
        status, answer = rest.json("PATCH", f"{below}/", patched)  # the documentation's curl has this slash
        assert [node["id"] for node in answer["workflows"][0]["nodes"]] == ["first", "second"]
        listed = rest.json("GET", f"{below}/flow/versions")[1]["workflow_versions"]
        assert [len(each["nodes"]) for each in listed] == [2, 1]
        status, answer = rest.json("GET", f"{below}/flow/versions/{first}")
        assert answer["workflow_version"]["workflow_id"] == "flow"
        renamed = {"action": "overwrite", "ids": [{"id": "flow", "new_id": "renamed"}]}
        assert rest.json("PATCH", f"{below}/ids", renamed)[1]["workflows"][0]["id"] == "renamed"
        assert rest.json("GET", below)[1]["workflows"][0]["id"] == "renamed"
        assert rest.json("DELETE", f"{below}/renamed")[0] == 200
        status, answer = rest.json("GET", f"{below}/renamed")
        assert (status, answer["status"]["code"]) == (404, 11101)
        assert rest.json("GET", below)[1]["workflows"] == []

    def test_all_of_an_app_are_deleted_at_once(self, app: App, emulator: EmulatorThread) -> None:
        rest, below = Rest(emulator.url), "/v2/users/me/apps/flows/workflows"
        nodes = [{"id": "first", "model": {"id": "faces"}}]
        rest.json("POST", below, {"workflows": [{"id": name, "nodes": nodes} for name in ("one", "two")]})
        assert rest.json("DELETE", below, {"delete_all": True})[0] == 200
        assert rest.json("GET", below)[1]["workflows"] == []


class TestWhatStays:
    @pytest.fixture
    def kept(self, tmp_path: Path) -> dict[str, Any]:
        return {"data_dir": tmp_path / "state"}

    def test_workflows_and_versions_are_there_after_a_restart(self, kept: Any) -> None:
        nodes = [{"id": "a", "model": {"id": "faces"}}]
        with running(**kept) as emulator, closing(Client(emulator.url)) as client:
            client.call("PostApps", user_app_id={"user_id": "me"}, apps=[{"id": "flows"}])
            add_model(client, "faces")
            client.call("PostWorkflows", user_app_id=IN_APP, workflows=[{"id": "flow", "nodes": nodes}])
            again = [{"id": "flow", "nodes": [*nodes, {"id": "b", "model": {"id": "faces"}}]}]
            saved = client.call("PatchWorkflows", user_app_id=IN_APP, workflows=again, action="overwrite")
            saved = saved.workflows[0]
        with running(**kept) as emulator, closing(Client(emulator.url)) as client:
            assert client.call("GetWorkflow", user_app_id=IN_APP, workflow_id="flow").workflow == saved
            listed = client.call("ListWorkflowVersions", user_app_id=IN_APP, workflow_id="flow").workflow_versions
            assert [ids_of(each) for each in listed] == [["a", "b"], ["a"]]


class TestSeveralAtOnce:
    def test_parallel_saves_lose_no_version(self, app: App, emulator: EmulatorThread, tmp_path: Path) -> None:
        app.create_workflow(written(tmp_path, DETECTOR))
        failed: list[Any] = []

        def save(number: int) -> None:
            with closing(Client(emulator.url)) as client:
                for count in range(10):
                    nodes = [{"id": f"n{number}-{count}", "model": {"id": "faces"}}]
                    given = [{"id": "flow", "nodes": nodes}]
                    made = client.call("PatchWorkflows", user_app_id=IN_APP, workflows=given, action="overwrite")
                    if made.status.code != StatusCode.SUCCESS or ids_of(made.workflows[0]) != [
                        f"n{number}-{count}"
                    ]:
                        failed.append(made)

        threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        with closing(Client(emulator.url)) as client:
            listed = client.call("ListWorkflowVersions", user_app_id=IN_APP, workflow_id="flow").workflow_versions
            assert len({each.id for each in listed}) == 41
            newest = client.call("GetWorkflow", user_app_id=IN_APP, workflow_id="flow").workflow
            assert newest.version.id == listed[0].id

    @pytest.fixture
    def two(self, app: App, client: Client, tmp_path: Path) -> Iterator[tuple[Client, Client]]:
        with running(pats={"a": "ada", "e": "eve"}) as emulator:
            with closing(Client(emulator.url, pat="a")) as ada, closing(Client(emulator.url, pat="e")) as eve:
                yield ada, eve

    def test_another_user_cannot_use_read_or_change_what_is_private(self, two: tuple[Client, Client]) -> None:
        ada, eve = two
        owner = {"user_id": "ada", "app_id": "flows"}
        ada.call("PostApps", user_app_id={"user_id": "ada"}, apps=[{"id": "flows"}])
        add_model(ada, "faces", user="ada")
        nodes = [{"id": "a", "model": {"id": "faces"}}]
        ada.call("PostWorkflows", user_app_id=owner, workflows=[{"id": "flow", "nodes": nodes}])
        changed = {"workflows": [{"id": "flow", "description": "mine"}], "action": "overwrite"}
        asked: list[tuple[str, dict[str, Any], int]] = [
            ("GetWorkflow", {"workflow_id": "flow"}, StatusCode.CONN_DOES_NOT_EXIST),
            ("ListWorkflowVersions", {"workflow_id": "flow"}, StatusCode.CONN_DOES_NOT_EXIST),
            ("PatchWorkflows", changed, StatusCode.CONN_INSUFFICIENT_SCOPES),
            ("DeleteWorkflow", {"workflow_id": "flow"}, StatusCode.CONN_INSUFFICIENT_SCOPES),
            ("DeleteWorkflows", {"delete_all": True}, StatusCode.CONN_INSUFFICIENT_SCOPES),
        ]
        for name, fields, code in asked:
            assert eve.call(name, user_app_id=owner, **fields).status.code == code, name
        eve.call("PostApps", user_app_id={"user_id": "eve"}, apps=[{"id": "own"}])
        stolen = [{"id": "a", "model": {"user_id": "ada", "app_id": "flows", "id": "faces"}}]
        refused = eve.call(
            "PostWorkflows",
            user_app_id={"user_id": "eve", "app_id": "own"},
            workflows=[{"id": "flow", "nodes": stolen}],
        )
        assert refused.status.code == StatusCode.MODEL_DOES_NOT_EXIST
        assert ada.call("GetWorkflow", user_app_id=owner, workflow_id="flow").status.code == StatusCode.SUCCESS


class TestBadInput:
    @pytest.mark.parametrize(
        "nodes",
        [
            [{"id": f"n{each}", "model": {"id": "faces"}} for each in range(200)],
            [{"id": f"n{each}", "model": {"id": "m"}, "node_inputs": [{"node_id": f"n{each - 1}"}]}
             for each in range(20_000)],
            [{"id": "x" * 100_000, "model": {"id": "faces"}, "node_inputs": [{"node_id": "y" * 100_000}]}],
            [{"id": "a", "model": {"id": "faces"}, "node_inputs": [{"node_id": "a"}] * 50_000}],
            [{"id": "\x00\n", "model": {"id": "../../etc"}}],
            [{}],
        ],
        ids=["200", "a chain of 20,000", "long ids", "50,000 inputs", "odd names", "nothing"],
    )  # fmt: skip
    def test_it_is_refused_in_time_and_in_few_words(self, app: App, client: Client, nodes: Any) -> None:
        answer = client.call(
            "PostWorkflows", user_app_id=IN_APP, workflows=[{"id": "flow", "nodes": nodes}], timeout=10
        )
        assert answer.status.code in (
            StatusCode.WORKFLOW_INVALID_ARGUMENT,
            StatusCode.WORKFLOW_INVALID_GRAPH,
            StatusCode.MODEL_DOES_NOT_EXIST,
        )
        assert 0 < len(answer.status.details) < 40_000
        assert client.call("ListWorkflows", user_app_id=IN_APP).workflows == []
