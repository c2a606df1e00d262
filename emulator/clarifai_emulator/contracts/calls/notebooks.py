"""Reads the cells of notebooks: Jupyter's files of every version, and Python files that are divided into cells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from clarifai_emulator.contracts.calls.client_reading import UnreadableClient

_PYTHON = ("python", "ipython")
# Jupytext, VS Code and Spyder; Databricks.
_PERCENT = re.compile(r"^#\s*%%")
_MARKDOWN = re.compile(r"^#\s*%%+.*\[(?:markdown|md|raw)\]")
_DATABRICKS = "# Databricks notebook source"
_COMMAND = re.compile(r"^# COMMAND -{5,}")


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """A code cell. ``number``: as the notebook shows it, text cells included, from 1; 0 in a Python file, where
    ``first_line`` says in which line it begins. ``count``: when it was last run; 0 where it was not. ``shifts``:
    how many characters of each line stand before the code, in Markdown."""

    number: int
    code: str
    language: str = ""
    count: int = 0
    first_line: int = 1
    shifts: tuple[int, ...] = ()

    @property
    def is_python(self) -> bool:
        return self.language.lower().startswith(_PYTHON) or self.language.lower() in ("", "py")


def read_cells(content: str) -> list[NotebookCell]:
    """Return the code cells of a Jupyter notebook, of all versions of its format.

    Raises ``UnreadableClient`` where it is none.
    """
    try:
        document: Any = json.loads(content)
    except RecursionError:
        raise UnreadableClient("is not a notebook: its JSON is nested too deep") from None
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise UnreadableClient(
            f"is not a notebook: its JSON breaks off or is wrong ({reason})", line=line
        ) from None
    if not isinstance(document, dict):
        raise UnreadableClient("is not a notebook: its JSON is not an object with `cells`")
    notebook = cast("dict[str, Any]", document)
    cells = _listed(notebook)
    if cells is None:
        raise UnreadableClient("is not a notebook: its JSON has no list of `cells`")
    language = _language(_table(notebook.get("metadata")))
    return [
        _cell(number, _table(each), language)
        for number, each in enumerate(cells, 1)
        if _table(each).get("cell_type") == "code"
    ]


def script_cells(text: str) -> list[NotebookCell]:
    """Divide a Python file into its cells: one where it has no marks of cells. The cells have all of its lines."""
    lines = text.split("\n")
    mark = _COMMAND if text.startswith(_DATABRICKS) else _PERCENT
    starts = [number for number, line in enumerate(lines) if number and mark.match(line)]
    return [
        NotebookCell(
            0, "\n".join(lines[start:end]), "markdown" if _MARKDOWN.match(lines[start]) else "", 0, start + 1
        )
        for start, end in zip([0, *starts], [*starts, len(lines)], strict=True)
    ]


def has_cells(text: str) -> bool:
    """Tell whether a Python file is divided into cells, as notebooks that are kept as Python files are."""
    return text.startswith(_DATABRICKS) or re.search(rf"(?m){_PERCENT.pattern}", text) is not None


def _listed(notebook: Mapping[str, Any]) -> list[Any] | None:
    """Return the cells of all versions of the format: before version 4 they are in worksheets."""
    cells: Any = notebook.get("cells")
    if isinstance(cells, list):
        return cast("list[Any]", cells)
    sheets: Any = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    found: list[Any] = []
    for sheet in cast("list[Any]", sheets):
        inner: Any = _table(sheet).get("cells")
        found += cast("list[Any]", inner) if isinstance(inner, list) else []
    return found


def _cell(number: int, cell: Mapping[str, Any], language: str) -> NotebookCell:
    source: Any = cell.get("source", cell.get("input", ""))
    parts = cast("list[Any]", source) if isinstance(source, list) else [source]
    code = "".join(each for each in parts if isinstance(each, str))
    count: Any = cell.get("execution_count", cell.get("prompt_number"))
    own = _own_language(cell)
    return NotebookCell(
        number,
        code.replace("\r\n", "\n").replace("\r", "\n"),
        own or language,
        count if isinstance(count, int) and count > 0 else 0,
    )


def _language(metadata: Mapping[str, Any]) -> str:
    for name, key in (("language_info", "name"), ("kernelspec", "language"), ("kernelspec", "name")):
        value: Any = _table(metadata.get(name)).get(key)
        if isinstance(value, str):
            return "" if key == "name" and name == "kernelspec" and not _is_other_kernel(value) else value
    return ""


def _is_other_kernel(name: str) -> bool:
    """Tell whether a kernel that says no language is known for another one; the names of Python's are free."""
    return name.lower() in ("ir", "bash", "deno", "javascript", "typescript", "tslab") or name.startswith("julia")


def _own_language(cell: Mapping[str, Any]) -> str:
    """Return the language that a cell names for itself: version 3 of the format, VS Code, .NET Interactive."""
    metadata = _table(cell.get("metadata"))
    names = (
        cell.get("language"),
        _table(metadata.get("vscode")).get("languageId"),
        _table(metadata.get("polyglot_notebook")).get("kernelName"),
        _table(metadata.get("dotnet_interactive")).get("language"),
    )
    return next((each for each in names if isinstance(each, str)), "")


def _table(value: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
