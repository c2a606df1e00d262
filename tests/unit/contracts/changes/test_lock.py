"""The lock file: readable, in a stable order, and exactly what was locked when it is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.changes.compare import changes
from clarifai_emulator.contracts.changes.lock import Promise, read_lock, write_lock
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from clarifai_emulator.errors import ConfigError

MODELS = Path(__file__).parents[4] / "fixtures" / "models"


@pytest.fixture(scope="module")
def contracts() -> list[ModelContract]:
    return read_many([MODELS / "types", MODELS / "hello"], static=True)


def promises(contracts: list[ModelContract]) -> list[Promise]:
    return [Promise(each.name, each.methods) for each in contracts]


def test_what_is_read_is_what_was_written(contracts: list[ModelContract], tmp_path: Path) -> None:
    file = tmp_path / "clarifai.contract.yaml"
    file.write_text(write_lock(promises(contracts)))
    read = {each.name: each.methods for each in read_lock(file)}
    assert list(read) == ["me/demo/models/hello", "me/demo/models/types"]
    for contract in contracts:
        assert len(read[contract.name]) == len(contract.methods)
        assert changes(contract.methods, read[contract.name]) == []


def test_the_order_of_models_and_methods_does_not_matter(contracts: list[ModelContract]) -> None:
    turned = [Promise(each.name, tuple(reversed(each.methods))) for each in reversed(contracts)]
    assert write_lock(turned) == write_lock(promises(contracts))


def test_it_can_be_reviewed(contracts: list[ModelContract]) -> None:
    text = write_lock(promises(contracts))
    assert "version: 1\nmodels:\n  me/demo/models/hello:\n    generate:\n" in text
    assert "      call: 'predict(prompt: str, n: int = 1) -> str'\n" in text
    assert "greets" not in text, "docstrings are no part of it"
    assert "- name: n\n          type: INT\n          default: '1'\n" in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 2\n", "version must be 1, got 2"),
        ("- a\n", "version must be 1, got None"),
        (
            "version: 1\nmodels: " + "[" * 50_000,
            "it is nested deeper than `clarifai-emulator contract lock` ever writes",
        ),
        (
            "version: 1\nmodels: &all\n  a: *all\n",
            "it has references, which `clarifai-emulator contract lock` never writes",
        ),
        ("version: 1\nmodels: {a/b/models/c: [x]}\n", "models.a/b/models/c must be methods by name"),
        (
            "version: 1\nmodels: {a/b/models/c: {predict: {}}}\n",
            "models.a/b/models/c.predict.signature is no method signature: 'signature'",
        ),
    ],
)
def test_a_file_that_is_no_lock_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "clarifai.contract.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        read_lock(file)
    assert raised.value.problems == (problem,)
    assert str(file) in raised.value.what
