"""Holds code that stands inside of another file, and where each part of it stands there.

Makefiles, Dockerfiles, YAML, Markdown ─► EmbeddedCode, one for each command or block ─► ForeignSource
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_SHELL_OPTIONS = frozenset({"-c", "-ec", "-lc", "-xc", "-exc", "-euc", "-euxc"})


@dataclass(frozen=True, slots=True)
class CodePiece:
    """A part of a line of code. ``start``: its column in the code, from 0; ``line``, ``column``: its place in the
    file, from 1. ``is_fixed``: the file writes it another way, so that all of it has this one place."""

    start: int
    line: int
    column: int
    is_fixed: bool = False


class EmbeddedCode:
    """Code, put together piece by piece. ``language``: as ``syntax_trees.py`` calls it."""

    def __init__(self, language: str, first_row: int = 0) -> None:
        """Begin without any. ``first_row``: the row behind assignments that come first."""
        self.language = language
        self.first_row = first_row
        self._texts: list[str] = [""]
        self._pieces: list[list[CodePiece]] = [[]]

    @property
    def text(self) -> str:
        return "\n".join(self._texts)

    def add(self, text: str, line: int, column: int, *, is_fixed: bool = False) -> None:
        """Add text that begins at this place of the file. Further lines of it have the place of the first."""
        for number, each in enumerate(text.split("\n")):
            if number:
                self.end_line()
            self._pieces[-1].append(CodePiece(len(self._texts[-1]), line, column, is_fixed or number > 0))
            self._texts[-1] += each

    def end_line(self) -> None:
        """Begin a new line of the code."""
        self._texts.append("")
        self._pieces.append([])

    def extend(self, other: EmbeddedCode) -> None:
        """Add all lines of other code, and begin a new line."""
        self._texts[-1:] = [*other._texts, ""]
        self._pieces[-1:] = [*other._pieces, []]

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Return the place in the file, both from 1, of a place in the code, both from 0."""
        row = min(row, len(self._pieces) - 1)
        while row > 0 and not self._pieces[row]:
            row, column = row - 1, len(self._texts[row - 1])
        pieces = self._pieces[row]
        if not pieces:
            return (1, 1)
        piece = pieces[max(bisect_right([each.start for each in pieces], column) - 1, 0)]
        return (piece.line, piece.column + (0 if piece.is_fixed else column - piece.start))


@dataclass(frozen=True, slots=True)
class CommandWord:
    """A word of a command that is written as a list. ``line``, ``column``: where it stands, from 1."""

    text: str
    line: int
    column: int


def listed_command(words: Sequence[CommandWord]) -> EmbeddedCode:
    """Return a command that is written as a list of its words, as a shell would have it; the command that is given
    to a shell in such a list, itself."""
    names = [each.text for each in words]
    if names and names[0] in ("CMD", "CMD-SHELL"):
        words, names = words[1:], names[1:]
    code = EmbeddedCode("bash")
    option = next((index for index, each in enumerate(names[:-1]) if each in _SHELL_OPTIONS), None)
    if names and names[0].rpartition("/")[2] in _SHELLS and option is not None:
        words = words[option + 1 : option + 2]
        code.add(words[0].text, words[0].line, words[0].column, is_fixed=True)
        return code
    if len(words) == 1:
        code.add(words[0].text, words[0].line, words[0].column, is_fixed=True)
        return code
    for each in words:
        quoted = each.text.replace('"', '\\"')
        code.add(f'"{quoted}" ', each.line, each.column, is_fixed=True)
    return code


def with_assignments(assignments: EmbeddedCode, code: EmbeddedCode) -> EmbeddedCode:
    """Return the code with assignments before it, which say what its variables stand for."""
    whole = EmbeddedCode(code.language, assignments.text.count("\n") + 1)
    whole.extend(assignments)
    whole.extend(code)
    return whole


def assign(assignments: EmbeddedCode, name: str, value: str, line: int, column: int) -> None:
    """Add an assignment. The value may name other variables."""
    quoted = value.strip().strip("\"'").replace('"', '\\"')
    assignments.add(f'{name}="{quoted}"', line, column, is_fixed=True)
    assignments.end_line()


def lines_from(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, from 1."""
    yield from enumerate(text.split("\n"), 1)
