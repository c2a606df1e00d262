"""Holds a client file, as it is and as the type checker sees it, and maps places between the two."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clarifai_emulator.contracts.calls.notebooks import Cells, read_notebook
from clarifai_emulator.contracts.rules.finding import Location

Position = tuple[int, int]  # line and column in characters, both from 1
# What has names of its own.
SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Insertion:
    """Text that the checked copy has at a place of the file, in characters from 1, instead of the next ``replaced``
    characters."""

    line: int
    column: int
    text: str
    replaced: int = 0


class Source:
    """A client file. ``text`` is what is parsed; of a notebook, its code cells as one text."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self._cells: Cells | None = None
        # utf-8-sig: a byte order mark is no part of the code.
        text = content.decode("utf-8-sig")
        if path.suffix == ".ipynb":
            self._cells = read_notebook(text)
            text = self._cells.text
        self.text = text.replace("\r\n", "\n")
        self._insertions: dict[int, list[Insertion]] = {}
        self._lines_before = 0

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree of ``text``. Raises ``SyntaxError``."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def parents(self) -> Mapping[ast.AST, ast.AST]:
        """Return the node that holds each node."""
        return self._walked[0]

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """Return every node of the tree: walking it again for each question would take most of the time."""
        return self._walked[1]

    @property
    def inside(self) -> Mapping[ast.AST, Sequence[ast.AST]]:
        """Return the nodes of each scope, from the outside in; of scopes within it only their own node."""
        return self._walked[2]

    @cached_property
    def calls(self) -> Sequence[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def attributes(self) -> Sequence[ast.Attribute]:
        return [node for node in self.nodes if isinstance(node, ast.Attribute)]

    @cached_property
    def global_names(self) -> frozenset[str]:
        """Names that a function binds outside of itself."""
        return frozenset(name for node in self.nodes if isinstance(node, ast.Global) for name in node.names)

    @cached_property
    def _walked(self) -> tuple[dict[ast.AST, ast.AST], list[ast.AST], dict[ast.AST, list[ast.AST]]]:
        parents: dict[ast.AST, ast.AST] = {}
        nodes: list[ast.AST] = [self.tree]
        inside: dict[ast.AST, list[ast.AST]] = {self.tree: []}
        # Node → the nodes of the scope that its children belong to.
        siblings: dict[ast.AST, list[ast.AST]] = {self.tree: inside[self.tree]}
        for node in nodes:  # grows while it is walked
            among = siblings[node]
            for name in node._fields:
                value = getattr(node, name, None)
                for child in value if isinstance(value, list) else (value,):  # pyright: ignore[reportUnknownVariableType]
                    # Contexts and operators are shared between nodes, and nobody asks for them.
                    if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                        parents[child] = node
                        nodes.append(child)
                        among.append(child)
                        siblings[child] = inside.setdefault(child, []) if isinstance(child, SCOPES) else among
        return parents, nodes, inside

    @property
    def is_notebook(self) -> bool:
        return self._cells is not None

    def start(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> Position:
        """Return where the node begins in ``text``."""
        return (node.lineno, self._column(node.lineno, node.col_offset))

    def end(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> Position:
        """Return where the node ends in ``text``, behind its last character."""
        line, column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return (line, self._column(line, column))

    def location(self, node: ast.expr | ast.stmt | ast.keyword | ast.arg) -> Location:
        """Return where the node stands in the file."""
        return self.located(self.start(node), self.end(node))

    def located(self, start: Position, end: Position) -> Location:
        """Return where a range of ``text`` stands in the file: of a notebook, in its cell."""
        if self._cells is None:
            return Location(self.path, *start, *end)
        places = self._cells.places
        cell, line = places[min(start[0], len(places)) - 1]
        _, end_line = places[min(end[0], len(places)) - 1]
        return Location(self.path, line, start[1], end_line, end[1], cell)

    def insert(self, insertions: Iterable[Insertion], header: str = "") -> str:
        """Return ``text`` with the insertions, which keep every line where it is; ``header``: a line before it."""
        self._insertions = {}
        self._lines_before = 1 if header else 0
        for each in insertions:
            self._insertions.setdefault(each.line, []).append(each)
        lines = list(self.lines)
        for number, several in self._insertions.items():
            several.sort(key=lambda each: each.column)
            line = lines[number - 1]
            for each in reversed(several):
                line = line[: each.column - 1] + each.text + line[each.column - 1 + each.replaced :]
            lines[number - 1] = line
        return "\n".join([header, *lines] if header else lines)

    def original(self, position: Position) -> Position:
        """Find the place in ``text`` of a place in the checked copy."""
        line, column = position[0] - self._lines_before, position[1]
        shift = 0
        for each in self._insertions.get(line, ()):
            if column - shift <= each.column:
                break
            shift += min(len(each.text) - each.replaced, column - shift - each.column)
        return (line, column - shift)

    def cell_lines(self, cell: int) -> Sequence[str]:
        """Return the lines of one cell, or of the file."""
        if self._cells is None:
            return self.lines
        return [line for line, place in zip(self.lines, self._cells.places, strict=False) if place[0] == cell]

    @property
    def cells(self) -> tuple[int, ...]:
        """Return the numbers of the code cells; 0 for a file that is no notebook."""
        if self._cells is None:
            return (0,)
        return tuple(dict.fromkeys(cell for cell, _ in self._cells.places))

    def _column(self, line: int, byte_column: int) -> int:
        text = self.lines[line - 1]
        if text.isascii():
            return byte_column + 1
        return len(text.encode()[:byte_column].decode(errors="ignore")) + 1


class Spans:
    """Ranges that may be looked up by a place in them; of several the innermost is found."""

    def __init__(self, ranges: Iterable[tuple[Position, Position, ast.AST]]) -> None:
        self._ranges = sorted(ranges, key=lambda each: (each[0], (-each[1][0], -each[1][1])))
        self._starts = [start for start, _, _ in self._ranges]

    def at(self, position: Position) -> ast.AST | None:
        """Return the innermost range that holds the place."""
        for index in range(bisect_right(self._starts, position) - 1, -1, -1):
            _, end, node = self._ranges[index]
            if position < end:
                return node
        return None
