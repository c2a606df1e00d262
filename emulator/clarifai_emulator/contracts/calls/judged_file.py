"""Holds what is found in one file while it is judged: findings, and the calls that they are about."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.translate import Translator
from clarifai_emulator.contracts.calls.type_checker import Diagnostic
from clarifai_emulator.contracts.rules.client_call import ClientCall, merged_calls
from clarifai_emulator.contracts.rules.finding import Finding, Location

# The findings of a file, and its calls in their order.
Judged = tuple[list[Finding], list[ClientCall]]


@dataclass(slots=True)
class JudgedFile:
    """A file on its way. ``findings`` are those in this file; those that stand in others are with their calls.
    ``misuses``: what the type checker says of results, until it is known whether the models are the reason."""

    source: Source
    findings: list[Finding]
    calls: list[ClientCall] = field(default_factory=list[ClientCall])
    misuses: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def note(self, calls: Iterable[ClientCall]) -> None:
        """Note calls with what is found of them."""
        for each in calls:
            self.calls.append(each)
            self.findings += [one for one in each.findings if self._is_here(one)]

    def say(self, finding: Finding, node: ast.expr | None = None) -> None:
        """Note a finding, and the call that it is about: ``node`` is what is called."""
        if node is None:
            self.findings.append(finding)
        else:
            shown = f"{finding.method}()" if finding.method else f"{ast.unparse(node)}()"
            self.note([ClientCall(self.source.location(node), shown, finding.model, (finding,))])

    def finish(self, translator: Translator, without: Sequence[Diagnostic]) -> Judged:
        """Return what was found. ``without``: what the type checker says where it does not know the models."""
        own = {(each.kind, each.start) for each in without}
        awaited = [each.location for each in self.findings if each.rule == "awaited-twice" and each.location]
        for each in self.misuses:
            said = translator.misuse(each) if (each.kind, each.start) not in own else None
            # That what was awaited cannot be awaited again, the type checker sees too.
            if said is not None and not any(_holds(said[1].location, where) for where in awaited):
                self.say(said[1], said[0])
        findings = distinct(self.findings)
        kept = set(findings)
        return findings, [self._with(kept, each) for each in merged_calls(self.calls)]

    def _with(self, kept: set[Finding], call: ClientCall) -> ClientCall:
        left = tuple(each for each in call.findings if each in kept or not self._is_here(each))
        return call if left == call.findings else replace(call, findings=left)

    def _is_here(self, finding: Finding) -> bool:
        return finding.location is None or finding.location.path == self.source.path


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each place, in their order: of several, the one that was found first; it knows more of
    the reason."""
    seen: set[tuple[Location | None, str]] = set()
    lines: set[tuple[Path, int, int, int]] = set()
    result: list[Finding] = []
    for each in findings:
        where = each.location
        place = (where.path, where.cell, where.line, where.column) if where else None
        if (where, each.message) in seen or (each.rule in ("wrong-result", "not-awaited") and place in lines):
            continue
        seen.add((where, each.message))
        if place:
            lines.add(place)
        result.append(each)
    return sorted(result, key=lambda each: (each.location or Location(Path()), each.rule))


def _holds(outer: Location | None, inner: Location) -> bool:
    """Tell whether one place in a file is within the other."""
    if outer is None or (outer.path, outer.cell) != (inner.path, inner.cell):
        return False
    starts = (outer.line, outer.column) <= (inner.line, inner.column)
    return starts and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
