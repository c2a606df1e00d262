"""Tests the command line of the light distribution."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.light_main import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lint"], "No such command 'lint'. Did you mean 'check' or 'contract'?"),
        (["types"], "No such command 'types'. Did you mean 'stubs'?"),
        (["up"], "No such command 'up'. There are: check, contract, stubs, completion."),
        (["contract", "verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["check", "app.py"], "Give at least one --model DIR"),
    ],
)
def test_command_lines_that_cannot_be_understood(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, words, prog_name="clarifai-emulator-check")
    assert done.exit_code == 2
    assert said in done.output


def test_its_help_lists_the_three_commands() -> None:
    done = CliRunner().invoke(cli, ["--help"], prog_name="clarifai-emulator-check")
    assert done.exit_code == 0
    commands = done.output.partition("Commands:")[2].split()
    assert [each for each in ("check", "contract", "stubs", "up", "deploy") if each in commands] == [
        "check",
        "contract",
        "stubs",
    ]


@pytest.mark.parametrize(
    "words",
    [[], ["check"], ["stubs"], ["contract"], *(["contract", name] for name in ("show", "lock", "diff", "verify"))],
)
def test_help_fits_into_a_terminal_of_eighty_columns_and_has_examples(words: list[str]) -> None:
    name = "clarifai-emulator-check"
    done = CliRunner().invoke(cli, [*words, "--help"], prog_name=name, terminal_width=80)
    # The light distribution has a longer name.
    lines = done.output.replace(f"    {name} ", "    clarifai-emulator ").splitlines()
    assert [each for each in lines if len(each) > 80] == []
    assert "Examples:" in done.output
