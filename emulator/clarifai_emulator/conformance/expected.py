"""Reads and writes what the emulator answers to each probe: ``answers/AREA.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from clarifai_emulator.conformance.fidelity_rows import AREAS
from clarifai_emulator.whole_file import write_whole

ANSWERS = Path(__file__).with_name("answers")


@cache
def expected_answers() -> Mapping[str, Any]:
    """Return what each probe is expected to see, by its key."""
    found: dict[str, Any] = {}
    for area in AREAS:
        file = ANSWERS / f"{area}.json"
        if file.is_file():
            found |= json.loads(file.read_text(encoding="utf-8"))
    return found


def write_answers(seen: Mapping[str, Any], *, known: set[str]) -> list[Path]:
    """Write the answers of an emulator, in a file an area; the files that changed.

    Answers of probes that were not run stay; ``known``: the keys of all probes, so that those of others go.
    """
    merged = {key: value for key, value in expected_answers().items() if key in known} | dict(seen)
    changed: list[Path] = []
    for area in AREAS:
        answers = {key: merged[key] for key in sorted(merged) if key.startswith(f"{area}.")}
        file = ANSWERS / f"{area}.json"
        text = json.dumps(answers, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        if answers and (not file.is_file() or file.read_text(encoding="utf-8") != text):
            write_whole(file, text)
            changed.append(file)
        elif not answers and file.is_file():
            file.unlink()
            changed.append(file)
    return changed
