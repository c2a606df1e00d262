"""Unknown names in the settings of a run and in faults are told with the nearest known one."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import SCOPES, Run

TESTS = """
import pytest

HELLO = "{models}/hello"


def test_misspelt(clarifai):
    hello = clarifai.deploy(HELLO)
    with clarifai.fault(model="helo", status="MODEL_BUSY_PLEASE_RETRY"):
        assert hello.model.predict(prompt="x") == "Hello, x!"


def test_misspelt_and_failed(clarifai):
    clarifai.deploy(HELLO)
    clarifai.fault(deployment="deploy-helo", grpc="UNAVAILABLE")
    assert False


def test_before_the_model(clarifai):
    clarifai.fault(model="hello", status="MODEL_BUSY_PLEASE_RETRY", times=1)
    assert clarifai.deploy(HELLO).model.predict(prompt="x") == "Hello, x!"


def test_not_called(clarifai):
    clarifai.deploy(HELLO)
    clarifai.fault(model="hello", status="MODEL_BUSY_PLEASE_RETRY")
"""


@pytest.fixture(scope="module", params=SCOPES)
def run(nested: Any, request: pytest.FixtureRequest) -> Run:
    return nested({"test_faults.py": TESTS}, *SCOPES[request.param])


def test_a_fault_for_a_model_that_is_not_there_is_told_at_the_end(run: Run) -> None:
    notes = run.text.partition("clarifai: notes")[2]
    assert "test_faults.py::test_misspelt: There is no model 'helo'. Did you mean 'hello'?" in notes
    assert "There is no deployment 'deploy-helo'. Did you mean 'deploy-hello'?" in run.failure(
        "test_misspelt_and_failed"
    )
    for name in ("test_before_the_model", "test_not_called"):
        assert f"::{name}: There is" not in run.text


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("clarifai_scop", "Unknown key 'clarifai_scop'. Did you mean 'clarifai_scope'?"),
        ("clarifai_contract_covrage", "Unknown key 'clarifai_contract_covrage'. Did you mean 'clarifai_contract_c"),
        ("clarifai_zzz", "Unknown key 'clarifai_zzz'."),
    ],
)
def test_a_key_of_the_ini_file_that_means_nothing_ends_the_run(nested: Any, key: str, told: str) -> None:
    run = nested({"test_a.py": "def test_a():\n    pass\n"}, ini=f"{key} = worker\n")
    assert run.code == 4
    assert told in run.text
    assert "pytest.ini" in run.text


def test_a_key_of_another_plugin_is_none_of_ours(nested: Any) -> None:
    conftest = "def pytest_addoption(parser):\n    parser.addini('clarifai_zzz', 'of a conftest')\n"
    files = {"test_a.py": "def test_a():\n    pass\n", "conftest.py": conftest}
    assert nested(files, ini="clarifai_zzz = 1\n").code == 0
