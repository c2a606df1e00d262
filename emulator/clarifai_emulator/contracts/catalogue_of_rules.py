"""Every rule there is, by id: of models, values and changes, of calls, and of the comments that ignore one."""

from __future__ import annotations

from clarifai_emulator.contracts.rule import Rule


def all_rules() -> dict[str, Rule]:
    """By id, in the order of their subjects."""
    from clarifai_emulator.contracts import policy
    from clarifai_emulator.contracts.calls import rules as calls
    from clarifai_emulator.contracts.rules import RULES

    return {**RULES, **{rule.id: rule for rule in (*calls.RULES, *policy.RULES)}}
