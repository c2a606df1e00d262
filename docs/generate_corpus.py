"""Writes the tables of docs/contracts-calls.md: what ``check`` makes of a corpus. Run by ``make docs``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).with_name("contracts-calls.md")


def write() -> None:
    """Write the tables anew."""
    sys.path.insert(0, str(ROOT / "tests"))
    from corpus import tables

    with tempfile.TemporaryDirectory() as folder:
        corpus = tables.run(Path(folder), tables.SEED)
    PAGE.write_text(tables.page_with(corpus, PAGE.read_text()))


if __name__ == "__main__":
    write()
