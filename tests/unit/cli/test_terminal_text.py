"""Text of models and clients is shown on a terminal, and not obeyed by it."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli.terminal_text import inert, inert_values


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2J\x1b[Hgone", r"\x1b[2J\x1b[Hgone"),
        ("\x1b]0;my title\x07", r"\x1b]0;my title\x07"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", r"\x1b]8;;http://evil\x1b\click\x1b]8;;\x1b\ ".rstrip()),
        ("50%\x08\x08\x08", r"50%\x08\x08\x08"),
        ("a\rb", r"a\rb"),
        ("\x9b2J", r"\x9b2J"),
        ("user \u202enimda", r"user \u202enimda"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_python_writes_it(said: str, shown: str) -> None:
    assert inert(said) == shown


def test_colours_are_left_out_also_those_that_would_hide_text() -> None:
    assert inert("\x1b[31;1mred\x1b[0m and \x1b[8mhidden\x1b[m") == "red and hidden"


def test_lines_tabs_and_letters_of_every_language_stay() -> None:
    text = 'File "model.py", line 3\n\tprüfen 日本語 שלום 🙂'
    assert inert(text) is text or inert(text) == text


def test_every_text_of_an_event_is_made_inert_however_deep_and_numbers_stay() -> None:
    event = {"kind": "reload.failed", "files": ["a\x07"], "failure": {"message": "\x1b[2J", "line": 3}, "ms": 1.5}
    assert inert_values(event) == {
        "kind": "reload.failed",
        "files": [r"a\x07"],
        "failure": {"message": r"\x1b[2J", "line": 3},
        "ms": 1.5,
    }
