"""Writes the JSON Schema of topology files, which the package holds. Run by ``make docs``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import clarifai_emulator.topology.schema as source

FILE = Path(source.__file__).with_name(source.SCHEMA_FILE)


def page() -> str:
    """Write the schema with one definition on each line, so that a change of one message changes one line."""
    schema = source.topology_schema()
    parts = {name: _lines(schema.pop(name)) for name in ("properties", "$defs")}
    head = json.dumps(schema)[1:-1]
    return f"{{{head},\n" + ",\n".join(f'"{name}": {lines}' for name, lines in parts.items()) + "}\n"


def _lines(entries: dict[str, Any]) -> str:
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in entries.items()) + "}"


if __name__ == "__main__":
    FILE.write_text(page())
