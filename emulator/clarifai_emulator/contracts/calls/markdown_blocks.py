"""Finds the blocks of code in Markdown, each with its language and the place of its lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.notebooks import NotebookCell

# Blocks stand in lists and in quotations, too.
_BEFORE = r"(?P<before>[ \t]*(?:>[ \t]?)*[ \t]*)"
_OPENED = re.compile(rf"{_BEFORE}(?P<mark>`{{3,}}|~{{3,}})[ \t]*(?P<info>[^`\n]*)$")
_LANGUAGE = re.compile(r"\{?\.?(?P<name>[A-Za-z+-]+)")
_PYTHON = frozenset({"python", "py", "python3", "pycon", "ipython"})


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """A block of code. ``language``: the first word behind its mark, in small letters; ``line``: the number of its
    first line in the file, from 1; ``lines``: without what stands before all of them; ``shifts``: how many
    characters that is, of each line."""

    language: str
    line: int
    lines: Sequence[str]
    shifts: Sequence[int]


def markdown_blocks(text: str) -> Iterator[MarkdownBlock]:
    """Yield the fenced blocks. One that is not closed goes on to the end."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        opened = _OPENED.match(lines[number])
        number += 1
        if opened is None:
            continue
        closed = re.compile(rf"[ \t>]*{re.escape(opened['mark'][0])}{{{len(opened['mark'])},}}[ \t]*$")
        end = next((index for index in range(number, len(lines)) if closed.match(lines[index])), len(lines))
        shifts = [_shift(each, len(opened["before"])) for each in lines[number:end]]
        inner = [each[shift:] for each, shift in zip(lines[number:end], shifts, strict=True)]
        language = _LANGUAGE.match(opened["info"].strip())
        yield MarkdownBlock(language["name"].lower() if language else "", number + 1, inner, shifts)
        number = end + 1


def _shift(line: str, most: int) -> int:
    """Return how many characters of a line stand before the code: as many as before the mark, where it has them."""
    return next((index for index, each in enumerate(line[:most]) if each not in " \t>"), min(most, len(line)))


def markdown_cells(text: str) -> list[NotebookCell]:
    """Return all lines of the file as cells, of which the blocks in Python are code and the rest is not."""
    lines = text.split("\n")
    cells: list[NotebookCell] = []
    done = 0
    for block in markdown_blocks(text):
        if block.language in _PYTHON and block.lines:
            start = block.line - 1
            cells += [_prose(lines[done:start], done), _code(block)] if start > done else [_code(block)]
            done = start + len(block.lines)
    return [*cells, _prose(lines[done:], done)] if done < len(lines) else cells


def _prose(lines: Sequence[str], start: int) -> NotebookCell:
    return NotebookCell(0, "\n".join(lines), "markdown", 0, start + 1)


def _code(block: MarkdownBlock) -> NotebookCell:
    return NotebookCell(0, "\n".join(block.lines), "python", 0, block.line, tuple(block.shifts))
