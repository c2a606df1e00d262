"""The scenarios of the SDK's tests of workflows, with models of our own: make, show, export, change, delete, ask.

`workflow/test_*.py`, `test_app.py`: upstream they ask models that Clarifai publishes, under the versions of then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client.app import App
from clarifai.client.user import User
from clarifai.client.workflow import Workflow
from clarifai_grpc.grpc.api.resources_pb2 import OutputConfig
from schema import SchemaError

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, running, write_model
from flow.served_files import serving_files

SEES = """
from typing import List
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Concept, Image


class Sees(ModelClass):
    @ModelClass.method
    def predict(self, image: Image) -> List[Concept]:
        return [Concept(id=each, name=each, value=0.9) for each in ("dog", "pet", "grass", "cat", "car")]
"""
TOPOLOGY = """
models:
  - {path: sees, id: sees, app_id: own, deploy: {nodepool: cpu, min_replicas: 0}}
  - {id: crops, app_id: own, model_type_id: image-crop}
  - {id: faces, app_id: main, user_id: clarifai, model_version: {id: fe995da8cb73490f8556416ecf25cea3}}
"""
FACES = {"model_id": "faces", "model_version_id": "fe995da8cb73490f8556416ecf25cea3"}
DETECTOR: dict[str, Any] = {"id": "detector", "model": {**FACES, "user_id": "clarifai", "app_id": "main"}}
BEHIND = {"node_inputs": [{"node_id": "detector"}]}
CUSTOM = {"model_id": "wide-crop", "model_type_id": "image-crop", "description": "Ours"}
SHAPES: dict[str, list[dict[str, Any]]] = {
    "one node, by its id alone": [{"id": "only", "model": FACES}],
    "two branches": [DETECTOR, {"id": "also", "model": {"model_id": "sees"}}],
    "a branch of a published model": [DETECTOR, {"id": "cropper", "model": {"model_id": "crops"}, **BEHIND}],
    "a new model": [
        DETECTOR,
        {"id": "cropper", "model": {**CUSTOM, "output_info": {"params": {"margin": 1.3}}}, **BEHIND},
    ],
    "a new version of it": [
        DETECTOR,
        {"id": "cropper", "model": {**CUSTOM, "output_info": {"params": {"margin": 1.5}}}, **BEHIND},
    ],
}
# A picture of one dot.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415478da63f8cfc0000003010100"
    "f7034143 0000000049454e44ae426082".replace(" ", "")
)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("workflows")
    write_model(folder, "sees", SEES)
    (folder / "topology.yaml").write_text(TOPOLOGY)
    with running(topology=(folder / "topology.yaml",)) as emulator:
        yield emulator


@pytest.fixture
def app(emulator: EmulatorThread) -> Iterator[App]:
    app = User(user_id="me", base_url=emulator.url, pat="any").app("own")
    yield app
    for each in list(app.list_workflows()):
        app.delete_workflow(each.id)


def written(folder: Path, nodes: Any, name: str = "flow") -> str:
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump({"workflow": {"id": name, "nodes": nodes}}))
    return str(path)


@pytest.mark.parametrize("nodes", SHAPES.values(), ids=SHAPES)
def test_definitions_of_every_shape_are_made(app: App, tmp_path: Path, nodes: Any) -> None:
    made = app.create_workflow(written(tmp_path, nodes), generate_new_id=True)
    assert [each.id for each in app.list_workflows()] == [made.id]
    assert [node.id for node in app.workflow(made.id).nodes] == [each["id"] for each in nodes]


def test_the_tree_of_the_nodes_is_shown(app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app.create_workflow(written(tmp_path, SHAPES["a branch of a published model"]))
    shown = capsys.readouterr().out
    assert shown.index("Input") < shown.index("Node: detector") < shown.index("Node: cropper")


def test_a_workflow_is_patched_with_a_file_and_with_words(
    app: App, emulator: EmulatorThread, tmp_path: Path
) -> None:
    app.create_workflow(written(tmp_path, [DETECTOR]))
    app.patch_workflow(
        "flow",
        config_filepath=written(tmp_path, SHAPES["two branches"], "other"),
        visibility=10,
        description="d",
        notes="n",
        image_url="https://samples.clarifai.com/metro-north.jpg",
    )
    client = Client(emulator.url)
    shown = client.call("GetWorkflow", user_app_id={"user_id": "me", "app_id": "own"}, workflow_id="flow").workflow
    client.close()
    assert [node.id for node in shown.nodes] == ["detector", "also"]
    assert (shown.description, shown.notes, shown.visibility.gettable) == ("d", "n", 10)
    assert shown.image.url.endswith("metro-north.jpg")


def test_a_workflow_is_deleted(app: App, tmp_path: Path) -> None:
    app.create_workflow(written(tmp_path, [DETECTOR]))
    app.delete_workflow("flow")
    assert list(app.list_workflows()) == []
    with pytest.raises(Exception, match="CONN_DOES_NOT_EXIST"):
        app.delete_workflow("flow")


def test_an_export_has_what_the_file_had(app: App, tmp_path: Path) -> None:
    nodes = [DETECTOR, {"id": "second", "model": DETECTOR["model"], **BEHIND}]
    file = written(tmp_path, nodes)
    app.create_workflow(file)
    exported = tmp_path / "exported.yml"
    app.workflow("flow").export(str(exported))
    assert yaml.safe_load(exported.read_text()) == yaml.safe_load(Path(file).read_text())


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ({"id": "with spaces"}, "Key 'id' error"),
        ({"id": "w", "nodes": []}, "Key 'nodes' error"),
        ({"id": "w", "nodes": [{"id": "n", "model": {**FACES, "model_version_id": "no"}}]}, "model_version_id"),
        ({"id": "w", "nodes": [{"id": "n", "model": FACES, **BEHIND}]}, "missing input 'detector' for node 'n'"),
        ({"id": "w", "nodes": [{"id": "n", "model": {**FACES, "description": "d"}}]}, "other model fields"),
    ],
    ids=["id", "no nodes", "version", "input", "version and more"],
)  # fmt: skip
def test_a_wrong_definition_reaches_no_platform(
    app: App, emulator: EmulatorThread, tmp_path: Path, definition: Any, says: str
) -> None:
    file = tmp_path / "wrong.yml"
    file.write_text(yaml.safe_dump({"workflow": definition}))
    before = emulator.events("request.finished")
    with pytest.raises(SchemaError, match=says):
        app.create_workflow(str(file))
    assert emulator.events("request.finished") == before


def test_the_version_of_a_model_may_be_written_in_capitals(app: App, tmp_path: Path) -> None:
    model = {**DETECTOR["model"], "model_version_id": FACES["model_version_id"].upper()}
    made = app.create_workflow(written(tmp_path, [{"id": "n", "model": model}]))
    assert made.nodes[0].model.model_version.id == FACES["model_version_id"]


@pytest.fixture
def workflow(app: App, tmp_path: Path) -> Workflow:
    app.create_workflow(written(tmp_path, [{"id": "sees", "model": {"model_id": "sees"}}]))
    return Workflow(
        user_id="me",
        app_id="own",
        workflow_id="flow",
        output_config=OutputConfig(max_concepts=3),  # pyright: ignore[reportArgumentType]
        base_url=app.base,
        pat="any",
    )


def answered(response: Any) -> list[str]:
    return [each.id for each in response.results[0].outputs[0].data.concepts]


def test_a_picture_is_sent_by_address_by_path_and_as_bytes(workflow: Workflow, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(DOT)
    with serving_files(tmp_path) as address:
        by_address = workflow.predict_by_url(f"{address}/dot.png", input_type="image")
    by_path = workflow.predict_by_filepath(str(tmp_path / "dot.png"), input_type="image")
    as_bytes = workflow.predict_by_bytes(DOT, input_type="image")
    for response in (by_address, by_path, as_bytes):
        assert answered(response)[:2] == ["dog", "pet"]


def test_at_most_so_many_concepts_are_answered(workflow: Workflow) -> None:
    assert answered(workflow.predict_by_bytes(DOT, input_type="image")) == ["dog", "pet", "grass"]
