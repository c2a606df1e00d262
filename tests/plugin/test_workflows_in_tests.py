"""A workflow in a test: its nodes are calls, a function answers for one of them, a cassette plays them back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import MODELS

pytestmark = pytest.mark.timeout(300)

TESTS = """
import os
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai.client import App
from clarifai.client.workflow import Workflow

YAML = '''
workflow:
  id: twice
  nodes:
    - id: first
      model: {model_id: hello}
    - id: second
      model: {model_id: hello}
      node_inputs: [{node_id: first}]
'''


def workflow(clarifai, tmp_path):
    hello = clarifai.deploy("hello")
    user, app = hello.url.split("/")[3:5]
    (tmp_path / "twice.yml").write_text(YAML)
    App(user_id=user, app_id=app).create_workflow(str(tmp_path / "twice.yml"), display=False)
    return Workflow(user_id=user, app_id=app, workflow_id="twice")


def texts(answer):
    return [each.data.text.raw for each in answer.results[0].outputs]


@pytest.mark.clarifai_cassette
def test_recorded(clarifai, tmp_path):
    answer = workflow(clarifai, tmp_path).predict_by_bytes(b"you", input_type="text")
    assert texts(answer) == ["Hello, you!", "Hello, Hello, you!!"]


def test_how_many_models_ran(clarifai):
    assert clarifai.emulator.run(lambda emulator: len(list(emulator.replicas.warm_pool))) == int(os.environ["RAN"])


@pytest.mark.skipif(os.environ["RAN"] == "0", reason="no model runs")
def test_calls(clarifai, tmp_path):
    workflow(clarifai, tmp_path).predict_by_bytes(b"you", input_type="text")
    assert [each.model.rpartition("/")[2] for each in clarifai.calls] == ["hello", "hello"]


@pytest.mark.skipif(os.environ["RAN"] == "0", reason="no model runs")
def test_a_fault(clarifai, tmp_path):
    flow = workflow(clarifai, tmp_path)
    clarifai.fault(status="MODEL_DEPLOYMENT_FAILED", message="on purpose")
    with pytest.raises(Exception, match="Node 'first'.*on purpose|on purpose"):
        flow.predict_by_bytes(b"you", input_type="text")
"""


def test_a_workflow_is_recorded_and_played_back_without_its_models(nested: Any, tmp_path: Path) -> None:
    shutil.copytree(MODELS / "hello", tmp_path / "hello")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAN", "1")
        recorded = nested({"test_flow.py": TESTS}, into=tmp_path)
        assert "4 passed" in recorded.text, recorded.text
        patch.setenv("RAN", "0")
        played = nested({"test_flow.py": TESTS}, into=tmp_path)
        assert "2 passed, 2 skipped" in played.text, played.text
