"""Defines who is told, line by line, how preparing a model goes."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = Callable[[str], None]


def aloud(line: str) -> None:
    """Say on stderr that something is installed, and nothing else: nobody is to wait for that without a word."""
    if line.startswith("building"):
        print(line, file=sys.stderr)
