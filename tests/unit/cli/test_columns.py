"""Tables and paragraphs fit the terminal they are shown in, and break no word."""

from __future__ import annotations

import click
import pytest

from clarifai_emulator.cli.columns import columns, output_width, paragraph

DEPLOYMENTS = [
    ["deployment", "model", "version", "state", "replicas", "in flight", "queued"],
    ["deploy-ranker", "me/demo/ranker", "55ef61cb", click.style("ready", fg="green"), "1 (1-5)", "0", "12"],
    ["deploy-a-much-longer-name", "me/demo/another", "0123abcd", "pending", "0 (1-5)", "0", "0"],
]
REASON = "The model's owner has deployment 'me/deploy-ranker' for this version; it goes to 'me/local/cpu'."
FACTS = [["rule", "owner_default"], ["because", REASON], ["nodepools", "me/local/cpu"]]


def words(lines: list[str]) -> set[str]:
    return {word for line in lines for word in click.unstyle(line).split()}


def test_columns_are_aligned_and_what_a_row_lacks_is_empty() -> None:
    assert columns([["a", "bb", "c"], ["aaa", "b"]]) == ["  a    bb  c", "  aaa  b"]


def test_columns_are_as_wide_as_their_cells() -> None:
    assert columns([["a", "bb"], ["ccc", "", "d"]]) == ["  a    bb", "  ccc      d"]


def test_a_pipe_gets_each_row_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_width() is None
    assert len(columns(FACTS)) == 3
    assert paragraph(REASON * 3) == REASON * 3


@pytest.mark.parametrize("width", [30, 60, 80, 120])
@pytest.mark.parametrize(("rows", "heading"), [(DEPLOYMENTS, True), (FACTS, False)])
def test_no_word_is_broken_nothing_is_left_out_and_all_of_it_fits(
    rows: list[list[str]], heading: bool, width: int
) -> None:
    lines = columns(rows, heading=heading, width=width)
    assert all(len(click.unstyle(line)) <= width for line in lines)
    told = {word for row in rows for cell in row for word in click.unstyle(cell).split()}
    assert told - {"deployment"} <= words(lines), "an entry begins with its name, which needs no heading"


def test_a_long_cell_goes_on_in_its_column() -> None:
    assert columns(FACTS[:2], width=60) == [
        "  rule     owner_default",
        "  because  The model's owner has deployment",
        "           'me/deploy-ranker' for this version; it goes to",
        "           'me/local/cpu'.",
    ]


def test_a_table_that_is_too_narrow_becomes_entries_with_their_headings() -> None:
    assert columns(DEPLOYMENTS[:2], heading=True, width=40) == [
        "  deploy-ranker",
        "    model me/demo/ranker",
        "    version 55ef61cb  state ready",
        "    replicas 1 (1-5)  in flight 0",
        "    queued 12",
    ]


def test_a_word_longer_than_the_terminal_stands_out_and_keeps_the_table() -> None:
    path = "/home/ada/" + "x" * 80
    lines = columns([["ok", "cache", path], ["ok", "state", "here"]], indent="", width=60)
    assert lines[-1] == "ok  state  here"
    assert path in "".join(lines)


def test_a_wrapped_cell_keeps_its_colour_in_each_line() -> None:
    cell = click.style("many words in one colour", fg="red")
    lines = columns([["a", cell]], indent="", width=16)
    assert all("\x1b[31m" in line for line in lines)


def test_paragraphs_are_wrapped_with_what_follows_indented() -> None:
    assert paragraph("Next: one two three\n  four", width=12) == "Next: one\n  two three\n  four"
    assert paragraph("", width=10) == ""
