"""Checks that a name means one thing in the product: class names, and names of files."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("emulator/clarifai_emulator", "pytest_plugin/pytest_clarifai_emulator")

# Python gives these names their meaning.
NAMES_OF_PYTHON = {"__init__.py", "__main__.py"}
# What is deployed: the platform gives the file its name, and its class is read in a folder of its own.
MODEL_TEMPLATES = ("cli/template/", "topology/stand_ins/templates/")


def test_no_public_class_name_is_defined_twice() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, name in _modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{name}:{node.lineno}")
    assert _repeated(places) == {}, "Give each meaning a word of its own"


def test_no_file_name_stands_in_two_folders() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, name in _modules():
        if path.name not in NAMES_OF_PYTHON:
            places[path.name].append(name)
    assert _repeated(places) == {}, "Name each module after its own subject"


def _modules() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.relative_to(ROOT / package).as_posix().startswith(MODEL_TEMPLATES):
                yield path, path.relative_to(ROOT).as_posix()


def _repeated(places: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in places.items() if len(found) > 1}
