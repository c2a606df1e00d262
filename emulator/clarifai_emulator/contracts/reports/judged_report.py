"""Makes a report of what a command found: severities, comments that ignore a rule and the baseline are applied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from clarifai_emulator.contracts.reports.judged_call import judged_calls
from clarifai_emulator.contracts.reports.report import Report
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.policy import Judged, LinesOf, Place, Policy, file_lines, judge
from clarifai_emulator.contracts.rules.rule import Severity


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command, before anything is applied to it. ``rules``: the ids of those that the command looks
    for, all if it is empty; ``places``: files and cells whose comments must not be useless. The rest is as in
    ``Report``."""

    findings: Sequence[Finding]
    command: str
    scope: str = ""
    lines_of: LinesOf = file_lines
    places: Sequence[Place] = ()
    rules: Collection[str] = ()
    files: int = 0
    calls: Sequence[ClientCall] = ()
    models: Sequence[tuple[str, str]] = ()
    seconds: float = 0.0


def judged(result: Result, policy: Policy) -> Judged:
    """Return the findings that the policy leaves, each with the severity that it gives them."""
    return judge(result.findings, policy, result.lines_of, result.places, result.rules)


def report_of(
    result: Result, policy: Policy, fail_on: Severity = Severity.ERROR, *, shows_calls: bool = False
) -> Report:
    """Return the report; it has failed where something is at least as grave as ``fail_on``."""
    left = judged(result, policy)
    return Report(
        findings=left.findings,
        root=policy.root,
        lines_of=result.lines_of,
        rule_of=RULES.get,
        files=result.files,
        calls=judged_calls(result.calls, left),
        ignored=left.ignored,
        known=left.known,
        models=result.models,
        seconds=result.seconds,
        failed=left.fails(fail_on),
        command=result.command,
        scope=result.scope,
        shows_calls=shows_calls,
    )
