"""Contracts appear in tests: as findings, lock files, coverage of methods, and models as tests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import MODELS, Run

TESTS = """
import pytest

HELLO, TYPES = "hello", "{models}/types"


def test_out_of_range(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=99.0)


@pytest.mark.clarifai_contract("warn")
def test_warned(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", tokens=9999)


@pytest.mark.clarifai_contract(allow=["out-of-range"])
def test_on_purpose(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=99.0)
    assert [each["rule"] for each in clarifai.calls[0].findings] == ["out-of-range"]


@pytest.mark.clarifai_contract("loud")
def test_no_such_mode(clarifai):
    clarifai.deploy(HELLO)


def test_matches(clarifai):
    hello = clarifai.deploy(HELLO)
    hello.model.predict(prompt="x")
    hello.assert_matches_contract("clarifai.contract.yaml")
    clarifai.assert_matches_contract("clarifai.contract.yaml")


def test_does_not_match(clarifai):
    clarifai.deploy(HELLO).assert_matches_contract("old.yaml")


def test_lock_of_others(clarifai):
    clarifai.deploy(TYPES).assert_matches_contract("clarifai.contract.yaml")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a client project with a model, a lock file of it, and an older one."""
    from clarifai_emulator.contracts.changes.lock import Promise, write_lock
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures

    folder = tmp_path_factory.mktemp("contracts")
    shutil.copytree(MODELS / "hello", folder / "hello")
    contract = read_signatures(folder / "hello")
    text = write_lock([Promise(contract.name, contract.methods)])
    (folder / "clarifai.contract.yaml").write_text(text)
    (folder / "old.yaml").write_text(
        text.replace("name: prompt\n", "name: text\n").replace("prompt: str", "text: str")
    )
    return folder


@pytest.fixture(scope="module")
def run(nested: Any, project: Path) -> Run:
    options = ("--clarifai-contract-coverage-fail-under", "50", "--junitxml=junit.xml", "test_contracts.py")
    return nested({"test_contracts.py": TESTS}, *options, into=project)


def test_a_finding_fails_the_test_that_made_the_call(run: Run) -> None:
    assert run.outcome("test_out_of_range") == "FAILED"
    text = run.failure("test_out_of_range")
    assert "1 call does not match the model's signature:" in text
    assert "out-of-range: echo_params(): argument 'temperature' is 99.0, and 0.1 to 1 is declared." in text
    assert "call:      echo_params(prompt='x', temperature=99.0)" in text
    assert "signature: echo_params(prompt: str, temperature: float = 0.5, " in text
    assert re.search(r"place: +\S+types/1/model.py:\d+", text)
    assert "hint:      Keep to the range that the message names." in text
    assert "`--clarifai-contract warn` only tells; `@pytest.mark.clarifai_contract(allow=[RULE])` is for" in text


def test_a_warning_stands_at_the_end(run: Run) -> None:
    assert run.outcome("test_warned") == "PASSED"
    section = run.text.partition("clarifai: contract findings")[2]
    assert "test_contracts.py::test_warned" in section
    assert "argument 'tokens' is 9999" in section


def test_what_is_on_purpose_is_not_told(run: Run) -> None:
    assert run.outcome("test_on_purpose") == "PASSED"
    assert "test_contracts.py::test_on_purpose\n  out-of-range" not in run.text


def test_a_mark_with_another_mode(run: Run) -> None:
    assert "clarifai_contract takes strict, warn, off, found 'loud'." in run.text


def test_lock_files(run: Run) -> None:
    assert run.outcome("test_matches") == "PASSED"
    text = run.failure("test_does_not_match")
    assert "me/demo/models/hello does not keep old.yaml:" in text
    assert (
        "parameter-renamed: predict(): argument 'text' (str) is gone, and 'prompt' of the same type is new." in text
    )
    text = run.failure("test_lock_of_others")
    assert "clarifai.contract.yaml says nothing of me/demo/models/types. Write it with `clarifai-emulator" in text


def test_methods_that_no_test_calls_are_listed(run: Run) -> None:
    section = run.text.partition("clarifai: methods that tests call")[2]
    assert "2 of 28 methods of 2 models were called (7 %)" in section
    assert "me/demo/hello: no test calls generate, stream" in section
    assert "FAIL: 7.1 % is less than the 50 % that are required" in section


def test_coverage_is_in_the_junit_file(run: Run) -> None:
    text = (run.folder / "junit.xml").read_text()
    assert '<property name="clarifai_contract_coverage" value="7.1" />' in text
    assert '<property name="clarifai_called" value="me/demo/hello.predict" />' in text


@pytest.mark.parametrize("scope", ["worker", "shared"])
@pytest.mark.slow
def test_coverage_and_locks_know_a_model_under_one_name_in_every_worker(
    nested: Any, project: Path, scope: str
) -> None:
    test = """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_call(clarifai, number):
            name = f"{clarifai.user_id}-acme/demo/models/hello" if number >= 3 else ""
            hello = clarifai.deploy("hello", model=name)
            method = ("predict", "generate", "stream")[number % 3]
            argument = {"prompts": iter(["x"])} if method == "stream" else {"prompt": "x"}
            assert list(getattr(hello.model, method)(**argument))
            if not name:
                hello.assert_matches_contract("clarifai.contract.yaml")
        """
    options = ("-n", "2", "--clarifai-contract-coverage", "--clarifai-scope", scope, "test_names.py")
    run = nested({"test_names.py": test}, *options, into=project)
    assert "6 of 6 methods of 2 models were called (100 %)" in run.text, run.text
    assert run.code == 0


@pytest.mark.slow
def test_coverage_is_merged_over_workers_and_may_fail_the_run(nested: Any, project: Path) -> None:
    test = """
        import pytest

        @pytest.mark.parametrize("method", ["predict", "generate"])
        def test_call(clarifai, method):
            list(getattr(clarifai.deploy("hello").model, method)(prompt="x"))
        """
    files = {"test_two.py": test}
    options = ("-n", "2", "--dist", "each", "--dist", "load", "test_two.py")
    run = nested(files, *options, "--clarifai-contract-coverage-fail-under", "60", into=project)
    assert "2 of 3 methods of 1 model were called (67 %)" in run.text
    assert "me/demo/hello: no test calls stream" in run.text
    assert run.code == 0
    run = nested(files, *options, "--clarifai-contract-coverage-fail-under", "90", into=project)
    assert "2 passed" in run.text
    assert "FAIL: 66.7 % is less than the 90 % that are required" in run.text
    assert run.code == 1


@pytest.fixture(scope="module")
def items(nested: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `pytest models/`, with a model that is fine, one that is not, and a lock file."""
    from clarifai_emulator.contracts.changes.lock import Promise, write_lock
    from clarifai_emulator.contracts.signatures.read_signatures import read_signatures

    folder = tmp_path_factory.mktemp("items")
    for name in ("hello", "crash_unsignable"):
        shutil.copytree(MODELS / name, folder / "models" / name)
    contract = read_signatures(folder / "models" / "hello")
    gone = Promise("me/demo/models/gone", contract.methods)
    (folder / "models" / "clarifai.contract.yaml").write_text(
        write_lock([Promise(contract.name, contract.methods), gone])
    )
    source = folder / "models" / "hello" / "1" / "model.py"
    broken = 'for word in f"Hello, {prompt}!".split():'
    assert broken in source.read_text()
    source.write_text(source.read_text().replace(broken, f"assert prompt\n        {broken}"))
    return nested({}, "models", into=folder)


@pytest.mark.parametrize("name", ["config", "signatures", "fuzz[predict]", "fuzz[stream]"])
@pytest.mark.slow
def test_what_holds_of_a_model_passes(items: Run, name: str) -> None:
    assert f"models/hello/config.yaml::{name} PASSED" in items.text


@pytest.mark.slow
def test_a_method_that_breaks_is_told_with_its_smallest_call(items: Run) -> None:
    assert "models/hello/config.yaml::fuzz[generate] FAILED" in items.text
    assert "crashing-method: generate(): fails for prompt=''" in items.text


def test_a_method_is_called_no_longer_than_the_option_says(nested: Any, items: Run) -> None:
    run = nested({}, "models/hello", "-k", "generate", "--clarifai-fuzz-seconds", "0", into=items.folder)
    assert "models/hello after 1 call:" in run.text
    assert "models/hello after 1 call:" not in items.text


def test_signatures_that_cannot_be_built(items: Run) -> None:
    assert "models/crash_unsignable/config.yaml::signatures FAILED" in items.text
    assert "crash_unsignable cannot be built:" in items.text


def test_promises_are_held_against_the_models(items: Run) -> None:
    assert "models/clarifai.contract.yaml::lock[me/demo/models/hello] PASSED" in items.text
    assert "models/clarifai.contract.yaml::lock[me/demo/models/gone] FAILED" in items.text
    assert "names me/demo/models/gone, and no model directory" in items.text


def test_models_are_collected_only_when_they_are_named(nested: Any, items: Run) -> None:
    run = nested({"test_a.py": "def test_a():\n    pass\n"}, "--collect-only", "-q", into=items.folder)
    assert "1 test collected" in run.text
