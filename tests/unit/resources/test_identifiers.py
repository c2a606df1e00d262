"""Ids: which are allowed, and help with mistyped ones."""

from __future__ import annotations

import pytest

from clarifai_emulator.resources.identifiers import fresh_id, id_hint, id_problem


@pytest.mark.parametrize("identifier", ["a", "A-b_9", "x" * 64, "deploy-cc-aws-us-east-1"])
def test_a_valid_id(identifier: str) -> None:
    assert id_problem(identifier) == ""


@pytest.mark.parametrize(
    ("identifier", "problem"),
    [
        ("", "must not be empty"),
        ("me", "'me' is reserved: it stands for the caller"),
        ("x" * 65, "use 1 to 64 characters out of letters, digits, '-' and '_'"),
        ("a.b", "'a.b' is not a valid id: use 1 to 64 characters"),
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


def test_what_was_probably_meant() -> None:
    assert id_hint("gpu-pol", ["gpu-pool", "cpu"], noun="nodepool") == "Did you mean 'gpu-pool'?"
    assert id_hint("x", ["a"], noun="nodepool") == "There is 'a'."
    assert id_hint("x", ["b", "a"], noun="nodepool") == "There are 'a', 'b'."
    assert id_hint("x", [], noun="nodepool") == "There is no nodepool yet."
    assert id_hint("x", map(str, range(20)), noun="nodepool").endswith(", ….")
