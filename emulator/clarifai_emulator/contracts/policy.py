"""What a project makes of findings: severities of its own, a baseline of known ones, comments that silence one.

[tool.clarifai-emulator.rules]          in pyproject.toml
large-integer = "error"                 error, warning, unchecked, note or off
default-changed = "off"

model.predict(n=99)  # contract: ignore[out-of-range] the model clips it
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from clarifai_emulator.contracts.finding import Finding, Location
from clarifai_emulator.contracts.rule import Severity
from clarifai_emulator.contracts.rules import RULES, found
from clarifai_emulator.contracts.values import nearest
from clarifai_emulator.errors import ConfigError

OFF = "off"
_COMMENT = re.compile(r"#\s*contract:\s*ignore\[(?P<rules>[^\]]*)\]\s*(?P<reason>.*)")
_LEVELS = [*(each.value for each in Severity), OFF]


@dataclass(frozen=True, slots=True)
class Policy:
    """``severities``: by rule, ``off`` included. ``baseline``: how often each known finding may be there."""

    severities: Mapping[str, str] = field(default_factory=dict[str, str])
    baseline: Mapping[str, int] = field(default_factory=dict[str, int])
    root: Path = field(default_factory=Path.cwd)

    def __post_init__(self) -> None:
        problems = [
            f"{rule} = {level!r}: {_level_problem(rule, level)}"
            for rule, level in self.severities.items()
            if _level_problem(rule, level)
        ]
        if problems:
            raise ConfigError("The severities of rules cannot be used:", problems)


def _level_problem(rule: str, level: str) -> str:
    if rule not in RULES:
        near = nearest(rule, RULES)
        return f"there is no such rule{f'; did you mean {near}?' if near else ''}"
    return "" if level in _LEVELS else f"must be one of {', '.join(_LEVELS)}"


@dataclass(frozen=True, slots=True)
class Judged:
    """``findings`` count; ``silenced`` do not, by a comment, the baseline, or because their rule is off."""

    findings: tuple[Finding, ...]
    silenced: tuple[Finding, ...]

    def at_least(self, severity: Severity) -> list[Finding]:
        """Those that are as bad, or worse."""
        return [each for each in self.findings if _ORDER[each.severity] >= _ORDER[severity]]


_ORDER = {Severity.NOTE: 0, Severity.UNCHECKED: 1, Severity.WARNING: 2, Severity.ERROR: 3}


def judge(findings: Iterable[Finding], policy: Policy) -> Judged:
    """What is left of the findings."""
    kept: list[Finding] = []
    silenced: list[Finding] = []
    known = Counter(policy.baseline)
    for finding in dict.fromkeys(findings):
        told = _with_severity(finding, policy)
        about_comment = list(_comment(told)) if told is not None else []
        mark = fingerprint(finding, policy.root)
        kept.extend(each for each in about_comment if each is not told)
        if told is None or told in about_comment:
            silenced.append(finding)
        elif known[mark] > 0:
            known[mark] -= 1
            silenced.append(finding)
        else:
            kept.append(told)
    return Judged(tuple(dict.fromkeys(kept)), tuple(silenced))


def _with_severity(finding: Finding, policy: Policy) -> Finding | None:
    level = policy.severities.get(finding.rule)
    if level is None:
        return finding
    return None if level == OFF else replace(finding, severity=Severity(level))


def _comment(finding: Finding) -> Iterator[Finding]:
    """The finding itself when a comment silences it; else what is wrong with the comment, if there is one."""
    where = finding.location
    comment = _comment_at(where.path, where.line) if where is not None and not where.cell else None
    if where is None or comment is None:
        return
    line, rules, reason = comment
    at = Location(where.path, line, 1)
    for name in rules:
        if name not in RULES:
            near = nearest(name, RULES)
            guess = f" Did you mean '{near}'?" if near else ""
            yield found("unknown-rule", f"There is no rule '{name}'.{guess}", location=at)
    if finding.rule not in rules:
        return
    if reason:
        yield finding
    else:
        yield found("suppression-without-reason", f"'{finding.rule}' is ignored without a reason.", location=at)


def _comment_at(path: Path, line: int) -> tuple[int, list[str], str] | None:
    """The comment of this line, or of a line of its own above it."""
    lines = _lines(path)
    for number in (line, line - 1):
        text = lines[number - 1] if 0 < number <= len(lines) else ""
        match = _COMMENT.search(text)
        if match is not None and (number == line or text.lstrip().startswith("#")):
            return number, [each.strip() for each in match["rules"].split(",")], match["reason"].strip()
    return None


@lru_cache(maxsize=64)
def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()


def fingerprint(finding: Finding, root: Path) -> str:
    """The same for the same finding on another line: rule, file, model, method and words."""
    path = ""
    if finding.location is not None:
        path = finding.location.path.as_posix()
        if finding.location.path.is_relative_to(root):
            path = finding.location.path.relative_to(root).as_posix()
    told = "\0".join((finding.rule, path, finding.model, finding.method, finding.message))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def write_baseline(findings: Iterable[Finding], root: Path) -> str:
    """The text of a baseline file that knows these findings."""
    told: dict[str, dict[str, Any]] = {}
    for each in findings:
        mark = fingerprint(each, root)
        entry = told.setdefault(mark, {"rule": each.rule, "message": each.message, "count": 0})
        entry["count"] += 1
    ordered = dict(sorted(told.items(), key=lambda item: (item[1]["rule"], item[1]["message"], item[0])))
    return json.dumps({"version": 1, "findings": ordered}, indent=2, ensure_ascii=False) + "\n"


def read_baseline(file: Path) -> dict[str, int]:
    """How often each known finding may be there. Raises ``ConfigError``."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        return {mark: int(entry["count"]) for mark, entry in content["findings"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "Write it again with --write-baseline."
        raise ConfigError(f"The baseline {file} cannot be used:", [str(error)], hint=hint) from None


def project_severities(start: Path) -> dict[str, str]:
    """``[tool.clarifai-emulator.rules]`` of the nearest pyproject.toml. Raises ``ConfigError``."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                content = tomllib.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise ConfigError(f"{file} cannot be read:", [str(error)]) from None
            rules: Any = content.get("tool", {}).get("clarifai-emulator", {}).get("rules", {})
            return {str(name): str(level) for name, level in cast("Mapping[str, object]", rules).items()}
    return {}
