"""Writes out the model directory that cells of a notebook write: `%%writefile my-model/1/model.py`.

cells ─► files by name ─► the folder of model.py ─► a directory to read ─► places in it, as places in cells
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from clarifai_emulator.contracts.calls.client_reading import UnreadableClient, decode_client, read_client
from clarifai_emulator.contracts.calls.notebook_code import WrittenFile, join_cells
from clarifai_emulator.contracts.calls.notebooks import read_cells
from clarifai_emulator.contracts.rules.finding import Finding, Location

_SUFFIX = ".ipynb"
_CODE = "model.py"
_MODEL = PurePosixPath("1", _CODE)


class NoWrittenModel(ValueError):
    """A notebook writes no model, or several. The text completes the sentence "try.ipynb …"."""


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """A model directory that a notebook writes. ``files``: what is in it, by path."""

    notebook: Path
    files: Mapping[PurePosixPath, WrittenFile]

    @contextmanager
    def directory(self) -> Generator[Path]:
        """Write the directory, to be read; it is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="clarifai-notebook-") as folder:
            root = Path(folder).resolve() / self.notebook.stem
            for name, file in self.files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("\n".join([*file.lines, ""]), encoding="utf-8", errors="replace")
            yield root

    def located(self, where: Location | None, root: Path) -> Location | None:
        """Return the place in a cell of a place in the directory."""
        if where is None or not where.path.is_relative_to(root):
            return where
        file = self.files.get(PurePosixPath(where.path.relative_to(root)))
        if file is None or not 0 < where.line <= len(file.places):
            return Location(self.notebook)
        first, last = (file.places[min(line, len(file.places)) - 1] for line in (where.line, where.end_line or 1))
        end_line = last.line if where.end_line else 0
        return replace(where, path=self.notebook, line=first.line, end_line=end_line, cell=first.cell)

    def told(self, finding: Finding, root: Path) -> Finding:
        """Return the finding about the directory as one about the notebook."""
        message = finding.message.replace(str(root), self.notebook.name)
        return replace(finding, message=message, location=self.located(finding.location, root))


def is_notebook(path: Path) -> bool:
    """Tell whether a model is given as the notebook that writes it."""
    return path.suffix == _SUFFIX and path.is_file()


def written_model(notebook: Path) -> WrittenModel:
    """Return the model that a notebook writes. Raises ``NoWrittenModel``."""
    try:
        cells = join_cells(read_cells(decode_client(read_client(notebook))))
    except UnreadableClient as problem:
        raise NoWrittenModel(problem.reason) from None
    files = {PurePosixPath(each.name): each for each in cells.written if each.name}
    codes = [name for name in files if name.name == _CODE]
    codes = [name for name in codes if name.parts[-2:] == _MODEL.parts] or codes
    if not codes:
        raise NoWrittenModel("has no cell that writes a model: `%%writefile my-model/1/model.py`")
    if len(codes) > 1:
        names = ", ".join(map(str, codes))
        raise NoWrittenModel(f"writes several models: {names}; write one of them into a folder, and give that")
    code = codes[0]
    root = code.parent.parent if code.parts[-2:] == _MODEL.parts else code.parent
    inside = {name.relative_to(root): each for name, each in files.items() if name.is_relative_to(root)}
    if _MODEL not in inside:
        inside[_MODEL] = inside.pop(PurePosixPath(_CODE))
    return WrittenModel(notebook, {name: each for name, each in inside.items() if ".." not in name.parts})
