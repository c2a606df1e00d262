"""Tests the words of other tools that commands are suggested for."""

from __future__ import annotations

from click import Context

from clarifai_emulator.cli.hints import _OTHER_WORDS
from clarifai_emulator.cli.main import cli


def test_every_word_of_another_tool_means_a_command_that_there_is() -> None:
    with Context(cli) as ctx:
        known = {*cli.list_commands(ctx), "list", "remove", "clear", "add", "undeploy", "topology"}
    assert {each for meant in _OTHER_WORDS.values() for each in meant} <= known
    assert not known.intersection(_OTHER_WORDS) - {"list", "remove", "clear", "add"}
