"""Tests what is said where the light distribution leaves something out."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli.output import USAGE, failure_of
from clarifai_emulator.errors import LeftOut
from clarifai_emulator.left_out import of_the_whole


def test_a_missing_part_says_what_to_install() -> None:
    with pytest.raises(LeftOut) as raised, of_the_whole("`contract fuzz`"):
        raise ModuleNotFoundError("No module named 'clarifai_emulator_check.cli.contract_fuzz'")
    assert raised.value.message == "`contract fuzz` is not part of clarifai-emulator-check."
    assert raised.value.hint == "Install the whole emulator: pip install clarifai-emulator"


def test_its_sentence_begins_with_a_capital_letter() -> None:
    with (
        pytest.raises(LeftOut, match=r"^Asking a control plane is not part of "),
        of_the_whole("asking a control plane"),
    ):
        raise ModuleNotFoundError("No module named 'grpc'")


def test_a_command_that_needs_it_ends_with_exit_code_2() -> None:
    failure = failure_of(LeftOut("This is not part of it.", hint="Install the whole emulator."))
    assert (failure.exit_code, failure.message, failure.hint) == (
        USAGE,
        "This is not part of it.",
        "Install the whole emulator.",
    )


def test_what_is_there_is_imported_and_other_errors_pass() -> None:
    with of_the_whole("this"):
        import json
    assert json.loads("1") == 1
    with pytest.raises(ZeroDivisionError), of_the_whole("this"):
        raise ZeroDivisionError
