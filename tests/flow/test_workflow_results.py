"""A workflow runs: the unmodified SDK asks it, and models deployed here, and operators, answer its nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clarifai.client import App
from clarifai.client.workflow import Workflow

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, write_model

SHOUT = """
from clarifai.runners.models.model_class import ModelClass

class Shout(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        return text.upper()
"""


def make_workflow(tmp_path: Path, text: str) -> Workflow:
    """Create a workflow as the SDK does, of its YAML file."""
    file = tmp_path / "workflow.yml"
    file.write_text(text)
    App(app_id="demo", user_id="me").create_workflow(config_filepath=str(file), display=False)
    return Workflow(url="https://clarifai.com/me/demo/workflows/greeting")


GREETING = """
workflow:
  id: greeting
  nodes:
    - id: ask
      model:
        model_id: my-prompter
        model_type_id: prompter
        output_info:
          params:
            prompt_template: 'dear {data.text.raw}'
    - id: greet
      model: {model_id: hello}
      node_inputs: [{node_id: ask}]
    - id: shout
      model: {model_id: shout}
      node_inputs: [{node_id: greet}]
"""


@pytest.fixture
def greeting(emulator: EmulatorThread, tmp_path: Path) -> Workflow:
    emulator.deploy(MODELS / "hello")
    emulator.deploy(write_model(tmp_path, "shout", SHOUT))
    return make_workflow(tmp_path, GREETING)


def texts(response: Any) -> list[list[str]]:
    return [[output.data.text.raw for output in result.outputs] for result in response.results]


def test_the_sdk_gets_one_output_for_each_node_with_its_model_and_version(greeting: Workflow) -> None:
    response = greeting.predict_by_bytes(b"Ada", input_type="text")

    assert texts(response) == [["dear Ada", "Hello, dear Ada!", "HELLO, DEAR ADA!"]]
    outputs = response.results[0].outputs
    assert [each.model.id for each in outputs] == ["my-prompter", "hello", "shout"]
    assert all(each.model.model_version.id and len(each.id) == 32 for each in outputs)
    assert {each.status.code for each in outputs} == {10000}
    assert response.workflow.id == "greeting"
