"""Decides which findings count: levels by rule, comments that ignore one, a baseline of earlier findings.

findings ─► levels (rule=level) ─► comments in the code ─► baseline ─► what is left, and whether it fails
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clarifai_emulator.contracts.rules import RULES, found
from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.rules.shown_text import printable
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.spelling import did_you_mean

_COMMENT = re.compile(r"(?:#|//)\s*clarifai:\s*ignore(?:\[(?P<rules>[^\]]*)\])?(?P<reason>[^#]*)")
_OFF = "off"
_BASELINE_VERSION = 1
# From the gravest: a threshold takes what stands before it too.
_GRAVITY = (Severity.ERROR, Severity.WARNING, Severity.UNCHECKED, Severity.NOTE)

# Of a file, or of one cell of a notebook.
LinesOf = Callable[[Path, int], Sequence[str]]
Place = tuple[Path, int]

USELESS_COMMENT = "ignore-comment"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules for findings. ``levels``: severity by rule id, ``None`` to drop it. ``baseline``: how often each
    fingerprint was known."""

    levels: Mapping[str, Severity | None] = field(default_factory=dict[str, Severity | None])
    baseline: Mapping[str, int] = field(default_factory=dict[str, int])
    root: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that a comment ignores, and the reason the comment gives."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Judged findings. ``findings`` are those that count; ``known`` is how many the baseline already had."""

    findings: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()
    known: int = 0

    @property
    def silenced(self) -> int:
        """Count the findings that do not count, by a comment or by the baseline."""
        return len(self.ignored) + self.known

    def fails(self, threshold: Severity) -> bool:
        """Tell whether one of the findings is at least as grave as ``threshold``."""
        grave = _GRAVITY[: _GRAVITY.index(threshold) + 1]
        return any(finding.severity in grave for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Comment:
    line: int
    rules: frozenset[str]
    reason: str


def read_levels(texts: Iterable[str], known: Iterable[str]) -> dict[str, Severity | None]:
    """Read ``rule=level`` texts as severities. Raises ``ConfigError`` with every one that cannot be understood."""
    ids = list(known)
    levels: dict[str, Severity | None] = {}
    problems: list[str] = []
    for text in texts:
        rule, _, level = text.partition("=")
        if rule not in ids:
            problems.append(f"'{text}': there is no rule '{rule}'.{did_you_mean(rule, ids, lead=' ')}")
        elif level not in (*_GRAVITY, _OFF):
            problems.append(f"'{text}': the level is one of {', '.join(_GRAVITY)}, {_OFF}.")
        else:
            levels[rule] = None if level == _OFF else Severity(level)
    if problems:
        raise ConfigError("The severities cannot be used:", problems, hint="Write RULE=LEVEL.")
    return levels


def file_lines(path: Path, cell: int) -> Sequence[str]:
    """Return the lines of a file, where there is no better way to get them; of a notebook's cells, none."""
    try:
        return path.read_text(encoding="utf-8").splitlines() if not cell else ()
    except (OSError, UnicodeDecodeError):
        return ()


def judge(
    findings: Iterable[Finding],
    policy: Policy,
    lines_of: LinesOf,
    places: Iterable[Place] = (),
    rules: Collection[str] = (),
) -> Judged:
    """Apply the policy. ``lines_of`` gives the lines of a file, or of a notebook's cell; ``places`` are looked
    through for useless comments. ``rules``: those that were looked for, all if it is empty; a comment about another
    one is not useless."""
    levelled = [each for each in (_levelled(finding, policy) for finding in findings) if each is not None]
    comments = {place: _comments(lines_of(*place)) for place in {*places, *_places(levelled)}}
    left, ignored = _heed(levelled, comments)
    used = {(_place(i.finding.location), i.finding.location.line) for i in ignored if i.finding.location}
    for place in sorted(comments):
        useless = (
            _useless(place, each)
            for each in comments[place]
            if (place, each.line) not in used and _is_about(each, rules)
        )
        left += [each for each in (_levelled(finding, policy) for finding in useless) if each is not None]
    left, known = _without_known(left, policy, lines_of)
    return Judged(tuple(sorted(left, key=_order)), tuple(ignored), known)


def fingerprint(finding: Finding, root: Path, lines_of: LinesOf) -> str:
    """Return what stays the same when lines move: rule, file, message, and the text of the line."""
    where = finding.location
    line = ""
    if where is not None and where.line:
        lines = lines_of(where.path, where.cell)
        line = lines[where.line - 1].strip() if where.line <= len(lines) else ""
    parts = (finding.rule, relative(where.path, root) if where else "", finding.message, line)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def relative(path: Path, root: Path) -> str:
    """Return the path from ``root``, with slashes; as it is where the two have no folder in common. What no text
    file can show of a name is escaped."""
    is_far = not path.is_absolute() or (len(path.parts) > 1 and path.parts[:2] != root.parts[:2])
    return printable((path if is_far else Path(os.path.relpath(path, root))).as_posix())


def read_baseline(path: Path) -> dict[str, int]:
    """Return the fingerprints of a baseline file and how often each was there. Raises ``ConfigError``."""
    hint = "Write it with --write-baseline."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _BASELINE_VERSION:
            raise ConfigError(
                f"The baseline {path} cannot be used:", [f"its version is {document['version']}, not 1."], hint=hint
            )
        return {str(each["fingerprint"]): int(each["count"]) for each in document["findings"]}
    except FileNotFoundError:
        raise ConfigError(f"The baseline {path} cannot be used:", ["there is no such file."], hint=hint) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"it is not a baseline ({type(error).__name__}: {error})."
        raise ConfigError(f"The baseline {path} cannot be used:", [problem], hint=hint) from None


def write_baseline(path: Path, findings: Iterable[Finding], root: Path, lines_of: LinesOf) -> int:
    """Write what is there now; how many findings that is."""
    kept = list(findings)
    counts = Counter(fingerprint(each, root, lines_of) for each in kept)
    rows = {fingerprint(each, root, lines_of): each for each in kept}
    document = {
        "version": _BASELINE_VERSION,
        "findings": [
            {
                "fingerprint": key,
                "count": counts[key],
                "rule": each.rule,
                "file": relative(each.location.path, root) if each.location else "",
                "message": each.message,
            }
            for key, each in sorted(rows.items(), key=lambda row: (_order(row[1]), row[0]))
        ],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(kept)


def _levelled(finding: Finding, policy: Policy) -> Finding | None:
    if finding.rule not in policy.levels:
        return finding
    level = policy.levels[finding.rule]
    return None if level is None else replace(finding, severity=level)


def _place(location: Location) -> Place:
    return (location.path, location.cell)


def _places(findings: Iterable[Finding]) -> set[Place]:
    return {_place(finding.location) for finding in findings if finding.location is not None}


def _comments(lines: Sequence[str]) -> list[_Comment]:
    found: list[_Comment] = []
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line) if "clarifai:" in line else None
        if match is None:
            continue
        rules = frozenset(name.strip() for name in (match["rules"] or "").split(",") if name.strip())
        # On a line of its own, it speaks of the next one.
        alone = not line[: match.start()].strip()
        found.append(_Comment(number + alone, rules, match["reason"].strip()))
    return found


def _heed(
    findings: Iterable[Finding], comments: Mapping[Place, Sequence[_Comment]]
) -> tuple[list[Finding], list[Ignored]]:
    left: list[Finding] = []
    ignored: list[Ignored] = []
    for finding in findings:
        where = finding.location
        reason = next(
            (
                each.reason
                for each in (comments.get(_place(where), ()) if where else ())
                if where and where.line == each.line and finding.rule in each.rules and each.reason
            ),
            "",
        )
        if reason:
            ignored.append(Ignored(finding, reason))
        else:
            left.append(finding)
    return left, ignored


def _is_about(comment: _Comment, rules: Collection[str]) -> bool:
    """Tell whether the comment names one of these rules, or no rule that there is."""
    return not rules or not (comment.rules & RULES.keys()) or bool(comment.rules & set(rules))


def _useless(place: Place, comment: _Comment) -> Finding:
    if not comment.rules:
        problem = "names no rule, so it ignores nothing"
    elif not comment.reason:
        problem = "gives no reason, so it ignores nothing"
    else:
        problem = f"ignores {', '.join(sorted(comment.rules))}, which is not found here"
    where = Location(place[0], comment.line, cell=place[1])
    return found(USELESS_COMMENT, f"This comment {problem}.", location=where)


def _without_known(findings: Iterable[Finding], policy: Policy, lines_of: LinesOf) -> tuple[list[Finding], int]:
    if not policy.baseline:
        return list(findings), 0
    remaining = Counter(policy.baseline)
    left: list[Finding] = []
    known = 0
    for finding in findings:
        key = fingerprint(finding, policy.root, lines_of)
        if remaining[key] > 0:
            remaining[key] -= 1
            known += 1
        else:
            left.append(finding)
    return left, known


def _order(finding: Finding) -> tuple[str, int, int, int, str, str]:
    where = finding.location
    if where is None:
        return ("", 0, 0, 0, finding.rule, finding.message)
    return (str(where.path), where.cell, where.line, where.column, finding.rule, finding.message)
