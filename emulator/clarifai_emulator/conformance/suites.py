"""Loads what became of other people's tests and models: the SDK's own suite, and the official examples.

They stand in ``suites.yaml``; ``make docs`` writes their tables into docs/fidelity.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

FILE = Path(__file__).with_name("suites.yaml")


@dataclass(frozen=True, slots=True)
class SuiteModule:
    """Holds the results of one module of tests. ``not_for_us`` and ``differs``: reasons, each with how many tests
    it holds for. ``scenarios``: where this project has the same scenarios in its own words."""

    module: str
    passed: int
    not_for_us: Mapping[str, int] = field(default_factory=dict[str, int])
    differs: Mapping[str, int] = field(default_factory=dict[str, int])
    scenarios: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SdkRun:
    """Holds a run of the SDK's whole suite. ``setup``: what it was given beside the emulator's address."""

    repository: str
    commit: str
    version: str
    setup: str
    modules: tuple[SuiteModule, ...]


@dataclass(frozen=True, slots=True)
class ExampleModel:
    """Holds how far one official example came. ``what``: what was called, or why it could not be."""

    name: str
    works: bool
    what: str


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """Holds a run of the official examples."""

    repository: str
    commit: str
    models: tuple[ExampleModel, ...]


@dataclass(frozen=True, slots=True)
class Suites:
    """Holds everything of ``suites.yaml``. ``not_run``: tests of the SDK's source distribution that the project's
    own tests leave out, each with the reason."""

    sdk: SdkRun
    not_run: Mapping[str, str]
    examples: ExampleRun


@cache
def suites() -> Suites:
    """Return what the file says. Raises ``TypeError`` for one with other fields than these."""
    import yaml

    data = cast(dict[str, Any], yaml.safe_load(FILE.read_text(encoding="utf-8")))
    sdk: dict[str, Any] = dict(data["sdk"])
    examples: dict[str, Any] = dict(data["examples"])
    modules = tuple(SuiteModule(**each) for each in sdk.pop("modules"))
    models = tuple(ExampleModel(**each) for each in examples.pop("models"))
    return Suites(SdkRun(**sdk, modules=modules), data["not_run"], ExampleRun(**examples, models=models))
