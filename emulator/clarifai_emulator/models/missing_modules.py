"""Says what to do about a module that a model cannot import: it may be there, where Python does not look."""

from __future__ import annotations

import re
from pathlib import Path

_MISSING = re.compile(r"No module named '(?P<name>[^'.]+)")
_FILE = re.compile(r'^\s*File "(?P<path>[^"]+)", line \d+', re.MULTILINE)
ELSEWHERE = "Add the package to requirements.txt, or the module to the model directory"


def hint_for_missing(error: str, folder: Path | None) -> str:
    """Return the way out for an import that failed with ``error`` in a file of ``folder``; empty where nothing of
    that name lies beside it."""
    missing = _MISSING.search(error)
    if missing is None or folder is None:
        return ""
    name = missing["name"]
    there = next((each for each in (f"{name}.py", name) if (folder / each).exists()), "")
    if not there:
        return ""
    return (
        f"{there} is beside model.py, where Python does not look by itself: write "
        "`sys.path.insert(0, os.path.dirname(__file__))`, with `import os, sys`, above the import."
    )


def folder_of(trace: str) -> Path | None:
    """Return the folder of the file whose import failed, by the traceback."""
    files = _FILE.findall(trace)
    return Path(files[-1]).parent if files else None
