"""Counts calls of models in files that are no Python, by their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path


def counted_text(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield the calls in a file of JavaScript, TypeScript or shell, by its lines: kind, line and method."""
    text = path.read_text(errors="replace")
    if "clarifai" not in text.lower():
        return
    patterns = (
        ("sdk", r"\.(predict|predictByUrl|predictByBytes|predictByFilepath|generate|stream)\s*\("),
        ("rest", r"fetch\([^)]*(clarifai|outputs)|curl .*clarifai"),
        ("grpc", r"\.(PostModelOutputs|PostWorkflowResults)\s*\("),
        ("openai", r"\.(completions|responses|images|embeddings)\.(create|generate)\s*\("),
    )
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("//", "*", "#")):
            continue
        for kind, pattern in patterns:
            if found := re.search(pattern, line):
                yield kind, number, found[1] if found.lastindex else "fetch"
                break
