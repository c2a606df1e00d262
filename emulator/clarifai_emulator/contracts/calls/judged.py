"""Judges the findings about clients by the project's rules: the report that `check` and `dev` show."""

from __future__ import annotations

from clarifai_emulator.contracts.calls.client_check import CallReport
from clarifai_emulator.contracts.reports.report import Report
from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.policy import Judged, Policy, judge
from clarifai_emulator.contracts.rules.rule import Severity


def judged(found: CallReport, policy: Policy) -> Judged:
    """Return the findings that the policy leaves, each with the severity that it gives them."""
    return judge(found.findings, policy, found.lines, found.places)


def report_of(found: CallReport, policy: Policy, fail_on: Severity = Severity.ERROR) -> Report:
    """Return the report; it has failed where something is at least as grave as ``fail_on``."""
    left = judged(found, policy)
    return Report(
        findings=left.findings,
        root=policy.root,
        lines_of=found.lines,
        rule_of=RULES.get,
        files=len(found.files),
        calls=found.calls,
        ignored=left.ignored,
        known=left.known,
        models=found.models,
        seconds=found.seconds,
        failed=left.fails(fail_on),
    )
