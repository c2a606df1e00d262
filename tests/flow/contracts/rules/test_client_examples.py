"""The example of each rule about clients: wrong breaks it and no other, right breaks none."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import GivenModel, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.rules.example import Example, examples
from flow.contracts.rules.edited import apply, code_of
from flow.contracts.rules.example_files import write_client, write_models
from flow.contracts.rules.example_groups import CLIENTS

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
Found = dict[str, list[str]]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> list[KnownModel]:
    own = [GivenModel(each) for each in write_models(tmp_path_factory.mktemp("models")).values()]
    fixtures = [
        GivenModel(FIXTURES / name, f"me/main/models/{known_as}")
        for name, known_as in (("openai", "chat"), ("mcp", "tools"))
    ]
    return read_models([*own, *fixtures], None)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, known: list[KnownModel]) -> Found:
    """Check all of them at once; return the findings by ``wrong/RULE`` and ``right/RULE``."""
    folder = tmp_path_factory.mktemp("clients")
    for rule in CLIENTS:
        example: Example = examples()[rule]
        write_client(folder / "wrong" / rule, example, example.wrong)
        write_client(folder / "right" / rule, example, example.right)
    by_place: Found = defaultdict(list)
    for each in check_known([folder], known).findings:
        assert each.location is not None
        place = "/".join(each.location.path.relative_to(folder).parts[:2])
        by_place[place].append(f"{each.rule}: {each.message}")
    return by_place


@pytest.mark.parametrize("rule", sorted(CLIENTS))
def test_what_is_wrong_breaks_this_rule_alone_and_what_is_right_breaks_none(found: Found, rule: str) -> None:
    assert {each.partition(":")[0] for each in found[f"wrong/{rule}"]} == {rule}, found[f"wrong/{rule}"]
    assert found[f"right/{rule}"] == []


EDITED = frozenset(
    {
        "awaited-once", "awaited-twice", "bool-for-number", "bytes-for-text", "extra-argument", "ignored-argument",
        "method-not-called", "none-argument", "not-a-choice", "not-awaited", "repeated-argument",
        "stream-not-iterator", "sync-in-async", "taken-as-batch", "text-for-list", "unknown-argument",
        "unknown-method", "unknown-tool",
    }
)  # fmt: skip


def test_a_change_that_is_proposed_makes_of_what_is_wrong_what_is_right(
    tmp_path: Path, known: list[KnownModel]
) -> None:
    """Other tests check, and run, what is right."""
    for rule in CLIENTS:
        write_client(tmp_path / rule, examples()[rule], examples()[rule].wrong)
    edits = {each.rule: each.edit for each in check_known([tmp_path], known).findings if each.edit is not None}
    assert edits.keys() == EDITED
    for rule, edit in edits.items():
        apply(edit)
        mended = code_of(edit.location.path)
        assert mended.rstrip("\n").endswith(examples()[rule].right), rule
