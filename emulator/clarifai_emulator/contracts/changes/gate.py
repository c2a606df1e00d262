"""Compares whole origins, and guards deploys: would these models break the clients whose locks are here?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.changes.compare import changes
from clarifai_emulator.contracts.changes.lock import Promise
from clarifai_emulator.contracts.changes.origins import Origin, pairs
from clarifai_emulator.contracts.rules import RULES, found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Breaks, Severity

CLIENTS = {"fetching": Breaks.FETCHING, "pinning": Breaks.PINNING}


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of a comparison. ``findings``: what changed, and what could not be read. ``compared``: each model
    that was compared, as it was and as it is; ``gone``: those that are no more."""

    findings: tuple[Finding, ...]
    compared: tuple[tuple[Promise, Promise], ...]
    gone: tuple[Promise, ...] = ()


def diff(old: Origin, new: Origin) -> GateResult:
    """Return every change from the old models to the new ones. Models that could not be read are told first."""
    unread = [each for each in (*old.findings, *new.findings) if each.severity is Severity.ERROR]
    both = list(pairs(old, new))
    compared = tuple((was, now) for was, now in both if was is not None and now is not None)
    gone = tuple(was for was, now in both if was is not None and now is None)
    return GateResult((*dict.fromkeys(unread), *_changes(both)), compared, gone)


def _changes(both: Iterable[tuple[Promise | None, Promise | None]]) -> Iterator[Finding]:
    for was, now in both:
        if was is not None and now is not None:
            yield from changes(was.methods, now.methods, model=now.name)
        elif was is not None:
            yield found("model-removed", f"Model {was.name} is gone.", model=was.name)
        elif now is not None:
            yield found("model-added", f"Model {now.name} is new.", model=now.name)


def verify(models: Origin, locks: Iterable[Origin]) -> GateResult:
    """Hold the models against every lock that names them."""
    findings = [each for each in models.findings if each.severity is Severity.ERROR]
    compared: list[tuple[Promise, Promise]] = []
    for lock in locks:
        for promise in lock.promises:
            now = counterpart(promise, models.promises)
            if now is None:
                continue
            compared.append((promise, now))
            findings += changes(promise.methods, now.methods, model=now.name)
    return GateResult(tuple(dict.fromkeys(findings)), tuple(compared))


def counterpart(promise: Promise, models: Sequence[Promise]) -> Promise | None:
    """Return the model that a lock means: by its whole name, or by its id where that is clear."""
    exact = [each for each in models if each.name == promise.name]
    alike = [each for each in models if each.name.rpartition("/")[2] == promise.name.rpartition("/")[2]]
    return exact[0] if exact else alike[0] if len(alike) == 1 else None


def those_that_break(findings: Iterable[Finding], clients: str) -> list[Finding]:
    """Keep only what concerns these clients: ``fetching``, ``pinning`` or ``all``."""
    if clients == "all":
        return list(findings)
    kind = CLIENTS[clients]
    return [each for each in findings if RULES[each.rule].breaks in (kind, Breaks.ALL, Breaks.NOBODY)]
