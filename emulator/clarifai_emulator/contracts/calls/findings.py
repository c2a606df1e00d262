"""Makes findings about places in clients, with what every one of them says."""

from __future__ import annotations

from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.contracts.rules.finding import Finding, Location


def found(
    rule_id: str,
    message: str,
    location: Location | None,
    *,
    hint: str = "",
    model: str = "",
    method: str = "",
    declared: Location | None = None,
) -> Finding:
    """A finding of one of the rules; the hint is the rule's unless one is given."""
    rule = RULES[rule_id]
    return Finding(rule_id, rule.severity, message, hint or rule.fix, location, declared, model, method)
