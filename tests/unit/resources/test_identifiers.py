"""Ids: which are allowed, and help with mistyped ones."""

from __future__ import annotations

import pytest

from clarifai_emulator.resources.identifiers import derived_id, fresh_id, id_hint, id_problem


@pytest.mark.parametrize("identifier", ["a", "A-b_9", "x" * 48, "deploy-cc-aws-us-east-1"])
def test_a_valid_id(identifier: str) -> None:
    assert id_problem(identifier) == ""


@pytest.mark.parametrize(
    ("identifier", "problem"),
    [
        ("", "id must be between 1 and 48 characters long; this one is empty"),
        ("me", "'me' is reserved: it stands for the caller"),
        ("x" * 49, "id must be between 1 and 48 characters long; this one has 49"),
        ("a.b", "'a.b' is not a valid id: use letters, digits, '-' and '_'"),
        ("a b", "'a b' is not a valid id"),
        ("a\n", "is not a valid id"),
        ("ä", "'ä' is not a valid id"),
    ],
)
def test_an_id_that_is_refused(identifier: str, problem: str) -> None:
    assert problem in id_problem(identifier)


def test_fresh_ids_are_32_hexadecimal_digits() -> None:
    assert len(fresh_id()) == 32
    assert int(fresh_id(), 16) != int(fresh_id(), 16)


def test_an_id_made_of_another_is_valid_and_its_own() -> None:
    assert derived_id("deploy", "hello") == "deploy-hello"
    first, second = (derived_id("deploy", "x" * 47 + end) for end in "ab")
    assert first != second
    assert id_problem(first) == id_problem(second) == ""
    assert first.startswith("deploy-xxx")


def test_what_was_probably_meant() -> None:
    assert id_hint("gpu-pol", ["gpu-pool", "cpu"], noun="nodepool") == "Did you mean 'gpu-pool'?"
    assert id_hint("x", ["a"], noun="nodepool") == "There is 'a'."
    assert id_hint("x", ["b", "a"], noun="nodepool") == "There are 'a', 'b'."
    assert id_hint("x", [], noun="nodepool") == "There is no nodepool yet."
    assert id_hint("x", map(str, range(20)), noun="nodepool").endswith(", ….")
