"""Checks that no dependency may be older than the version in which a known hole of it was mended."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
# By package: versions that have a hole, each the last before one that has not, with where to read about it.
HOLES = {
    "grpcio": {"1.60.1": "CVE-2024-7246", "1.66.1": "CVE-2024-11407"},
    "h11": {"0.15.0": "CVE-2025-43859"},
    "h2": {"4.2.0": "CVE-2025-57804"},
    "protobuf": {
        "5.29.4": "CVE-2025-4565",
        "6.31.0": "CVE-2025-4565",
        "5.29.5": "CVE-2026-0994",
        "6.33.4": "CVE-2026-0994",
    },
    "pyyaml": {"5.3.1": "CVE-2020-14343"},
    "requests": {"2.31.0": "CVE-2024-35195", "2.32.3": "CVE-2024-47081"},
    "urllib3": {"2.5.0": "CVE-2025-66418", "2.6.2": "CVE-2026-21441"},
}


def asked(project: str) -> list[Requirement]:
    """Return every requirement of a project, those of its extras and of its development included."""
    found: Any = tomllib.loads((ROOT / project).read_text())
    lines: list[str] = [*found["project"]["dependencies"], *found["build-system"]["requires"]]
    for group in (
        *found["project"].get("optional-dependencies", {}).values(),
        found.get("dependency-groups", {}).get("dev", ()),
    ):
        lines += group
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("project", ["pyproject.toml", "light/pyproject.toml"])
def test_no_version_with_a_known_hole_is_allowed(project: str) -> None:
    allowed = [
        f"{requirement} allows {version}: {hole}"
        for requirement in asked(project)
        for version, hole in HOLES.get(requirement.name.lower(), {}).items()
        if requirement.specifier.contains(Version(version))
    ]
    assert allowed == []


def test_each_package_of_the_table_is_asked_for() -> None:
    assert {each.name.lower() for each in asked("pyproject.toml")} >= set(HOLES)
