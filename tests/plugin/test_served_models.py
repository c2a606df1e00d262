"""Models with a server at one port stay warm between tests: each test gets the answer of its own model."""

from __future__ import annotations

from typing import Any

import pytest

from models_with_servers import MODEL, SERVER
from plugin.conftest import MODELS, Run
from pytest_clarifai_emulator.test_environment import reserve_port

TESTS = """
from clarifai.client import Model


def said_by(clarifai, name):
    return Model(url=clarifai.deploy(name).url).predict(prompt="x")


def test_qwen(clarifai):
    assert said_by(clarifai, "qwen").startswith("qwen ")


def test_llama(clarifai):
    assert said_by(clarifai, "llama").startswith("llama ")


def test_qwen_again(clarifai):
    assert said_by(clarifai, "qwen").startswith("qwen ")


def test_both(clarifai):
    assert said_by(clarifai, "llama").startswith("llama ")
    assert said_by(clarifai, "qwen").startswith("qwen ")
"""


def files_of(*names: str) -> dict[str, str]:
    """Return the files of models that listen at the same port, which is none that the system gives to who asks for
    any: those count for nobody."""
    with reserve_port() as probe:
        port = probe.getsockname()[1]
    files = {"test_served.py": TESTS}
    config = (MODELS / "hello" / "config.yaml").read_text()
    for name in names:
        files[f"{name}/config.yaml"] = config.replace("id: hello", f"id: {name}")
        files[f"{name}/requirements.txt"] = "clarifai\n"
        files[f"{name}/1/model.py"] = MODEL.format(name=name, port=port, host="127.0.0.1")
        files[f"{name}/1/server.py"] = SERVER
    return files


@pytest.fixture(scope="module")
def parted(nested: Any) -> Run:
    return nested(files_of("qwen", "llama"))


@pytest.mark.parametrize("name", ["test_qwen", "test_llama", "test_qwen_again", "test_both"])
def test_each_test_is_answered_by_the_server_of_its_own_model(parted: Run, name: str) -> None:
    assert parted.outcome(name) == "PASSED", parted.text


@pytest.fixture(scope="module")
def watched(nested: Any) -> Run:
    return nested(files_of("qwen", "llama"), "--clarifai-replica-network", "watched")


@pytest.mark.parametrize("name", ["test_qwen", "test_llama", "test_qwen_again"])
def test_where_ports_are_watched_each_test_has_its_own_model_alone(watched: Run, name: str) -> None:
    assert watched.outcome(name) == "PASSED", watched.text


def test_where_ports_are_watched_two_of_them_in_one_test_are_refused_by_name(watched: Run) -> None:
    assert watched.outcome("test_both") == "FAILED"
    assert "of this machine, which the model connects to, belongs to replica" in watched.failure("test_both")
