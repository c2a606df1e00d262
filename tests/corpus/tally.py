"""Checks programs, and counts what ``check`` made of them: right ones passed, wrong ones found or named.

found    an error or a warning in a wrong program
named    its call, or its model, is said not to be checked, and why
silent   nothing is said of a wrong program
false    an error or a warning in a right program
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.contracts.calls.client_check import check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Severity
from corpus.program import Program

_LOUD = (Severity.ERROR, Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Judged:
    """A program, and what ``check`` says of it."""

    program: Program
    findings: Sequence[Finding]

    @property
    def outcome(self) -> str:
        """Return ``found``, ``named``, or ``silent`` of a wrong program; ``false``, ``named`` or ``passed`` of a
        right one."""
        if any(each.severity in _LOUD for each in self.findings):
            return "found" if self.program.wrong else "false"
        if any(each.severity is Severity.UNCHECKED for each in self.findings):
            return "named"
        return "silent" if self.program.wrong else "passed"


def judged(programs: Iterable[Program], models: Sequence[KnownModel], folder: Path) -> list[Judged]:
    """Check all programs in one run, each in a folder of its own below ``folder``."""
    every = list(programs)
    for number, each in enumerate(every):
        home = folder / f"p{number}"
        home.mkdir(parents=True)
        (home / f"client_{number}.{each.suffix}").write_text(each.text)
        for name, text in each.beside:
            (home / name).write_text(text)
    said: dict[int, list[Finding]] = defaultdict(list)
    for finding in check_known([folder], models).findings:
        assert finding.location is not None
        said[int(finding.location.path.relative_to(folder).parts[0].removeprefix("p"))].append(finding)
    return [Judged(each, said[number]) for number, each in enumerate(every)]


def by_dimension(results: Sequence[Judged]) -> Mapping[str, Counter[str]]:
    """Count the right programs of each dimension by their outcome."""
    return _counted((each.program.dimension, each.outcome) for each in results if not each.program.wrong)


def by_mutation(results: Sequence[Judged]) -> Mapping[str, Counter[str]]:
    """Count the wrong programs by what was made wrong, and their outcome."""
    return _counted((each.program.wrong, each.outcome) for each in results if each.program.wrong)


def _counted(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for key, outcome in pairs:
        counts.setdefault(key, Counter())[outcome] += 1
    return counts
