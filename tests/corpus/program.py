"""A program of the corpus: right, or made of a right one by making one thing wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """A program. ``dimension`` and ``shape``: of which shape it is; ``wrong``: what was made wrong, empty for a
    right one; ``suffix``: of its file; ``beside``: other files that it needs, by name."""

    dimension: str
    shape: str
    text: str
    wrong: str = ""
    suffix: str = "py"
    beside: tuple[tuple[str, str], ...] = ()
