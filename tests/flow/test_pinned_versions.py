"""A topology gives local code the id of a model version that a production deployment pins, and it keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai.client import Model

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ConfigError, ModelError
from flow.driver import Client, inference_request, live_replicas, running, text_of, wait_for, write_model

VERSION = "5d2e0c6f1a5b4c3d8e7f9a0b1c2d3e4f"
MODEL = """
from clarifai.runners.models.model_class import ModelClass

class Pinned(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str{more}) -> str:
        return prompt + "{mark}"
"""
# As a team's own file has it: a deployment that pins a version of a model.
DEPLOYMENT = f"""
compute_clusters:
  - {{id: c, cloud_provider: {{id: aws}}, region: us-east-1, managed_by: clarifai, cluster_type: dedicated}}
nodepools:
  - {{id: n, instance_types: [{{id: t3a.medium}}], node_capacity_type: {{capacity_types: [1]}}, max_instances: 3}}
deployments:
  - id: production
    nodepools: [{{id: n}}]
    autoscale_config: {{min_replicas: 1, max_replicas: 2}}
    worker: {{model: {{id: ranker, app_id: search, user_id: me, model_version: {{id: {VERSION}}}}}}}
"""


def code(mark: str, more: str = "") -> str:
    return MODEL.format(mark=mark, more=more)


class Pinned:
    """An emulator whose topology serves a directory under a given version id."""

    def __init__(self, emulator: EmulatorThread, directory: Path, topology: Path) -> None:
        self.emulator = emulator
        self.directory = directory
        self.topology = topology
        self.client = Client(emulator.url)

    def edit(self, mark: str, more: str = "") -> None:
        (self.directory / "1" / "model.py").write_text(code(mark, more))

    def ask(self, **fields: Any) -> Any:
        request = inference_request("ranker", app="search", prompt="hi", **fields)
        request.version_id = VERSION
        return self.client.call("PostModelOutputs", request)

    def versions(self) -> list[str]:
        listed = self.client.call("ListModelVersions", user_app_id={"app_id": "search"}, model_id="ranker")
        return [each.id for each in listed.model_versions]

    def compute_info(self) -> Any:
        found = self.client.call(
            "GetModelVersion", user_app_id={"app_id": "search"}, model_id="ranker", version_id=VERSION
        )
        return found.model_version.inference_compute_info


def written(folder: Path) -> tuple[Path, Path]:
    """Write a model directory, and a topology that serves it under the version's id."""
    directory = write_model(folder, "ranker", code("!"))
    topology = folder / "topology.yaml"
    entry = f"{{path: ranker, id: ranker, app_id: search, model_version: {{id: {VERSION}}}}}"
    topology.write_text(f"models: [{entry}]\n{DEPLOYMENT}")
    return directory, topology


@pytest.fixture
def pinned(emulator: EmulatorThread, tmp_path: Path) -> Iterator[Pinned]:
    directory, topology = written(tmp_path)
    emulator.apply(topology)
    pinned = Pinned(emulator, directory, topology)
    wait_for(lambda: len(live_replicas(emulator, "production")) == 1)
    yield pinned
    pinned.client.close()


def test_the_sdk_calls_the_version_by_its_id_and_the_deployment_that_pins_it_answers(pinned: Pinned) -> None:
    url = f"https://clarifai.com/me/search/models/ranker/versions/{VERSION}"
    assert Model(url=url).predict(prompt="hi") == "hi!"
    assert Model(url=url, deployment_id="production").predict(prompt="hi") == "hi!"
    assert pinned.versions() == [VERSION]


def test_a_deploy_of_edited_code_keeps_the_id(
    pinned: Pinned,
) -> None:
    pinned.edit("?", ", loud: bool = False")
    deployed = pinned.emulator.deploy(pinned.directory, model="me/search/models/ranker")
    assert (deployed.version_id, deployed.is_new_version) == (VERSION, True)
    assert text_of(pinned.ask()) == "hi?"
    assert [field.name for field in deployed.signatures[0].input_fields] == ["prompt", "loud"]
    assert pinned.versions() == [VERSION]
    wait_for(lambda: len(live_replicas(pinned.emulator, "production")) == 1)
    again = pinned.emulator.deploy(pinned.directory, model="me/search/models/ranker")
    assert (again.version_id, again.is_new_version) == (VERSION, False)


def test_an_edit_that_cannot_be_loaded_leaves_what_serves(pinned: Pinned) -> None:
    (self_replica,) = live_replicas(pinned.emulator, "production")
    (pinned.directory / "1" / "model.py").write_text(
        code("?") + "\n    def load_model(self):\n        raise OSError\n"
    )
    with pytest.raises(ModelError, match="OSError"):
        pinned.emulator.deploy(pinned.directory, model="me/search/models/ranker")
    assert text_of(pinned.ask()) == "hi!"
    assert live_replicas(pinned.emulator, "production") == [self_replica]


def test_an_edit_of_the_methods_in_the_dev_loop_keeps_the_id(pinned: Pinned) -> None:
    deployed = pinned.emulator.dev(pinned.directory, model="me/search/models/ranker", nodepool_id="n")
    assert deployed.version_id == VERSION
    pinned.edit("?", ", loud: bool = False")
    outcome = pinned.emulator.reload(pinned.directory)
    assert (outcome.state, outcome.version_id) == ("ready", VERSION), outcome.as_dict()
    assert text_of(pinned.ask(deployment="deploy-ranker")) == "hi?"
    assert pinned.versions() == [VERSION]


def test_an_edit_in_the_dev_loop_asks_for_the_instance_type_that_was_named(pinned: Pinned) -> None:
    pinned.emulator.dev(pinned.directory, model="me/search/models/ranker", instance="t3a.medium")
    before = pinned.compute_info()
    assert before.cpu_limit
    pinned.edit("?", ", loud: bool = False")
    outcome = pinned.emulator.reload(pinned.directory)
    assert (outcome.state, outcome.version_id) == ("ready", VERSION), outcome.as_dict()
    assert pinned.compute_info() == before


def test_what_else_a_file_says_of_a_model_with_code_holds(emulator: EmulatorThread, tmp_path: Path) -> None:
    write_model(tmp_path, "ranker", code("!"))
    topology = tmp_path / "topology.yaml"
    topology.write_text("models: [{path: ranker, description: Ranks, visibility: {gettable: 50}}]")
    emulator.apply(topology)
    client = Client(emulator.url)
    model = client.call("GetModel", user_app_id={"app_id": "demo"}, model_id="ranker").model
    assert (model.description, model.visibility.gettable) == ("Ranks", 50)
    client.close()


def test_another_id_in_the_file_serves_the_code_under_that_one(tmp_path: Path) -> None:
    directory, topology = written(tmp_path)
    with running(topology=(topology,)) as emulator:
        pinned = Pinned(emulator, directory, topology)
        other = VERSION[::-1]
        topology.write_text(topology.read_text().replace(VERSION, other))
        outcome = emulator.reload_topology()
        assert outcome.state == "applied", outcome.message
        wait_for(lambda: text_of_version(pinned, other) == "hi!")
        pinned.client.close()


def text_of_version(pinned: Pinned, version: str) -> str:
    request = inference_request("ranker", app="search", prompt="hi")
    request.version_id = version
    response = pinned.client.call("PostModelOutputs", request)
    return response.outputs[0].data.parts[0].data.string_value if response.outputs else ""


def test_two_directories_are_two_versions_and_one_id_is_one_directorys(pinned: Pinned, tmp_path: Path) -> None:
    write_model(tmp_path, "second", code("2"))
    twin = tmp_path / "twin.yaml"
    twin.write_text(f"models: [{{path: second, id: ranker, app_id: search, model_version: {{id: {VERSION}}}}}]")
    with pytest.raises(ConfigError) as caught:
        pinned.emulator.apply(twin)
    assert f"twin.yaml:1: Version '{VERSION}' of model 'me/search/ranker' is the code in {pinned.directory}" in str(
        caught.value
    )
    twin.write_text("models: [{path: second, id: ranker, app_id: search, model_version: {id: second}}]")
    pinned.emulator.apply(twin)
    assert set(pinned.versions()) == {VERSION, "second"}
    assert text_of(pinned.ask()) == "hi!"
