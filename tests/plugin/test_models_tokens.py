"""Tests choose what the CLARIFAI_PAT of a model opens, and may give it another."""

from __future__ import annotations

import re
from typing import Any

import pytest

MODEL = """
import os
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

class Asks(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        if prompt == "token":
            return os.environ["CLARIFAI_PAT"]
        if prompt == "kind":
            return os.environ["CLARIFAI_PAT"].partition("-")[0]
        try:
            url = "https://clarifai.com/me/main/models/asks"
            return "answered " + Model(url=url).predict(prompt="kind")
        except Exception as error:
            return str(error)
"""
CONFIG = """
model: {id: asks, user_id: me, app_id: main, model_type_id: text-to-text}
inference_compute_info: {cpu_limit: "100m", cpu_memory: "64Mi"}
num_threads: 2
"""
TEST = """
import os

def test_owner(clarifai):
    assert clarifai.deploy("asks").model.predict(prompt="go") == "answered replica"

def test_work_only(clarifai):
    said = clarifai.deploy("asks").model.predict(prompt="go")
    assert "the emulator was started with --replica-access work-only" in said

def test_leaks(clarifai):
    assert clarifai.deploy("asks").model.predict(prompt="token").startswith("replica-")

def test_named(clarifai):
    assert clarifai.deploy("asks").model.predict(prompt="token") == os.environ["CLARIFAI_PAT"]

def test_given(clarifai):
    model = clarifai.deploy("asks").model
    assert model.predict(prompt="token") == "given-token"
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("owner", ()),
        ("work_only", ("--clarifai-replica-access", "work-only")),
        ("named", ("--clarifai-env", "CLARIFAI_PAT")),
        ("given", ("--clarifai-env", "CLARIFAI_PAT=given-token")),
    ],
)
def test_what_the_token_of_a_model_is_and_opens(nested: Any, name: str, options: tuple[str, ...]) -> None:
    files = {
        "test_asks.py": TEST,
        "asks/1/model.py": MODEL,
        "asks/config.yaml": CONFIG,
        "asks/requirements.txt": "clarifai\n",
    }
    run = nested(files, *options, "-k", name)
    assert run.outcome(f"test_{name}") == "PASSED", run.text


def test_a_model_that_answers_with_its_token_fails_the_test_and_the_report_hides_it(nested: Any) -> None:
    files = {
        "test_asks.py": TEST,
        "asks/1/model.py": MODEL,
        "asks/config.yaml": CONFIG,
        "asks/requirements.txt": "clarifai\n",
    }
    run = nested(files, "-k", "leaks")
    assert run.outcome("test_leaks") == "FAILED", run.text
    assert "its answer holds the credential of a replica" in run.text
    assert re.search("replica-[0-9a-f]{16}", run.text) is None
