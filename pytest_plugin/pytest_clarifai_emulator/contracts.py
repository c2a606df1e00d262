"""What tests show about contracts: findings that fail them, and which methods of which models they called.

    a test's own code is through ─► observe(…) ─► properties of its report ─► (xdist) ─► Coverage, summary, JUnit
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.finding import Finding
from clarifai_emulator.contracts.gate import verify
from clarifai_emulator.contracts.lock import Promise, read_lock
from clarifai_emulator.contracts.method import Method
from clarifai_emulator.contracts.origins import Origin
from clarifai_emulator.contracts.rule import Severity
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.store import Kind
from pytest_clarifai_emulator.findings import CallFinding, complaint, findings_of
from pytest_clarifai_emulator.serving import Serving

MODELS, CALLED, FINDING = "clarifai_models", "clarifai_called", "clarifai_finding"


@dataclass(frozen=True, slots=True)
class Rules:
    """How one test takes findings: the run's mode, or what its mark ``clarifai_contract`` says."""

    mode: str
    allowed: frozenset[str] = frozenset()


def rules_of(item: pytest.Item, mode: str) -> Rules:
    """The rules of a test."""
    mark = item.get_closest_marker("clarifai_contract")
    if mark is None:
        return Rules(mode)
    given = str(mark.args[0] if mark.args else mark.kwargs.get("mode", mode))
    if given not in ("strict", "warn", "off"):
        pytest.fail(f"clarifai_contract takes strict, warn or off, found {given!r}.", pytrace=False)
    return Rules(given, frozenset(mark.kwargs.get("allow", ())))


def observe(serving: Serving, rules: Rules) -> tuple[list[tuple[str, object]], str]:
    """What the test that ends showed, as properties of its report, and why it fails, or nothing."""
    calls = serving.thread.run(serving.log.read)
    models = serving.thread.run(_models)
    properties: list[tuple[str, object]] = []
    if models:
        properties.append((MODELS, json.dumps(models)))
        called = sorted({f"{call.model}.{call.method}" for call in calls if call.model in models})
        properties.append((CALLED, " ".join(called)))
    found = [] if rules.mode == "off" else serving.thread.run(lambda emulator: findings_of(calls, emulator))
    told = [finding for finding in found if finding.rule not in rules.allowed]
    properties += [(FINDING, "\n".join(finding.lines())) for finding in told]
    errors = [finding for finding in told if finding.is_error]
    return properties, complaint(_once(errors)) if errors and rules.mode == "strict" else ""


def _once(findings: Iterable[CallFinding]) -> list[CallFinding]:
    return list(dict.fromkeys(findings))


def _models(emulator: Emulator) -> dict[str, list[str]]:
    """The models that have code here, and their methods."""
    found: dict[str, list[str]] = {}
    for key in emulator.store.keys(Kind.SOURCE):
        version: Any = emulator.store.get(Kind.MODEL_VERSION, key)
        if version is not None:
            found.setdefault("/".join(key[:3]), [each.name for each in version.method_signatures])
    return found


# ── lock files ─────────────────────────────────────────────────────────────────────────────────────────────


def require_contract(name: str, signatures: Sequence[Any], lock: str | Path) -> None:
    """Fail unless a model keeps what a lock file says of it. ``name``: ``USER/APP/models/ID``."""
    __tracebackhide__ = True
    file = Path(lock)
    promise = Promise(name, tuple(Method(signature) for signature in signatures))
    verdict = verify(Origin(name, (promise,)), [Origin(file.name, tuple(read_lock(file)))])
    if not verdict.compared:
        pytest.fail(f"{file} says nothing of {name}. Write it with `clarifai-emulator contract lock`.", pytrace=False)
    broken = [each for each in verdict.findings if each.severity in (Severity.ERROR, Severity.WARNING)]
    if broken:
        pytest.fail("\n".join([f"{name} does not keep {file}:", *broken_promises(broken)]), pytrace=False)


def broken_promises(findings: Iterable[Finding]) -> Iterator[str]:
    """Findings for a failure, each with its place and hint."""
    for finding in findings:
        place = f" ({finding.location.path}:{finding.location.line})" if finding.location is not None else ""
        yield f"  {finding.rule}: {finding.message}{place}"
        if finding.hint:
            yield f"    {finding.hint}"


# ── coverage, in the process that reports ──────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Coverage:
    """Which methods there are, and which were called, over all tests of all workers."""

    methods: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    called: set[str] = field(default_factory=set[str])
    findings: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, report: pytest.TestReport) -> None:
        """Take in what one test showed."""
        for name, value in report.user_properties:
            if name == MODELS:
                for model, methods in json.loads(str(value)).items():
                    known = self.methods.setdefault(model, [])
                    known += [method for method in methods if method not in known]
            elif name == CALLED:
                self.called.update(str(value).split())
            elif name == FINDING:
                self.findings.append((report.nodeid, str(value)))

    @property
    def missed(self) -> dict[str, list[str]]:
        """Methods that no test called, by model."""
        missed = {
            model: [method for method in methods if f"{model}.{method}" not in self.called]
            for model, methods in self.methods.items()
        }
        return {model: methods for model, methods in sorted(missed.items()) if methods}

    @property
    def percent(self) -> float | None:
        """How many of the methods were called; None when there is none."""
        count = sum(map(len, self.methods.values()))
        missed = sum(map(len, self.missed.values()))
        return None if not count else 100.0 * (count - missed) / count

    def lines(self) -> Iterator[str]:
        """The summary."""
        count = sum(map(len, self.methods.values()))
        missed = sum(map(len, self.missed.values()))
        if self.percent is None:
            yield "no test deployed a model"
            return
        yield f"{count - missed} of {count} methods of {len(self.methods)} models were called ({self.percent:.0f} %)"
        for model, methods in self.missed.items():
            yield f"  {model}: no test calls {', '.join(methods)}"
