"""The public API is what both packages export, and the documentation mentions nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import clarifai_emulator
import pytest_clarifai_emulator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SAMPLES = sorted((ROOT / "fixtures").rglob("*.py"))
PACKAGES = {"clarifai_emulator": clarifai_emulator, "pytest_clarifai_emulator": pytest_clarifai_emulator}

_IMPORT = re.compile(r"\bfrom ((?:pytest_)?clarifai_emulator[\w.]*) import (\([^)]*\)|[\w, ]+)|"
                     r"\bimport ((?:pytest_)?clarifai_emulator[\w.]*)")  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_every_public_name_is_there(package: Any) -> None:
    assert sorted(package._HOMES) == sorted(package.__all__)
    for name in package.__all__:
        assert getattr(package, name).__name__ == name


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_other_names_are_not(package: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = package.nonsense


@pytest.mark.parametrize("file", [*PAGES, *SAMPLES], ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_documentation_imports_public_names_only(file: Path) -> None:
    for module, names, whole in _IMPORT.findall(file.read_text(encoding="utf-8")):
        assert (module or whole) in PACKAGES, f"{module or whole} is private"
        private = {name.strip() for name in names.strip("()").split(",")} - {"", *PACKAGES[module or whole].__all__}
        assert not private, f"{module} does not export {', '.join(sorted(private))}"
