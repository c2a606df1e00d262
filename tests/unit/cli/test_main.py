"""Tests the command lines that cannot be understood."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.main import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["route"], "Give a MODEL, or --deployment."),
        (["route", "m", "--cluster", "c"], "--cluster and --nodepool belong together: give both."),
        (["predict", "m", "--nodepool", "n"], "--cluster and --nodepool belong together: give both."),
        (["predict", "m", "--nodepool", "n", "--cluster", "c", "--deployment", "d"], "not to both."),
        (["deploy"], "Missing argument 'DIR'."),
        (["stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (["STATUS"], "No such command 'STATUS'. Did you mean 'status'?"),
        (["xyzzy"], "No such command 'xyzzy'. There are: up, env, "),
        (["ps"], "No such command 'ps'. Did you mean 'status'?"),
        (["ls"], "No such command 'ls'. Did you mean 'status'?"),
        (["list"], "No such command 'list'. Did you mean 'status'?"),
        (["stop"], "No such command 'stop'. Did you mean 'down'"),
        (["kill"], "No such command 'kill'. Did you mean 'down'"),
        (["delete", "x"], "No such command 'delete'. Did you mean "),
        (["start"], "No such command 'start'. Did you mean 'up' or 'deploy'?"),
        (["serve"], "No such command 'serve'. Did you mean 'dev' or 'deploy'?"),
        (["run", "my-model"], "No such command 'run'. Did you mean 'dev', 'deploy' or 'predict'?"),
        (["test"], "No such command 'test'. Did you mean 'check' or 'contract'?"),
        (["help"], "No such command 'help'. Did you mean 'clarifai-emulator --help'?"),
        (["help", "deploy"], "No such command 'help'. Did you mean 'clarifai-emulator deploy --help'?"),
        (["fault", "ls"], "No such command 'ls'. Did you mean 'list'?"),
        (["fault", "rm", "x"], "No such command 'rm'. Did you mean 'remove'?"),
        (["contract", "verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
        (["status", "--prot", "1"], "--prot'. Did you mean '--port'?"),
        (["env", "--topology", "f"], "'--topology'. It is an option of `clarifai-emulator up`"),
        (["--port", "1", "status"], "Write it after the command: 'clarifai-emulator COMMAND --port'."),
    ],
)
def test_command_lines_that_cannot_be_understood(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, words, prog_name="clarifai-emulator")
    assert done.exit_code == 2
    assert said in done.output
