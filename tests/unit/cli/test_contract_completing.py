"""Tests how words of the contract commands are completed."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from clarifai_emulator.cli.light_main import cli


@pytest.mark.parametrize(
    ("words", "incomplete", "completed"),
    [
        (["contract", "rules"], "unknown-arg", [("plain", "unknown-argument")]),
        (["check", "--severity"], "unknown-arg", [("plain", "unknown-argument=")]),
        (["check", "--severity"], "unknown-argument=w", [("plain", "unknown-argument=warning")]),
        (["check", "--output"], "s", [("plain", "sarif:")]),
        (["check", "--model"], "mod", [("dir", "mod")]),
        (["check"], "app", [("file", "app")]),
        (["stubs"], "", [("dir", "")]),
        (["contract", "verify"], "mod", [("dir", "mod")]),
        (["contract", "diff"], "cla", [("file", "cla")]),
        (["contract", "lock"], "cla", [("file", "cla")]),
        (["contract", "show"], "mod", [("file", "mod")]),
    ],
)
def test_words_are_completed(words: list[str], incomplete: str, completed: list[tuple[str, str]]) -> None:
    found = ShellComplete(cli, {}, "clarifai-emulator-check", "_X").get_completions(words, incomplete)
    assert [(each.type, each.value) for each in found] == completed
