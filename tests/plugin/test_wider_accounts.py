"""Accounts may last longer than a test: for a class, a module, a package, a session; with tests within them."""

from __future__ import annotations

from typing import Any

import pytest

from plugin.conftest import SCOPES, Run

CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def greeter(clarifai_session):
    return clarifai_session.deploy("{models}/hello", deployment="greeter")
"""

FIRST = """
import pytest
from clarifai.client import Model

HELLO, TYPES = "{models}/hello", "{models}/types"


@pytest.fixture(scope="module")
def hello(clarifai_module):
    hello = clarifai_module.deploy(HELLO)
    assert hello.model.predict(prompt="fixture") == "Hello, fixture!"
    return hello


def deployments(account):
    return sorted(each["deployment_id"] for each in account.status()["deployments"])


def nodepools(account):
    return sorted(each["nodepool_id"] for each in account.status()["nodepools"] if each["user_id"] != "clarifai")


def test_1_uses_what_the_module_has(hello):
    assert hello.model.predict(prompt="x") == "Hello, x!"


def test_2_adds_to_it(hello, clarifai):
    assert deployments(clarifai) == ["deploy-hello"]
    clarifai.deploy(HELLO, deployment="further")
    clarifai.nodepool("mine")
    clarifai.fault(model="hello", status="MODEL_DEPLOYMENT_FAILED")
    with pytest.raises(Exception, match="injected by fault"):
        hello.model.predict(prompt="x")
    assert [call.ok for call in clarifai.calls] == [False]
    assert deployments(clarifai) == ["deploy-hello", "further"]


def test_3_finds_nothing_of_it(hello, clarifai, clarifai_module):
    assert deployments(clarifai) == ["deploy-hello"]
    assert "mine" not in nodepools(clarifai)
    assert clarifai.calls == []
    assert len(clarifai_module.calls) == 3
    assert hello.model.predict(prompt="x") == "Hello, x!"


def test_4_changes_what_the_module_has(hello, clarifai):
    clarifai.deploy(TYPES, deployment="deploy-hello")


def test_5_finds_it_as_it_was(hello):
    assert hello.model.predict(prompt="x") == "Hello, x!"
    hello.assert_routed(deployment="deploy-hello")


def test_6_asks_for_no_more_than_its_own(clarifai):
    assert deployments(clarifai) == ["deploy-hello"]


@pytest.fixture(scope="class")
def types(clarifai_class):
    return clarifai_class.deploy(TYPES)


class TestClass:
    def test_8_of_a_class(self, types):
        types.model.echo_params(prompt="x", temperature=99.0)

    def test_9_has_no_finding_of_another(self, types):
        types.model.echo_params(prompt="x")


def test_a_the_class_is_over(clarifai):
    assert deployments(clarifai) == ["deploy-hello"]


@pytest.mark.clarifai_model("{models}/nothing")
def test_b_cannot_begin():
    pass


def test_c_begins(hello, clarifai):
    assert deployments(clarifai) == ["deploy-hello"]
"""

SECOND = """
import pytest
from clarifai.client import Model


def test_1_empty(clarifai):
    assert clarifai.status()["deployments"] == []


def test_2_session(greeter):
    assert greeter.model.predict(prompt="x") == "Hello, x!"


def test_3_within(greeter, clarifai):
    assert [each["deployment_id"] for each in clarifai.status()["deployments"]] == ["greeter"]


def test_4_needs_no_fixture_any_more():
    assert Model(url="https://clarifai.com/me/demo/models/hello").predict(prompt="x") == "Hello, x!"


@pytest.fixture(scope="module")
def narrow(clarifai):
    pass


def test_5_too_narrow(narrow):
    pass
"""


@pytest.fixture(scope="module", params=SCOPES)
def run(nested: Any, request: pytest.FixtureRequest) -> Run:
    files = {"conftest.py": CONFTEST, "test_a_first.py": FIRST, "test_b_second.py": SECOND}
    return nested(files, *SCOPES[request.param])


@pytest.mark.parametrize(
    "name",
    [
        "test_1_uses_what_the_module_has",
        "test_2_adds_to_it",
        "test_3_finds_nothing_of_it",
        "test_4_changes_what_the_module_has",
        "test_5_finds_it_as_it_was",
        "test_6_asks_for_no_more_than_its_own",
        "test_9_has_no_finding_of_another",
        "test_a_the_class_is_over",
        "test_c_begins",
    ],
)
def test_an_account_of_a_module_stays_while_those_of_its_tests_come_and_go(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.text


@pytest.mark.parametrize("name", ["test_1_empty", "test_2_session", "test_3_within"])
def test_an_account_of_the_session_comes_with_the_first_test_that_asks_for_it(run: Run, name: str) -> None:
    assert run.outcome(name) == "PASSED", run.text


def test_a_test_within_an_account_needs_no_fixture_of_its_own(run: Run) -> None:
    assert run.outcome("test_4_needs_no_fixture_any_more") == "PASSED", run.text


def test_a_finding_fails_the_test_that_made_the_call_alone(run: Run) -> None:
    assert run.outcome("test_8_of_a_class") == "FAILED"
    assert run.text.count("out-of-range: echo_params()") == 1


def test_a_fixture_that_lasts_longer_than_a_test_is_told_what_to_use(run: Run) -> None:
    assert "The account `clarifai` is one test's. Fixtures that last longer use clarifai_class," in run.text
