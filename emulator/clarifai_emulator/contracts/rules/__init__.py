"""Registers every rule there is, by id. To add one, write it into the module of its subject."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.contracts.rules import calls, files, meta, model, values
from clarifai_emulator.contracts.rules import contract_changes as changes
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.rule import Rule

SUBJECTS: dict[str, tuple[Rule, ...]] = {
    "model.py": model.RULES,
    "config.yaml and requirements.txt": files.RULES,
    "values": values.RULES,
    "calls": calls.RULES,
    "changes of a model": changes.RULES,
    "settings": meta.RULES,
}

RULES: dict[str, Rule] = {rule.id: rule for rules in SUBJECTS.values() for rule in rules}


def found(rule_id: str, message: str, **more: Any) -> Finding:
    """A finding of this rule, with the rule's severity, and its way out as the hint unless another is given."""
    rule = RULES[rule_id]
    more.setdefault("hint", rule.fix)
    return Finding(rule_id, more.pop("severity", rule.severity), message, **more)
