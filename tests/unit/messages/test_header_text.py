"""Text in headers and trailers is ASCII, on one line, and short enough for every client."""

from __future__ import annotations

from clarifai_emulator.messages.header_text import LONGEST, header_text, sendable


def test_plain_text_stays_as_it_is() -> None:
    assert header_text("1/model.py:7: NameError: name 'x' is not defined") == (
        "1/model.py:7: NameError: name 'x' is not defined"
    )


def test_other_characters_are_written_in_ascii_and_lines_are_joined() -> None:
    assert header_text("Größe\n passt\tnicht \x1b[31m") == "Gr\\xf6\\xdfe passt nicht \\x1b[31m"
    assert header_text("日本") == "\\u65e5\\u672c"


def test_long_text_is_cut_and_says_so() -> None:
    found = header_text("Missing key(s): " + ", ".join(f"layers.{n}.weight" for n in range(1500)))
    assert len(found) <= LONGEST
    assert found.endswith(" ...")
    assert len(header_text("ö" * 400)) <= LONGEST


def test_what_is_not_printable_ascii_is_percent_encoded_before_it_is_sent() -> None:
    assert sendable("deploy-hello") == "deploy-hello"
    assert sendable("Größe\n") == "Gr%C3%B6%C3%9Fe%0A"
