"""A test of an agent: its brain is written down in the test, and the calls of its tools are asserted."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import Run

TESTS = """
import json

import pytest
from clarifai.client import Model
from clarifai_emulator import ConfigError

GPT = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
ADD = {"tool": "add", "arguments": {"left": 2, "right": 3}}
OFFERED = [{"type": "function", "function": {"name": "add", "parameters": {}}}]


def test_a_brain_in_two_lines(clarifai):
    brain = clarifai.stand_in(GPT, script=[ADD, "The sum is 5."])
    (call,) = json.loads(brain.model.predict(prompt="Add.", tools=OFFERED))
    assert json.loads(call["function"]["arguments"]) == {"left": 2, "right": 3}
    history = [{"role": "assistant", "content": ""}]
    assert Model(url=GPT).predict(prompt="5", chat_history=history) == "The sum is 5."
    brain.assert_routed(rule="shared")
    brain.assert_called("predict", prompt="Add.")
    clarifai.assert_called(GPT, times=2)
    clarifai.assert_called("gpt-4o", "predict", prompt="5", times=1)


def test_nothing_is_left_of_it(clarifai):
    clarifai.assert_called("gpt-4o", times=0)
    brain = clarifai.stand_in(GPT, answers=[{"contains": "you", "text": "A stand-in."}])
    assert brain.model.predict(prompt="Who are you?") == "A stand-in."
    assert clarifai.deploy("{models}/hello").model.predict(prompt="x") == "Hello, x!"


def test_a_model_of_ones_own(clarifai):
    brain = clarifai.stand_in("me/main/models/ranker", script=["Mine."])
    assert Model(url="https://clarifai.com/me/main/models/ranker").predict(prompt="x") == "Mine."
    brain.assert_routed(rule="owner_default")
    clarifai.assert_called("me/main/models/ranker", prompt="x")


def test_a_directory(clarifai):
    hello = clarifai.stand_in("https://clarifai.com/clarifai/main/models/hello", path="{models}/hello")
    assert hello.model.predict(prompt="you") == "Hello, you!"
    clarifai.assert_called(hello, prompt="you")


def test_what_is_wrong_with_a_script(clarifai):
    with pytest.raises(ConfigError) as caught:
        clarifai.stand_in(GPT, script=[{"tol": "add"}, "x"])
    assert str(caught.value) == (
        "clarifai.stand_in() cannot be used:\\n"
        "  - script[0].tol: is not a known name; did you mean 'tool'?\\n"
        "  - script[0]: needs text: what is answered; or tool: what is called"
    )
    with pytest.raises(ValueError, match="stand_in.. needs one of script=, answers= and path=, got none"):
        clarifai.stand_in(GPT)
    with pytest.raises(ValueError, match="script= is a list of answers, got 'Hello'"):
        clarifai.stand_in(GPT, script="Hello")
    with pytest.raises(ValueError, match="'gpt-4o' does not name a model"):
        clarifai.stand_in("gpt-4o", script=["x"])


def test_a_script_that_does_not_fit_says_so(clarifai):
    brain = clarifai.stand_in(GPT, script=[{"contains": "weather", "text": "Sunny."}])
    brain.model.predict(prompt="Sing.")


def test_a_wrong_assertion(clarifai):
    hello = clarifai.deploy("{models}/hello")
    hello.model.predict(prompt="you")
    hello.assert_called("predict", prompt="me")
"""
SHARED = """
import pytest


def test_a_brain_of_ones_own(clarifai):
    name = f"{clarifai.user_id}/main/models/brain"
    brain = clarifai.stand_in(name, script=["Mine."])
    assert brain.model.predict(prompt="x") == "Mine."
    clarifai.assert_called("brain", prompt="x", times=1)
    clarifai.assert_called("me/main/models/brain", prompt="x")


def test_a_hosted_one_could_be_everybodys(clarifai):
    clarifai.stand_in("openai/chat-completion/models/gpt-4o", script=["x"])
"""


@pytest.fixture(scope="module")
def run(nested: Any) -> Run:
    return nested({"test_agents.py": TESTS})


@pytest.mark.parametrize(
    "name",
    [
        "test_a_brain_in_two_lines",
        "test_nothing_is_left_of_it",
        "test_a_model_of_ones_own",
        "test_a_directory",
        "test_what_is_wrong_with_a_script",
    ],
)
def test_it_works(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.text


def test_the_report_says_what_the_script_expected(run: Run) -> None:
    said = run.failure("test_a_script_that_does_not_fit_says_so")
    assert "Step 1 of the script of openai/chat-completion/models/gpt-4o expects a message that contains" in said


def test_the_report_says_what_was_called(run: Run) -> None:
    said = run.failure("test_a_wrong_assertion")
    assert "me/demo/hello was not called: predict(prompt='me')." in said
    assert "  me/demo/hello predict(prompt='you') → 'Hello, you!' [10000 SUCCESS in " in said


def test_workers_that_share_an_emulator_have_scripts_of_their_own_models(nested: Any) -> None:
    run = nested({"test_shared.py": SHARED}, "-n", "1", "--clarifai-scope", "shared")
    assert run.outcome("test_a_brain_of_ones_own") == "PASSED", run.text
    assert "openai" in run.failure("test_a_hosted_one_could_be_everybodys")
    assert "use --clarifai-scope worker" in run.failure("test_a_hosted_one_could_be_everybodys")
