"""The lists of backends that stand outside the table agree with it."""

from __future__ import annotations

import runpy
from pathlib import Path

from clarifai_emulator.backend_table import BACKENDS
from pytest_clarifai_emulator import settings

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_generator_writes_now() -> None:
    generator = runpy.run_path(str(DOCS / "generate_backends.py"))
    assert (DOCS / "backends.md").read_text() == generator["page"](), "run `make docs`"


def test_the_plugin_takes_the_same_backends() -> None:
    """The plugin imports nothing of the emulator before a test asks, so it has a list of its own."""
    assert sorted(settings._BACKENDS) == sorted(BACKENDS)
