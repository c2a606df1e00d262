"""Writes the JSON Schema of topology files, which the package holds. Run by ``make docs``."""

from __future__ import annotations

import json
from pathlib import Path

import clarifai_emulator.topology_schema as source

FILE = Path(source.__file__).with_name(source.SCHEMA_FILE)


def page() -> str:
    """The file as it should be."""
    return json.dumps(source.topology_schema(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
