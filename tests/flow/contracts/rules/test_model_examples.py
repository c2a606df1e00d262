"""The example of each rule about model directories and their changes: wrong breaks it alone, right breaks none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.changes.gate import diff
from clarifai_emulator.contracts.changes.lock import Promise
from clarifai_emulator.contracts.changes.origins import Origin
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.example import Example, examples
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.signatures.read_signatures import ModelContract, read_many
from flow.contracts.rules.example_files import METHODS, method, write_files, write_model
from flow.contracts.rules.example_groups import CHANGES, MODELS

STATIC = frozenset({"unread-method", "unknown-default", "unknown-type"})
UPLOADED = frozenset({"upload-refused"})
PLACED = frozenset({"compute-unmet"})
SIDES = ("wrong", "right")
Contracts = dict[tuple[str, str], ModelContract]


def test_each_rule_is_read_in_one_way() -> None:
    assert not (STATIC & UPLOADED | STATIC & PLACED | UPLOADED & PLACED)
    assert (STATIC | UPLOADED | PLACED) <= MODELS


def write_example(directory: Path, example: Example, side: str) -> Path:
    """Write the model directory that one side of an example is."""
    shown = getattr(example, side)
    whole = {name: shown if name == example.file else example.beside.get(name, "") for name in _PARTS}
    code = whole["model.py"] or method(METHODS[0])
    write_model(directory, code, requirements=whole["requirements.txt"], config=whole["config.yaml"])
    write_files(directory, {name: text for name, text in example.beside.items() if name not in _PARTS})
    if example.file == "model directory":
        kept = set(shown.split())
        for name in ("config.yaml", "requirements.txt", "1/model.py"):
            if name not in kept:
                (directory / name).unlink()
        for name in kept:
            (directory / name).touch()
    return directory


_PARTS = ("model.py", "config.yaml", "requirements.txt")


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Contracts:
    """Read the directories of all examples, in as few runs as there are ways to read them."""
    folder = tmp_path_factory.mktemp("models")
    written = {
        (rule, side): write_example(folder / side / rule, examples()[rule], side)
        for rule in MODELS
        for side in SIDES
    }
    topology = [written[rule, "wrong"] / "topology.yaml" for rule in PLACED]
    ways: list[tuple[frozenset[str], dict[str, Any]]] = [
        (STATIC, {"static": True}),
        (UPLOADED, {"upload": True}),
        (PLACED, {"topology": topology}),
        (MODELS - STATIC - UPLOADED - PLACED, {}),
    ]
    result: Contracts = {}
    for rules, options in ways:
        keys = [key for key in written if key[0] in rules]
        read = read_many([written[key] for key in keys], **options)
        result.update(zip(keys, read, strict=True))
    return result


@pytest.mark.parametrize("rule", sorted(MODELS))
def test_a_model_that_is_wrong_breaks_this_rule_alone_and_one_that_is_right_breaks_none(
    contracts: Contracts, rule: str
) -> None:
    wrong, right = (contracts[rule, side].findings for side in SIDES)
    assert {each.rule for each in wrong} == {rule}, told(wrong)
    assert told(right) == []
    assert contracts[rule, "right"].methods


@pytest.fixture(scope="module")
def promises(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Promise]]:
    """Read the models of all examples of changes, before and after."""
    folder = tmp_path_factory.mktemp("changes")
    written: dict[tuple[str, str], list[Path]] = {}
    for rule in CHANGES:
        example = examples()[rule]
        for side in ("old", *SIDES):
            text = getattr(example, side)
            if example.file == "models":
                names = [line.rpartition("/")[2] for line in text.splitlines()]
                codes = {name: method(METHODS[0]) for name in names}
            else:
                codes = {"assistant": as_methods(text)} if text else {}
            written[rule, side] = [
                write_model(folder / side / rule / name, code, model_id=name) for name, code in codes.items()
            ]
    read = {each.directory: each for each in read_many([path for paths in written.values() for path in paths])}
    assert [told(each.findings) for each in read.values() if each.findings] == []
    return {
        key: [Promise(read[path.resolve()].name, read[path.resolve()].methods) for path in paths]
        for key, paths in written.items()
    }


def as_methods(text: str) -> str:
    """Return methods of a model for what an example of a change shows."""
    return re.sub(r"^(?=def )", "@ModelClass.method\n", text, flags=re.MULTILINE)


@pytest.mark.parametrize("rule", sorted(CHANGES))
def test_a_change_is_found_as_this_one_alone_and_the_right_change_breaks_nobody(
    promises: dict[tuple[str, str], list[Promise]], rule: str
) -> None:
    def found(side: str) -> tuple[Finding, ...]:
        return diff(Origin("old", tuple(promises[rule, "old"])), Origin(side, tuple(promises[rule, side]))).findings

    assert {each.rule for each in found("wrong")} == {rule}, told(found("wrong"))
    if examples()[rule].right:
        assert [each for each in told(found("right")) if not each.startswith("note")] == []
    else:
        assert RULES[rule].severity == "note"


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{each.severity} {each.rule}: {each.message}" for each in findings]
