"""The page of SDK versions is what the table says."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_sdk_versions_is_what_the_generator_writes_now() -> None:
    generator = runpy.run_path(str(DOCS / "generate_sdk_in_models.py"))
    assert (DOCS / "sdk-in-models.md").read_text() == generator["page"](), "run `make docs`"
