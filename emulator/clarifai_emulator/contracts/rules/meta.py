"""Defines the rules about how findings are ignored."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

RULES = (
    Rule(
        id="ignore-comment",
        severity=Severity.WARNING,
        breaks=Breaks.NOBODY,
        title="A comment that ignores a rule has no reason, or nothing to ignore",
        explanation="A comment without a rule and a reason ignores nothing: nobody could tell later why it is "
        "there. One on a line without a finding hides the next mistake that is made there.",
        fix="Write `# clarifai: ignore[rule] reason`, or delete the comment.",
    ),
)
