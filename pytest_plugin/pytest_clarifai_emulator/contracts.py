"""Judges what tests show about contracts: findings that fail them, promises that models do not keep.

a test's own code is through ─► observe(…) ─► properties of its report ─► (xdist) ─► method_coverage.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.changes.gate import verify
from clarifai_emulator.contracts.changes.lock import Promise, read_lock
from clarifai_emulator.contracts.changes.origins import Origin
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.method import Method
from pytest_clarifai_emulator.contract_findings import CallFinding, complaint
from pytest_clarifai_emulator.method_coverage import CALLED, FINDING, INNER, MODELS
from pytest_clarifai_emulator.serving import Serving
from pytest_clarifai_emulator.test_environment import USER_ID

_MODES = ("strict", "warn", "off")


@dataclass(frozen=True, slots=True)
class Rules:
    """The mode in which one test takes findings: the run's, or that of its mark ``clarifai_contract``."""

    mode: str
    allowed: frozenset[str] = frozenset()


def rules_of(item: pytest.Item, mode: str) -> Rules:
    """Return the rules of a test."""
    mark = item.get_closest_marker("clarifai_contract")
    if mark is None:
        return Rules(mode)
    given = str(mark.args[0] if mark.args else mark.kwargs.get("mode", mode))
    return Rules(given, frozenset(mark.kwargs.get("allow", ())))


def observe(serving: Serving, rules: Rules) -> tuple[list[tuple[str, object]], str]:
    """Sum up what the ended test showed, as properties of its report, and why it fails, if it does."""
    if rules.mode not in _MODES:
        return [], f"clarifai_contract takes {', '.join(_MODES)}, found {rules.mode!r}."
    calls, models = serving.test_calls(), serving.models()
    properties: list[tuple[str, object]] = []
    if models:
        user_id = serving.thread.user_id
        properties.append((MODELS, json.dumps({_of_me(model, user_id): models[model] for model in models})))
        own = [call for call in calls if call.model in models and not call.is_replaced]
        called = {f"{_of_me(call.model, user_id)}.{call.method}" for call in own if not call.by}
        properties.append((CALLED, " ".join(sorted(called))))
        inner = {(_of_me(call.model, user_id), call.method, _of_me(call.by, user_id)) for call in own if call.by}
        if inner:
            properties.append((INNER, json.dumps(sorted(inner))))
    found = [] if rules.mode == "off" else serving.findings(calls)
    told = [finding for finding in found if finding.rule not in rules.allowed]
    properties += [(FINDING, "\n".join(finding.lines())) for finding in told]
    errors = [finding for finding in told if finding.is_error]
    return properties, complaint(_once(errors)) if errors and rules.mode == "strict" else ""


def _of_me(model: str, user_id: str) -> str:
    """Name a model as every worker does, though their users differ: ``me/demo/hello`` for ``me-gw0/demo/hello``,
    ``me-acme/…`` for ``me-gw0-acme/…``."""
    owner, slash, rest = model.partition("/")
    if owner == user_id or owner.startswith(f"{user_id}-"):
        owner = USER_ID + owner.removeprefix(user_id)
    return f"{owner}{slash}{rest}"


def _once(findings: Iterable[CallFinding]) -> list[CallFinding]:
    return list(dict.fromkeys(findings))


# ── lock files ─────────────────────────────────────────────────────────────────────────────────────────────


def require_contract(name: str, signatures: Sequence[Any], lock: str | Path) -> None:
    """Fail unless a model keeps what a lock file says of it. ``name``: ``USER/APP/models/ID``."""
    __tracebackhide__ = True
    file = Path(lock)
    promise = Promise(name, tuple(Method(signature) for signature in signatures))
    verdict = verify(Origin(name, (promise,)), [Origin(file.name, tuple(read_lock(file)))])
    if not verdict.compared:
        pytest.fail(
            f"{file} says nothing of {name}. Write it with `clarifai-emulator contract lock`.", pytrace=False
        )
    broken = [each for each in verdict.findings if each.severity in (Severity.ERROR, Severity.WARNING)]
    if broken:
        pytest.fail("\n".join([f"{name} does not keep {file}:", *broken_promises(broken)]), pytrace=False)


def broken_promises(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield findings for a failure, each with its place and hint."""
    for finding in findings:
        place = f" ({finding.location.path}:{finding.location.line})" if finding.location is not None else ""
        yield f"  {finding.rule}: {finding.message}{place}"
        if finding.hint:
            yield f"    {finding.hint}"
