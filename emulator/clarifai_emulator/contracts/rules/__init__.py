"""Registers every rule there is, by id. To add one, write it into the module of its subject."""

from __future__ import annotations

from clarifai_emulator.contracts.rules import (
    calls,
    config_files,
    endpoint_requests,
    meta,
    model_code,
    sdk_functions,
    values,
)
from clarifai_emulator.contracts.rules import contract_changes as changes
from clarifai_emulator.contracts.rules.finding import Edit, Finding, Location
from clarifai_emulator.contracts.rules.rule import Rule, Severity

SUBJECTS: dict[str, tuple[Rule, ...]] = {
    "model.py": model_code.RULES,
    "config.yaml and requirements.txt": config_files.RULES,
    "values": values.RULES,
    "calls": calls.RULES,
    "functions of the SDK": sdk_functions.RULES,
    "requests to endpoints": endpoint_requests.RULES,
    "changes of a model": changes.RULES,
    "settings": meta.RULES,
}

RULES: dict[str, Rule] = {rule.id: rule for rules in SUBJECTS.values() for rule in rules}


def found(
    rule_id: str,
    message: str,
    location: Location | None = None,
    *,
    severity: Severity | None = None,
    hint: str | None = None,
    model: str = "",
    method: str = "",
    declared: Location | None = None,
    old: str = "",
    new: str = "",
    edit: Edit | None = None,
) -> Finding:
    """Return a finding of this rule; severity and hint are the rule's own unless others are given."""
    rule = RULES[rule_id]
    chosen = rule.severity if severity is None else severity
    fix = rule.fix if hint is None else hint
    return Finding(rule_id, chosen, message, fix, location, declared, model, method, old, new, edit=edit)
