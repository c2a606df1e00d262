"""Joins the cells of a notebook to one Python text, and keeps what each line was; a bad cell costs one cell.

cells ─► order ─► magics, shell, help ─► text, with the place of each line
                     ├─► files that cells write (`%%writefile client.py`)
                     └─► cells that are not Python, with the reason
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.calls.client_reading import UnreadableClient, parse_client, require_shallow
from clarifai_emulator.contracts.calls.ipython_lines import CellMagic, PythonLine, cell_magic, python_lines
from clarifai_emulator.contracts.calls.notebooks import NotebookCell
from clarifai_emulator.python_source import parse_module

_WRITING = frozenset(["writefile", "file"])
# Their cells are programs of their own.
_PYTHON_PROGRAMS = frozenset(["python", "python3", "pypy"])
_OTHER_LANGUAGES = frozenset(
    ["!", "sx", "system", "sh", "bash", "shell", "script", "cmd", "powershell", "html", "HTML", "svg", "SVG",
     "latex", "javascript", "js", "markdown", "perl", "ruby", "R", "sql", "bigquery", "mermaid"]
)  # fmt: skip
# Databricks: the first line names the language of the whole cell.
_DATABRICKS = re.compile(r"%(?P<name>sql|scala|r|md(?:-sandbox)?|sh|fs|python|py)(?:\s|$)")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class LinePlace:
    """The place of a line: its cell and its line in it, from 1, and how many characters stand before it there.
    ``cell`` is 0 where the line is one of the file."""

    cell: int
    line: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class UnreadCell:
    """A cell that is not Python, and why."""

    place: LinePlace
    problem: UnreadableClient


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a cell writes, or a Python program that a cell is. ``name``: the path as the cell says it; empty
    for a program."""

    name: str
    lines: tuple[str, ...]
    places: tuple[LinePlace, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """The code of a notebook. ``text`` is Python; ``places`` says where each of its lines comes from;
    ``originals`` are the lines of the cells as they are shown, by their number."""

    text: str
    places: tuple[LinePlace, ...]
    originals: Mapping[int, Sequence[str]]
    unread: tuple[UnreadCell, ...] = ()
    written: tuple[WrittenFile, ...] = ()

    @classmethod
    def of_written(cls, file: WrittenFile, originals: Mapping[int, Sequence[str]]) -> Cells:
        return cls("\n".join([*file.lines, ""]), (*file.places, file.places[-1]), originals)


def join_cells(cells: Sequence[NotebookCell]) -> Cells:
    """Return the Python cells as one text. Raises ``UnreadableClient`` for a notebook of another language."""
    if cells and not any(each.is_python for each in cells) and any(each.number for each in cells):
        raise UnreadableClient(f"is a notebook in {cells[0].language}, not in Python", "Check its calls yourself.")
    joined = _Joined()
    read = [(each, joined.read(each)) for each in cells]
    lines: list[str] = []
    places: list[LinePlace] = []
    for cell, code in _in_order(read):
        for index, line in enumerate(code):
            lines.append(line.text)
            before = cell.shifts[index] if cell.shifts else 0
            places.append(LinePlace(cell.number, cell.first_line + index, line.shift + before))
    if any(each.number for each in cells) or not lines:
        lines.append("")
        places.append(places[-1] if places else LinePlace(0, 1))
    originals = {each.number: each.code.split("\n") for each in cells if each.number}
    return Cells("\n".join(lines), tuple(places), originals, tuple(joined.unread), tuple(joined.written.values()))


class _Joined:
    """Reads one cell after the other, and collects what does not belong to the notebook's own code."""

    def __init__(self) -> None:
        self.unread: list[UnreadCell] = []
        self.written: dict[str, WrittenFile] = {}

    def read(self, cell: NotebookCell) -> list[PythonLine]:
        """Return the cell's lines as Python: blank where they are something else."""
        lines = cell.code.split("\n")
        blank = [PythonLine("")] * len(lines)
        if not cell.is_python:
            return blank
        start = 0
        while magic := cell_magic(lines, start):
            if magic.name in _WRITING or magic.name in _PYTHON_PROGRAMS or _is_python_script(magic):
                self._write(cell, magic, lines)
                return blank
            if magic.name in _OTHER_LANGUAGES:
                return blank
            start = magic.line + 1
        return [*blank[:start], *self._python(cell, lines[start:], start)]

    def _python(self, cell: NotebookCell, lines: list[str], start: int) -> list[PythonLine]:
        """Read what is Python by all that the cell says of itself."""
        language = _databricks_language(lines)
        if language and language.startswith("py"):
            number = next(index for index, line in enumerate(lines) if line.strip())
            lines = ["" if index == number else line for index, line in enumerate(lines)]
        try:
            code = python_lines(lines)
            require_shallow(parse_client("\n".join(each.text for each in code)))
            return code
        except UnreadableClient as problem:
            if not language or language.startswith("py"):
                index = (problem.line or 1) - 1 + start
                shift = cell.shifts[index] if index < len(cell.shifts) else 0
                place = LinePlace(cell.number, cell.first_line + index, shift)
                self.unread.append(UnreadCell(place, problem))
            return [PythonLine("")] * len(lines)

    def _write(self, cell: NotebookCell, magic: CellMagic, lines: list[str]) -> None:
        words = magic.arguments.split()
        name = next((each.strip("\"'") for each in reversed(words) if not each.startswith("-")), "")
        is_file = magic.name in _WRITING
        body = lines[magic.line + 1 :] or [""]
        places = [LinePlace(cell.number, magic.line + cell.first_line + index) for index in range(1, len(body) + 1)]
        key = name if is_file else f"\0{cell.number} {cell.first_line}"
        earlier = self.written.pop(key, None)
        if earlier is not None and "-a" not in words and "--append" not in words:
            # What the file was before is checked, too.
            self.written[f"{key}\0{len(self.written)}"] = WrittenFile("", earlier.lines, earlier.places)
            earlier = None
        self.written[key] = WrittenFile(
            name if is_file else "",
            (*(earlier.lines if earlier else ()), *body),
            (*(earlier.places if earlier else ()), *places),
        )


def _is_python_script(magic: CellMagic) -> bool:
    words = magic.arguments.split()
    return magic.name == "script" and any(re.search(r"(^|/)python[\d.]*$", each) for each in words)


def _databricks_language(lines: Sequence[str]) -> str:
    match = _DATABRICKS.match(next((each.strip() for each in lines if each.strip()), ""))
    return match["name"] if match else ""


_Read = tuple[NotebookCell, list[PythonLine]]


def _in_order(read: Sequence[_Read]) -> Sequence[_Read]:
    """Return the cells from the top down; in the order in which they were run, where fewer names are used there
    before they have a value."""
    keys: list[int] = []
    for cell, _ in read:
        keys.append(cell.count or (keys[-1] if keys else 0))
    if keys == sorted(keys):
        return read
    ran = [each for _, each in sorted(zip(keys, read, strict=True), key=lambda pair: pair[0])]
    names = {id(code): _names(code) for _, code in read}
    known = {name for bound, _ in names.values() for name in bound}

    def early(order: Sequence[_Read]) -> int:
        seen: set[str] = set()
        count = 0
        for _, code in order:
            bound, used = names[id(code)]
            count += len((used & known) - seen - bound)
            seen |= bound
        return count

    return ran if early(ran) < early(read) else read


def _names(code: Sequence[PythonLine]) -> tuple[set[str], set[str]]:
    """Return the names that a cell binds, and those that it uses, outside of functions and classes."""
    bound: set[str] = set()
    used: set[str] = set()
    for node in _outside_functions(parse_module("\n".join(each.text for each in code))):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
    return bound, used


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
