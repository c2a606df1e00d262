"""Holds a client file, as it is and as the type checker sees it, and maps places between the two."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from clarifai_emulator.contracts.calls.bindings import Bindings
from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind
from clarifai_emulator.contracts.calls.client_reading import (
    UnreadableClient,
    decode_client,
    parse_client,
)
from clarifai_emulator.contracts.calls.markdown_blocks import markdown_cells
from clarifai_emulator.contracts.calls.notebook_code import Cells, UnreadCell, WrittenFile, join_cells
from clarifai_emulator.contracts.calls.notebooks import has_cells, read_cells, script_cells
from clarifai_emulator.contracts.calls.syntax_walk import WalkedTree
from clarifai_emulator.contracts.rules.finding import Location

Position = tuple[int, int]  # line and column in characters, both from 1


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

    def __init__(
        self,
        path: Path,
        content: bytes,
        cells: Cells | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Read the text. ``cells``: the text, where it is no file of its own but stands in cells of the notebook
        ``path``. ``environ``: of code that runs in a replica, the variables that are known there; a client's are
        not.

        Raises ``UnreadableClient`` where it is neither text nor a notebook."""
        self.path = path
        self.environ = environ
        self.kind = client_kind(path)
        self._is_written = cells is not None
        self._cells = cells
        self._parsed: ast.Module | UnreadableClient | None = None
        self.text = cells.text if cells is not None else self._read(content)
        self._insertions: dict[int, list[Insertion]] = {}
        self._lines_before = 0
        self._bindings: dict[ast.AST, Bindings] = {}
        # Line → where its characters of several bytes are, and how many bytes they have more than one.
        self._wide: dict[int, tuple[list[int], list[int]]] = {}

    def _read(self, content: bytes) -> str:
        text = decode_client(content)
        if self.kind is ClientKind.NOTEBOOK:
            self._cells = join_cells(read_cells(text))
        elif self.kind is ClientKind.MARKDOWN:
            self._cells = replace(join_cells(markdown_cells(text)), originals={0: text.split("\n")})
        elif has_cells(text):
            try:
                self._parsed = parse_client(text)
            except UnreadableClient:
                # Editors run such a file cell by cell, with magics in it.
                self._cells = join_cells(script_cells(text))
        return self._cells.text if self._cells is not None else text

    @property
    def tree(self) -> ast.Module:
        """Return the syntax tree of ``text``. Raises ``UnreadableClient``."""
        if self._parsed is None:
            try:
                self._parsed = parse_client(self.text)
            except UnreadableClient as problem:
                self._parsed = problem
        if isinstance(self._parsed, UnreadableClient):
            raise self._parsed.with_traceback(None)
        return self._parsed

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def walked(self) -> WalkedTree:
        """Return the tree as it was walked. Raises ``UnreadableClient``."""
        tree = self.tree
        try:
            return WalkedTree(tree)
        except UnreadableClient as problem:
            self._parsed = problem
            raise

    @cached_property
    def parents(self) -> Mapping[ast.AST, ast.AST]:
        """Return the node that holds each node."""
        return self.walked.parents

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes that hold a node, from the inside out; nothing for one that is no node of the tree."""
        return self.walked.above(node)

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        """Return every node of the tree."""
        return self.walked.nodes

    @cached_property
    def inside(self) -> Mapping[ast.AST, Sequence[ast.AST]]:
        """Return the nodes of each scope, from the outside in; of scopes within it only their own node."""
        return self.walked.inside

    def bindings(self, scope: ast.AST) -> Bindings:
        """Return the names of one scope, and what each is bound to."""
        found = self._bindings.get(scope)
        if found is None:
            found = self._bindings[scope] = Bindings(scope, self.walked.binding[scope])
        return found

    @cached_property
    def calls(self) -> Sequence[ast.Call]:
        return [node for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def attributes(self) -> Sequence[ast.Attribute]:
        return [node for node in self.nodes if isinstance(node, ast.Attribute)]

    @cached_property
    def global_names(self) -> frozenset[str]:
        """Names that a function binds outside of itself."""
        binding = (node for several in self.walked.binding.values() for node in several)
        return frozenset(name for node in binding if isinstance(node, ast.Global) for name in node.names)

    @cached_property
    def replaced_methods(self) -> frozenset[str]:
        """Return the names of attributes that the file sets on objects, or patches: `setattr(model, "predict", …)`,
        `patch.object(Model, "predict")`, `patch("….Model.predict")`, `model.predict = …`."""
        names = {
            node.attr
            for node in self.attributes
            if isinstance(node.ctx, ast.Store)
            and not (isinstance(node.value, ast.Name) and node.value.id == "self")
        }
        for call in self.calls:
            name = _last_name(call.func)
            if name in ("setattr", "object", "patch"):
                given = call.args[0 if name == "patch" else 1 : 2]
                names.update(
                    each.value.rpartition(".")[2]
                    for each in given[:1] or call.args[:1]
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )
        return frozenset(names)

    @cached_property
    def guarded_names(self) -> frozenset[str]:
        """Return the names of attributes that the file looks for before it uses them:
        `if hasattr(model, "rank")`."""
        return frozenset(
            str(each.args[1].value)
            for each in self.calls
            if _last_name(each.func) == "hasattr" and len(each.args) == 2 and isinstance(each.args[1], ast.Constant)
        )

    @cached_property
    def is_notebook(self) -> bool:
        """Tell whether it runs in a notebook's event loop: in cells of a notebook, or of a Python file or Markdown
        that awaits outside of functions."""
        if self._is_written:
            return False
        awaits = ast.Await | ast.AsyncFor | ast.AsyncWith
        is_in_cells = self._cells is not None and self.kind is not ClientKind.MARKDOWN
        may_be = self._cells is not None or has_cells(self.text)
        return is_in_cells or (may_be and any(isinstance(node, awaits) for node in self.inside[self.tree]))

    @property
    def unread_cells(self) -> Sequence[UnreadCell]:
        """Return the cells that are not Python, and left out of ``text``."""
        return self._cells.unread if self._cells is not None else ()

    def written(self) -> Iterator[tuple[WrittenFile, Cells]]:
        """Yield the Python files that cells write, and the programs that cells are, with their text."""
        for each in self._cells.written if self._cells is not None and not self._is_written else ():
            if each.name and not each.name.endswith(".py"):
                continue
            yield each, Cells.of_written(each, self._cells.originals if self._cells is not None else {})

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
        first, last = places[min(start[0], len(places)) - 1], places[min(end[0], len(places)) - 1]
        return Location(self.path, first.line, start[1] + first.shift, last.line, end[1] + last.shift, first.cell)

    def between(self, start: Position, end: Position) -> str:
        """Return what ``text`` has between two places."""
        lines = self.lines[start[0] - 1 : end[0]]
        lines[-1] = lines[-1][: end[1] - 1]
        return "\n".join([lines[0][start[1] - 1 :], *lines[1:]])

    def insert(self, insertions: Iterable[Insertion], header: str = "") -> str:
        """Return ``text`` with the insertions, which keep every line where it is; ``header``: a line before it."""
        self._insertions = {}
        self._lines_before = 1 if header else 0
        for each in insertions:
            self._insertions.setdefault(each.line, []).append(each)
        lines = list(self.lines)
        for number, several in self._insertions.items():
            several.sort(key=lambda each: each.column)
            line, parts, done = lines[number - 1], list[str](), 0
            for each in several:
                parts += (line[done : each.column - 1], each.text)
                done = max(done, each.column - 1 + each.replaced)
            lines[number - 1] = "".join([*parts, line[done:]])
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
        """Return the lines of one cell as they are shown, or of the file."""
        if self._cells is None or (not cell and not self._cells.originals):
            return self.lines
        return [each.encode(errors="replace").decode() for each in self._cells.originals.get(cell, ())]

    @property
    def cells(self) -> tuple[int, ...]:
        """Return the numbers of the code cells; 0 for a file that is no notebook."""
        return tuple(self._cells.originals) or (0,) if self._cells is not None else (0,)

    def _column(self, line: int, byte_column: int) -> int:
        text = self.lines[line - 1]
        if text.isascii():
            return byte_column + 1
        if line not in self._wide:
            self._wide[line] = _wide_characters(text)
        ends, surplus = self._wide[line]
        return byte_column - surplus[bisect_right(ends, byte_column)] + 1


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else str(getattr(node, "id", ""))


def _wide_characters(text: str) -> tuple[list[int], list[int]]:
    """Return where the characters of several bytes end, in bytes, and up to each how many bytes too many there
    are."""
    ends: list[int] = []
    surplus = [0]
    position = 0
    for each in text:
        size = 1 if each < "\x80" else len(each.encode(errors="replace"))
        position += size
        if size > 1:
            ends.append(position)
            surplus.append(surplus[-1] + size - 1)
    return ends, surplus


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
