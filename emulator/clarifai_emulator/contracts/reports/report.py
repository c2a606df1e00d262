"""Holds what every report shows: the findings that count, what was looked at, and how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.contracts.reports.judged_call import JudgedCall, Verdict
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.policy import Ignored, LinesOf, fingerprint, relative
from clarifai_emulator.contracts.rules.rule import Rule, Severity

SEVERITIES = (Severity.ERROR, Severity.WARNING, Severity.UNCHECKED, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a report. ``root``: the folder that paths are shown relative to. ``rule_of``: a rule by its
    id, if there is one. ``files``: how many clients were checked; ``calls``: what became of each call in them.
    ``failed``: whether the threshold is reached. ``command``: the command that made it. ``scope``: what it looked
    at, in words, empty for clients. ``shows_calls``: people want to see the calls, too."""

    findings: Sequence[Finding]
    root: Path
    lines_of: LinesOf
    rule_of: Callable[[str], Rule | None]
    files: int = 0
    calls: Sequence[JudgedCall] = ()
    ignored: Sequence[Ignored] = ()
    known: int = 0
    models: Sequence[tuple[str, str]] = ()
    seconds: float = 0.0
    failed: bool = False
    command: str = "check"
    scope: str = ""
    shows_calls: bool = False

    @property
    def title(self) -> str:
        """Return the name of the program and the command that made the report."""
        return f"clarifai-emulator {self.command}"

    def path(self, location: Location | None) -> str:
        """Return the path as it is shown; empty where there is none."""
        return relative(location.path, self.root) if location is not None else ""

    def file(self, location: Location | None) -> str:
        """Return the path for programs: that of the file today, where the place is in a revision of it."""
        if location is None or not location.revision:
            return self.path(location)
        return location.path.as_posix().removeprefix(f"{location.revision}:")

    def place(self, location: Location | None) -> str:
        """Return ``client.py:3:5``, and the cell of a notebook."""
        if location is None:
            return ""
        cell = f"#cell{location.cell}" if location.cell else ""
        numbers = ":".join(str(each) for each in (location.line, location.column) if each)
        return f"{self.path(location)}{cell}{':' + numbers if numbers else ''}"

    def fingerprint(self, finding: Finding) -> str:
        return fingerprint(finding, self.root, self.lines_of)

    def line(self, location: Location | None) -> str:
        """Return the line of the code; empty where there is none."""
        if location is None or not location.line or location.path.is_dir():
            return ""
        lines = self.lines_of(location.path, location.cell)
        return lines[location.line - 1].rstrip() if location.line <= len(lines) else ""

    def counts(self) -> dict[Severity, int]:
        """Count the findings of each severity, from the gravest."""
        counted = Counter(each.severity for each in self.findings)
        return {severity: counted[severity] for severity in SEVERITIES}

    def call_counts(self) -> dict[Verdict, int]:
        """Count the calls of each verdict."""
        numbers = Counter(each.verdict for each in self.calls)
        return {verdict: numbers[verdict] for verdict in Verdict}

    def summary(self) -> str:
        """Return one sentence: ``nothing found; 3 files and 14 calls checked in 0.4 s``. Where not every call was
        checked and right: ``1 error; 3 files, 14 calls (13 checked, 1 wrong) in 0.4 s``."""
        shown = [f"{number} {_noun(severity, number)}" for severity, number in self.counts().items() if number]
        more = [f"{len(self.ignored)} ignored"] if self.ignored else []
        more += [f"{self.known} in the baseline"] if self.known else []
        found = ", ".join([*shown, *more]) or "nothing found"
        return f"{found}; {self.scope or self._looked_at()} in {self.seconds:.1f} s"

    def _looked_at(self) -> str:
        files, calls = counted(self.files, "file"), counted(len(self.calls), "call")
        numbers = self.call_counts()
        if numbers[Verdict.CHECKED] == len(self.calls):
            return f"{files} and {calls} checked"
        words = {
            "checked": numbers[Verdict.CHECKED],
            "unchecked": numbers[Verdict.UNCHECKED],
            "wrong": numbers[Verdict.ERROR] + numbers[Verdict.WARNING],
            "ignored": numbers[Verdict.IGNORED],
        }
        return f"{files}, {calls} ({', '.join(f'{number} {word}' for word, number in words.items() if number)})"


def declared_text(report: Report, finding: Finding) -> str:
    """Say where the model declares what the finding disagrees with."""
    if finding.declared is None:
        return ""
    return f"{'it was declared' if finding.old else 'declared'} in {report.place(finding.declared)}"


def change_text(finding: Finding) -> str:
    """Return a change of a method as its signature before and after; empty where there is none."""
    if finding.old and finding.new:
        return f"Before: {finding.old}; now: {finding.new}"
    return f"Before: {finding.old}" if finding.old else ""


def used_by_text(report: Report, finding: Finding) -> str:
    """Say which calls a change breaks; empty where none is known."""
    if not finding.used_by:
        return ""
    shown = ", ".join(report.place(each) for each in finding.used_by)
    return f"Breaks {counted(len(finding.used_by), 'call')}: {shown}"


def caller_text(finding: Finding) -> str:
    """Say whose code it is found in, and what that calls: ``model agent, which calls predict() of greeter``; empty
    for a client."""
    if not finding.caller:
        return ""
    if not finding.model:
        return f"model {finding.caller}"
    method = finding.method if not finding.method or finding.method.endswith(")") else f"{finding.method}()"
    return f"model {finding.caller}, which calls {method}{' of ' if method else ''}{finding.model}"


def caller_sentence(finding: Finding) -> str:
    """Say the same as a sentence."""
    text = caller_text(finding)
    return f"In {text}" if text else ""


def full_text(report: Report, finding: Finding) -> str:
    """Join message, signatures, calls that break, declaration and way out to one text."""
    declared = declared_text(report, finding)
    declared = declared[:1].upper() + declared[1:]
    parts = [finding.message, caller_sentence(finding), change_text(finding), used_by_text(report, finding)]
    parts += [declared, finding.hint]
    return " ".join(part if part.endswith((".", "?", "!", "`")) else f"{part}." for part in parts if part)


def _noun(severity: Severity, number: int) -> str:
    return severity.value if severity is Severity.UNCHECKED or number == 1 else f"{severity.value}s"


def counted(number: int, noun: str) -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
