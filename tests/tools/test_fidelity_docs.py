"""The fidelity page is what its rows say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_generator_writes_now() -> None:
    generator = runpy.run_path(str(DOCS / "generate_fidelity.py"))
    assert (DOCS / "fidelity.md").read_text() == generator["page"](), "run `make docs`"
