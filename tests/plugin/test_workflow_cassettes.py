"""Nodes of a workflow in cassettes: marked as such, played without their models, or one model of them played."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.conftest import MODELS, SCOPES, Nested

pytestmark = pytest.mark.timeout(300)

FLOW = """
workflows:
  - id: both
    app_id: demo
    nodes:
      - {id: first, model: {model_id: hello}}
      - {id: second, model: {model_id: loud}, node_inputs: [{node_id: first}]}
"""

TESTS = """
import pytest
from clarifai.client.workflow import Workflow

FLOW = "https://clarifai.com/me/demo/workflows/both"


def said(text):
    answer = Workflow(url=FLOW).predict_by_bytes(text.encode(), input_type="text")
    return [each.data.text.raw for each in answer.results[0].outputs]


@pytest.mark.clarifai_cassette("flow")
@pytest.mark.clarifai_models("hello", "loud", "flow.yaml")
def test_both(clarifai):
    assert said("you") == ["Hello, you!", "HELLO, YOU!"]
"""

MADE = """
import pytest
from clarifai.client import App
from clarifai.client.workflow import Workflow


@pytest.mark.clarifai_cassette("made"{only})
@pytest.mark.clarifai_models("hello", "loud")
def test_made(clarifai):
    App(user_id="me", app_id="demo").create_workflow("made.yml", display=False)
    answer = Workflow(user_id="me", app_id="demo", workflow_id="made").predict_by_bytes(b"you", input_type="text")
    assert [each.data.text.raw for each in answer.results[0].outputs] == ["Hello, you!", "HELLO, YOU!"]
"""

OF_SDK = """
workflow:
  id: made
  nodes:
    - id: first
      model: {model_id: hello}
    - id: second
      model: {model_id: loud}
      node_inputs: [{node_id: first}]
"""

ONE = (
    TESTS.replace('("flow")', '("flow", only=["loud"])').replace("test_both", "test_one")
    + """
    assert [(call.model.rpartition("/")[2], call.by) for call in clarifai.calls] == [
        ("hello", "node first of a workflow"),
        ("loud", "node second of a workflow"),
    ]
    assert [each["deployment_id"] for each in clarifai.status()["deployments"]] == ["deploy-hello"]


@pytest.mark.clarifai_cassette("flow", only=["loud"])
@pytest.mark.clarifai_models("hello", "loud", "flow.yaml")
def test_another_text(clarifai):
    said("Ada")


@pytest.mark.clarifai_cassette("flow", only=["loud"], mode="new")
@pytest.mark.clarifai_models("hello", "loud", "flow.yaml")
def test_what_is_missing_is_added(clarifai):
    assert said("you") == ["Hello, you!", "HELLO, YOU!"]
    assert said("Bob") == ["Hello, Bob!", "HELLO, BOB!"]
"""
)


@pytest.fixture(scope="module")
def project(nested: Nested, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record a request of a workflow whose two nodes ask two models."""
    folder = tmp_path_factory.mktemp("flow")
    for name in ("hello", "loud"):
        shutil.copytree(MODELS / "hello", folder / name)
    config, code = folder / "loud" / "config.yaml", folder / "loud" / "1" / "model.py"
    config.write_text(config.read_text().replace("id: hello", "id: loud"))
    code.write_text(code.read_text().replace("""f"Hello, {prompt}{'!' * n}\"""", "prompt.upper()"))
    run = nested({"flow.yaml": FLOW, "test_flow.py": TESTS}, into=folder)
    assert run.code == 0, run.text
    return folder


def calls_of(folder: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((folder / "cassettes" / "flow.yaml").read_text())["calls"]


def asked(folder: Path) -> list[tuple[str, str]]:
    """Return the inference calls of a cassette: what was asked, and who made it."""
    named = ((each["requests"][0], each.get("by", "")) for each in calls_of(folder))
    found = (
        (request.get("model_id") or request.get("workflow_id"), by, "inputs" in request) for request, by in named
    )
    return [(name, by) for name, by, has_inputs in found if has_inputs]


def test_nodes_stand_behind_the_request_of_the_workflow_and_are_named(project: Path) -> None:
    assert asked(project) == [
        ("both", ""),
        ("hello", "node first of a workflow"),
        ("loud", "node second of a workflow"),
    ]
    calls = calls_of(project)
    around = [calls[call["parent"] - 1]["rpc"] for call in calls if call.get("by")]
    assert around == ["PostWorkflowResults", "PostWorkflowResults"]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_workflow_is_played_where_no_model_is(nested: Nested, project: Path, tmp_path: Path, scope: str) -> None:
    shutil.copytree(project / "cassettes", tmp_path / "cassettes")
    options = ("--clarifai-cassettes", "none", *SCOPES[scope])
    run = nested({"test_flow.py": TESTS}, *options, into=tmp_path)
    assert run.outcome("test_both") == "PASSED", run.text


@pytest.fixture(scope="module", params=SCOPES)
def one(
    request: pytest.FixtureRequest, nested: Nested, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Play the model of the second node, whose directory is gone, while that of the first runs."""
    folder = tmp_path_factory.mktemp("one")
    for name in ("hello", "cassettes"):
        shutil.copytree(project / name, folder / name)
    return nested({"flow.yaml": FLOW, "test_one.py": ONE}, "-k", "not added", *SCOPES[request.param], into=folder)


def test_one_nodes_model_is_played_while_the_others_run(one: Any) -> None:
    assert one.outcome("test_one") == "PASSED", one.failure("test_one")


def test_what_a_node_did_not_ask_then_names_model_and_node(one: Any) -> None:
    said = (
        "me/demo/loud predict(), asked by node second of a workflow, was not recorded. The nearest is me/demo/loud"
    )
    assert said in one.failure("test_another_text")


def test_what_a_nodes_model_was_not_asked_yet_is_added(nested: Nested, project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "new")
    before = asked(folder)
    run = nested({"test_one.py": ONE}, "test_one.py", "-k", "added", into=folder)
    assert run.code == 0, run.text
    assert asked(folder) == [*before, ("loud", "node second of a workflow")]


def test_a_workflow_that_the_sdk_makes_has_one_model_played(nested: Nested, project: Path, tmp_path: Path) -> None:
    for name in ("hello", "loud"):
        shutil.copytree(project / name, tmp_path / name)
    files = {"made.yml": OF_SDK, "test_made.py": MADE.replace("{only}", "")}
    run = nested(files, into=tmp_path)
    assert run.code == 0, run.text
    shutil.rmtree(tmp_path / "loud")
    run = nested({**files, "test_made.py": MADE.replace("{only}", ', only=["loud"]')}, into=tmp_path)
    assert run.outcome("test_made") == "PASSED", run.failure("test_made")
