"""Rules about how findings are silenced."""

from __future__ import annotations

from clarifai_emulator.contracts.rule import Breaks, Rule, Severity

RULES = (
    Rule(
        "suppression-without-reason",
        Severity.WARNING,
        Breaks.NOBODY,
        "A finding is to be ignored, and nobody says why",
        "The comment is not heeded.",
        "Write the reason after the bracket.",
        "# contract: ignore[out-of-range]",
    ),
    Rule(
        "unknown-rule",
        Severity.WARNING,
        Breaks.NOBODY,
        "A comment or a setting names a rule that does not exist",
        "It has no effect.",
        "`clarifai-emulator contract rules` lists them all.",
        "# contract: ignore[out-of-rang] the model clips it",
    ),
)
