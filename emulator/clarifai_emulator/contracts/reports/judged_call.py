"""Says what became of each call: checked, wrong, not checked, or ignored by the user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import Judged
from clarifai_emulator.contracts.rules.rule import Severity


class Verdict(StrEnum):
    """The word for what became of a call. ``CHECKED``: it was held against a model, and is right. ``IGNORED``: what
    was found of it does not count, by a comment, the baseline, or the level of the rule."""

    CHECKED = "checked"
    UNCHECKED = "unchecked"
    WARNING = "warning"
    ERROR = "error"
    IGNORED = "ignored"


_OF_SEVERITY = {
    Severity.ERROR: Verdict.ERROR,
    Severity.WARNING: Verdict.WARNING,
    Severity.UNCHECKED: Verdict.UNCHECKED,
}
_ELSEWHERE = "it is in the baseline, or its rule is off"


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A call and what became of it. ``rule`` and ``reason``: of the gravest finding, its id and message; where a
    comment ignores it, the reason that the comment gives. Empty for a call that was checked."""

    call: ClientCall
    verdict: Verdict
    rule: str = ""
    reason: str = ""


_Key = tuple[str, Location | None, str]


def judged_calls(calls: Iterable[ClientCall], judged: Judged) -> tuple[JudgedCall, ...]:
    """Return the calls with their verdicts, in the order of their places. ``judged``: what is left of the
    findings."""
    left = {_key(each): each for each in judged.findings}
    reasons = {_key(each.finding): each.reason for each in judged.ignored}
    return tuple(_judged(each, left, reasons) for each in sorted(calls, key=lambda each: each.location))


def _judged(call: ClientCall, left: dict[_Key, Finding], reasons: dict[_Key, str]) -> JudgedCall:
    if not call.findings:
        return JudgedCall(call, Verdict.CHECKED)
    counting = [left[_key(each)] for each in call.findings if _key(each) in left]
    for severity, verdict in _OF_SEVERITY.items():
        found = next((each for each in counting if each.severity is severity), None)
        if found is not None:
            return JudgedCall(call, verdict, found.rule, found.message)
    if counting:  # notes only
        return JudgedCall(call, Verdict.CHECKED)
    first = call.findings[0]
    return JudgedCall(call, Verdict.IGNORED, first.rule, reasons.get(_key(first), _ELSEWHERE))


def _key(finding: Finding) -> _Key:
    """Return what stays of a finding when its severity is changed."""
    return finding.rule, finding.location, finding.message
