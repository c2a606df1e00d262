"""Applies the change that a finding proposes."""

from __future__ import annotations

import json
from pathlib import Path

from clarifai_emulator.contracts.rules.finding import Edit, Location


def apply(edit: Edit) -> None:
    """Change the file that the edit is about: a cell of it, where it is a notebook."""
    path = edit.location.path
    if not edit.location.cell:
        path.write_text(changed(path.read_text(), edit.location, edit.text))
        return
    book = json.loads(path.read_text())
    cell = book["cells"][edit.location.cell - 1]
    cell["source"] = changed(cell["source"], edit.location, edit.text)
    path.write_text(json.dumps(book))


def changed(code: str, where: Location, text: str) -> str:
    """Return the code with ``text`` in place of what stands there."""
    lines = code.splitlines(keepends=True)
    before, behind = lines[where.line - 1][: where.column - 1], lines[where.end_line - 1][where.end_column - 1 :]
    return "".join([*lines[: where.line - 1], before, text, behind, *lines[where.end_line :]])


def code_of(path: Path) -> str:
    """Return the code of a client: of a notebook, that of its last cell."""
    text = path.read_text()
    return str(json.loads(text)["cells"][-1]["source"]) if path.suffix == ".ipynb" else text
