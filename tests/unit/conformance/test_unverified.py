"""Refusals name the row of the fidelity table that they stand on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from clarifai_emulator.conformance import unverified
from clarifai_emulator.conformance.fidelity_rows import FidelityRow, rows_by_id
from clarifai_emulator.conformance.run_files import Verified
from clarifai_emulator.conformance.unverified import is_unverified, stood_on

PRODUCT = Path(__file__).parents[3] / "emulator" / "clarifai_emulator"


def test_every_row_that_a_refusal_names_is_in_the_table() -> None:
    named = {
        keyword.value.value: file.name
        for file in PRODUCT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "row" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    }
    assert len(named) > 20
    assert {name: file for name, file in named.items() if name not in rows_by_id()} == {}


def test_what_it_says_of_refusals() -> None:
    [line] = stood_on(["dispatch.load-fails", "dispatch.load-fails"])
    assert line.startswith(
        "2 refusals are our choice: row dispatch.load-fails of docs/fidelity.md: A model that fails"
    )


@pytest.mark.parametrize(
    ("row", "verified", "is_expected"),
    [
        (FidelityRow("a.b", "what", "", "documented"), {}, False),
        (FidelityRow("a.b", "what", "", "documented", note="the code is our choice"), {}, True),
        (FidelityRow("a.b", "what", "", "our choice"), {}, True),
        (FidelityRow("a.b", "what", "", "our choice"), {"a.b:part": Verified("2027-01-01", True, 1, 1)}, False),
        (FidelityRow("a.b", "what", "", "our choice"), {"a.b": Verified("2027-01-01", False, 1, 2)}, True),
    ],
)
def test_which_rows_are_unverified(
    monkeypatch: pytest.MonkeyPatch, row: FidelityRow, verified: dict[str, Verified], is_expected: bool
) -> None:
    monkeypatch.setattr(unverified, "verified", lambda: verified)
    assert is_unverified(row) is is_expected
