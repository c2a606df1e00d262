"""Failures that a few lines explain lose their traceback: a forgotten deploy, a wrong path; and relative paths lead
where their reader expects."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import MODELS, Run

CLIENT = """
from clarifai.client import Model


def greet(url):
    return Model(url=url).predict(prompt="you")
"""

TESTS = """
import os

import pytest
from clarifai.client import Model
from client import greet

URL = "https://clarifai.com/me/demo/models/hello"


def test_forgotten(clarifai):
    Model(url=URL).predict(prompt="you")


def test_forgotten_in_the_client(clarifai):
    greet(URL)


def test_another_app(clarifai):
    clarifai.deploy("../models/hello")
    Model(url="https://clarifai.com/me/main/models/hello").predict(prompt="you")


def test_another_model(clarifai):
    clarifai.deploy("../models/hello")
    Model(url="https://clarifai.com/me/demo/models/ranker").predict(prompt="you")


def test_forgotten_with_the_longer_fixture(clarifai_emulator):
    Model(url=URL)


def test_not_for_everybody(clarifai):
    clarifai.deploy("../models/hello")
    Model(url=URL, pat=clarifai.user("ada").pat)


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("not for you")


def test_mute(clarifai):
    raise Mute


def test_wrong_path(clarifai):
    clarifai.deploy("../models/helo")


@pytest.mark.clarifai_model("typo")
def test_wrong_path_of_a_mark(clarifai):
    pass


def test_wrong_path_far_away(clarifai):
    clarifai.deploy("/nowhere/at/all")


def test_broken_model(clarifai):
    clarifai.deploy("{models}/crash_import")


def test_raised(clarifai):
    from clarifai_emulator.errors import ModelError

    with pytest.raises(ModelError, match="There is no model directory"):
        clarifai.deploy("typo")


def test_beside(clarifai):
    hello = clarifai.deploy("../models/hello")
    assert hello.model.predict(prompt="you") == "Hello, you!"
    hello.reload()


def test_in_the_working_directory(clarifai):
    assert clarifai.deploy("models/hello").model.predict(prompt="you") == "Hello, you!"


def test_after_chdir(clarifai, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("../models/hello", "models/hello"):
        assert clarifai.deploy(path).path.is_dir()


def test_both(clarifai):
    assert clarifai.deploy("twice").path.name == "twice"
    assert clarifai.deploy("twice").path.parent.name == "tests"


def test_topology(clarifai):
    clarifai.topology("here.yaml")
    assert any(each["nodepool_id"] == "here" for each in clarifai.status()["nodepools"])
"""

TOPOLOGY = """
nodepools:
  - {id: here, compute_cluster: {id: local}, instance_types: [{id: t3a.medium}], node_capacity_type:
     {capacity_types: [1]}, min_instances: 0, max_instances: 1}
"""


@pytest.fixture(scope="module")
def run(nested: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("client")
    for name in ("models/hello", "twice", "tests/twice"):
        shutil.copytree(MODELS / "hello", folder / name)
    files = {"tests/test_plain.py": TESTS, "tests/client.py": CLIENT, "tests/here.yaml": TOPOLOGY}
    return nested(files, "tests/test_plain.py", "-rA", into=folder)


def _line(call: str, count: int = 1) -> int:
    lines = [number for number, line in enumerate(TESTS.splitlines(), 1) if call in line]
    return lines[count - 1]


def test_a_forgotten_deploy_is_told_in_three_lines(run: Run) -> None:
    text = run.failure("test_forgotten")
    assert text.strip().splitlines() == [
        f"tests/test_plain.py:{_line('Model(url=URL).predict')}: The test has not deployed the model "
        "'me/demo/models/hello'.",
        '  Model(url=URL).predict(prompt="you")',
        '  Deploy it first, with the fixture `clarifai`: clarifai.deploy("../models/hello")',
    ]
    assert "FAILED tests/test_plain.py::test_forgotten - Failed: tests/test_plain.py:" in run.text


def test_a_forgotten_deploy_is_told_with_the_way_to_the_call(run: Run) -> None:
    text = run.failure("test_forgotten_in_the_client")
    assert f"tests/test_plain.py:{_line('greet(URL)')} → tests/client.py:6: The test has not deployed" in text


def test_a_model_of_another_app_is_told_with_the_deployed_one(run: Run) -> None:
    text = run.failure("test_another_app")
    assert "The test has not deployed the model 'me/main/models/hello'." in text
    assert "Did you mean 'me/demo/models/hello', which it has deployed?" in text
    assert "Traceback" not in text
    assert "model.py:1285" not in text


def test_another_model_is_told_with_what_is_deployed(run: Run) -> None:
    text = run.failure("test_another_model")
    assert "It has deployed me/demo/models/hello." in text
    assert "Deploy it first, with the fixture `clarifai`: clarifai.deploy(DIR)" in text


def test_a_model_that_is_there_but_hidden_keeps_its_traceback(run: Run) -> None:
    text = run.failure("test_not_for_everybody")
    assert "has not deployed" not in text
    assert "MODEL_DOES_NOT_EXIST" in text


def test_an_exception_that_cannot_be_told_breaks_no_report(run: Run) -> None:
    assert run.outcome("test_mute") == "FAILED"
    assert "INTERNALERROR" not in run.text


def test_it_is_told_with_every_fixture(run: Run) -> None:
    assert "The test has not deployed the model" in run.failure("test_forgotten_with_the_longer_fixture")


def test_a_wrong_path_is_told_in_two_lines(run: Run) -> None:
    text = run.failure("test_wrong_path").strip().splitlines()
    assert text == [
        f"tests/test_plain.py:{_line('../models/helo')}: There is no model directory '../models/helo' beside the "
        f"test file (in {run.folder}/tests), nor in {run.folder}.",
        "Did you mean '../models/hello'?",
    ]


def test_a_wrong_path_of_a_mark_is_told_with_the_test(run: Run) -> None:
    text = run.failure("test_wrong_path_of_a_mark")
    assert "tests/test_plain.py:" in text
    assert "There is no model directory 'typo'" in text
    assert "There are: twice, ../twice, ../models/hello." in text
    assert "plugin.py" not in text


def test_a_wrong_absolute_path_is_told_as_it_is(run: Run) -> None:
    text = run.failure("test_wrong_path_far_away")
    assert "There is no model directory /nowhere/at/all." in text


def test_a_broken_model_is_told_with_its_own_traceback_alone(run: Run) -> None:
    text = run.failure("test_broken_model")
    assert "model.py" in text
    assert "deployer.py" not in text


@pytest.mark.parametrize(
    "name",
    [
        "test_raised",
        "test_beside",
        "test_in_the_working_directory",
        "test_after_chdir",
        "test_both",
        "test_topology",
    ],
)
def test_relative_paths_lead_beside_the_test_file_and_else_to_the_working_directory(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED"


def test_the_whole_trace_is_there_on_request(nested: Any) -> None:
    test = 'def test_typo(clarifai):\n    clarifai.deploy("typo")\n'
    run = nested({"test_full.py": test}, "--full-trace")
    assert "model_paths.py" in run.failure("test_typo")


def test_a_large_project_is_not_searched_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_clarifai_emulator import model_paths

    for number in range(20):
        (tmp_path / f"folder{number:02}").mkdir()
    shutil.copytree(MODELS / "hello", tmp_path / "zzz")
    assert list(model_paths.model_directories(tmp_path)) == [tmp_path / "zzz"]
    monkeypatch.setattr(model_paths, "_MOST_FOLDERS", 10)
    assert list(model_paths.model_directories(tmp_path)) == []
