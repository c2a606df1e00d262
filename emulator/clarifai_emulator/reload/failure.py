"""Shows a broken edit to people: one line that says what and where, and the code around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.errors import CallerError, EmulatorError, ModelError

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_AROUND = 2


@dataclass(frozen=True, slots=True)
class BrokenCode:
    """Says why the code on disk cannot be used. ``file`` (relative) and ``line`` are empty and 0 when nothing
    points at one; ``frame`` is the code around it; ``trace`` the model's own traceback."""

    message: str
    hint: str = ""
    trace: str = ""
    file: str = ""
    line: int = 0
    frame: str = ""

    @property
    def summary(self) -> str:
        """Return all of it in one line."""
        where = f"{self.file}:{self.line}: " if self.file else ""
        return " ".join(f"{where}{self.message}".split())

    @property
    def text(self) -> str:
        """Return all of it, in lines."""
        return "\n".join(filter(None, (self.summary, self.frame or self.trace, self.hint)))


def failure_of(error: EmulatorError, directory: Path) -> BrokenCode:
    """Return what an error says of the code in this directory."""
    if isinstance(error, CallerError):
        return BrokenCode(error.details, error.hint)
    if not isinstance(error, ModelError):
        return BrokenCode(str(error))
    file, line = _place(error.log, directory)
    frame = code_frame(directory / file, line) if file else ""
    hint = error.hint.replace("deploy again", "save")  # which is all there is to do in the dev loop
    return BrokenCode(error.summary, hint, error.log, file, line, frame)


def _place(trace: str, directory: Path) -> tuple[str, int]:
    """Return the last place of the model's own code in a traceback."""
    inside = [
        (Path(name).relative_to(directory).as_posix(), int(line))
        for name, line in _FRAME.findall(trace)
        if Path(name).is_relative_to(directory)
    ]
    return inside[-1] if inside else ("", 0)


def code_frame(file: Path, line: int) -> str:
    """Return the line of a file with those around it; empty when the file has no such line."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    if not 0 < line <= len(lines):
        return ""
    numbers = range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1)
    width = len(str(numbers[-1]))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:{width}} | {lines[number - 1]}".rstrip() for number in numbers
    )
