"""Finds the methods that no test has called, over all tests of all workers, and findings that failed no test.

What tests show travels as properties of their reports, so it is the same with and without xdist. Imports nothing of
the emulator: with xdist it works in the controller, which has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

MODELS, CALLED, FINDING = "clarifai_models", "clarifai_called", "clarifai_finding"
INNER = "clarifai_called_by_models"  # JSON: model, method and the model that called it
NOTE = "clarifai_note"  # what a passed test should be told all the same


@dataclass(slots=True)
class Coverage:
    """The methods that models have, and those that were called, over all tests of all workers. ``inner``: the
    models that called a method."""

    methods: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    called: set[str] = field(default_factory=set[str])
    inner: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    findings: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[str] = field(default_factory=list[str])

    def add(self, report: pytest.TestReport) -> None:
        """Take in what one test showed."""
        if report.when != "call":
            return
        for name, value in report.user_properties:
            if name == MODELS:
                for model, methods in json.loads(str(value)).items():
                    known = self.methods.setdefault(model, [])
                    known += [method for method in methods if method not in known]
            elif name == CALLED:
                self.called.update(str(value).split())
            elif name == INNER:
                for model, method, caller in json.loads(str(value)):
                    self.inner.setdefault(f"{model}.{method}", set()).add(caller)
            elif name == FINDING and report.passed:
                self.findings.append((report.nodeid, str(value)))
            elif name == NOTE and report.passed:
                self.notes.append(f"{report.nodeid}: {value}")

    @property
    def missed(self) -> dict[str, list[str]]:
        """Return the methods that neither a test nor a model called, by model."""
        called = self.called | self.inner.keys()
        missed = {
            model: [method for method in methods if f"{model}.{method}" not in called]
            for model, methods in self.methods.items()
        }
        return {model: methods for model, methods in sorted(missed.items()) if methods}

    @property
    def inner_only(self) -> list[tuple[str, list[str]]]:
        """Return the methods that models called and no test did, each with those models."""
        return [(name, sorted(callers)) for name, callers in sorted(self.inner.items()) if name not in self.called]

    @property
    def percent(self) -> float | None:
        """Return the percentage of the methods that were called; None when there are no methods."""
        count = sum(map(len, self.methods.values()))
        missed = sum(map(len, self.missed.values()))
        return None if not count else 100.0 * (count - missed) / count

    def lines(self, wanted: float | None) -> Iterator[str]:
        """Yield the summary. ``wanted``: the least percentage, if the user asked for one."""
        count = sum(map(len, self.methods.values()))
        missed = sum(map(len, self.missed.values()))
        if self.percent is None:
            yield "no test deployed a model"
            return
        models = f"{len(self.methods)} model{'s' * (len(self.methods) != 1)}"
        yield f"{count - missed} of {count} methods of {models} were called ({self.percent:.0f} %)"
        for model, methods in self.missed.items():
            yield f"  {model}: no test calls {', '.join(methods)}"
        for name, callers in self.inner_only:
            yield f"  {name}: called by {', '.join(callers)} only, not by a test itself"
        if wanted is not None and self.percent < wanted:
            yield f"FAIL: {self.percent:.1f} % is less than the {wanted:g} % that are required"

    def finding_lines(self) -> list[str]:
        """Return each finding once, with the tests that it was seen in; findings that failed a test stand there."""
        tests: dict[str, list[str]] = {}
        for nodeid, text in self.findings:
            tests.setdefault(text, []).append(nodeid)
        lines: list[str] = []
        for text, nodeids in tests.items():
            more = f" and {len(nodeids) - 1} more" if len(nodeids) > 1 else ""
            lines += [f"{nodeids[0]}{more}", *(f"  {line}" for line in text.splitlines())]
        return lines


def add_junit_property(config: pytest.Config, name: str, value: str) -> None:
    """Add a property of the whole run to the file of ``--junitxml``, if there is one."""
    from _pytest.junitxml import xml_key

    xml = config.stash.get(xml_key, None)
    if xml is not None:
        xml.add_global_property(name, value)
