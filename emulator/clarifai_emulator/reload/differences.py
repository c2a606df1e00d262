"""Tells what an edit changed for clients, by rule: the signatures before and after it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.rules.finding import Finding, Location
from clarifai_emulator.contracts.signatures.method import Method
from clarifai_emulator.python_source import parse_module


def differences(old: Sequence[Any], new: Sequence[Any], *, model: str, file: Path, source: str) -> list[Finding]:
    """Return every change from the old ``MethodSignature`` messages to the new ones, where the method is in
    ``file``."""
    from clarifai_emulator.contracts.changes.compare import changes

    lines = _lines(source)
    now = [Method(each, _location(file, lines, each.name)) for each in new]
    return changes([Method(each) for each in old], now, model=model)


def as_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values."""
    from clarifai_emulator.contracts.rules import RULES

    where = finding.location
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "breaks": RULES[finding.rule].breaks.value,
        "message": finding.message,
        "hint": finding.hint,
        "model": finding.model,
        "method": finding.method,
        "file": str(where.path) if where is not None else "",
        "line": where.line if where is not None else 0,
    }


def _location(file: Path, lines: Mapping[str, int], name: str) -> Location | None:
    return Location(file, lines[name]) if name in lines else None


def _lines(source: str) -> dict[str, int]:
    """Return the line of each method, by its name."""
    try:
        module = parse_module(source)
    except (SyntaxError, ValueError):
        return {}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        each.name: each.lineno
        for node in module.body
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, functions)
    }
