"""Guesses at what was meant by a name that is not known."""

from __future__ import annotations

from clarifai_emulator.spelling import did_you_mean, did_you_mean_or, nearest

KNOWN = ("prompt", "loudness")


def test_the_nearest_name_is_found() -> None:
    assert nearest("promt", KNOWN) == "prompt"
    assert did_you_mean("promt", KNOWN) == "Did you mean 'prompt'?"
    assert did_you_mean("promt", KNOWN, lead=" ") == " Did you mean 'prompt'?"
    assert did_you_mean_or("promt", KNOWN, "known: both") == "did you mean 'prompt'?"


def test_of_what_is_like_nothing_there_is_no_guess() -> None:
    assert nearest("image", KNOWN) == ""
    assert did_you_mean("image", KNOWN, lead=" ") == ""
    assert did_you_mean_or("image", KNOWN, "known: both") == "known: both"


def test_a_name_so_long_is_nobodys_slip() -> None:
    assert nearest("x" * 1000, ["x" * 1001]) == ""
    assert nearest("x" * 200, ["x" * 201], longest=300) == "x" * 201
