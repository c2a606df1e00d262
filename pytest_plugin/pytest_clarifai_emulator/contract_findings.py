"""Gathers contract findings of tests: what clients did wrong, told with call, signature, line and hint.

The emulator records each as an event ``contract.finding``; they are gathered here when the test's own code is
through.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.control.call_records import Call
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.messages.data_values import shown_call, signature_of
from clarifai_emulator.python_source import parse_module
from clarifai_emulator.store import Kind


@dataclass(frozen=True, slots=True)
class CallFinding:
    """A finding about one call. ``signature``, ``place`` (file and line in the model) and ``caller`` (file and line
    of the call) are empty when they are not known."""

    rule: str
    severity: str
    message: str
    hint: str
    model: str
    method: str
    call: str
    signature: str
    place: str
    caller: str = ""

    @property
    def is_error(self) -> bool:
        """Tell whether the finding fails a test with ``--clarifai-contract strict``."""
        return self.severity == Severity.ERROR

    def lines(self) -> Iterator[str]:
        """Yield the lines of the finding for a report."""
        yield f"{self.rule}: {self.message}"
        for name in ("caller", "call", "signature", "place", "hint"):
            value = getattr(self, name)
            if value:
                yield f"  {name + ':':<10} {value}"


def findings_of(calls: Sequence[Call], emulator: Emulator) -> list[CallFinding]:
    """Return the findings about these calls. Runs in the emulator's event loop."""
    return [_finding(call, fields, emulator) for call in calls for fields in call.findings]


def complaint(findings: Sequence[CallFinding]) -> str:
    """Say why a test fails because of these findings."""
    count = len(findings)
    lines = [f"{count} call{'s do' if count > 1 else ' does'} not match the model's signature:"]
    for finding in findings:
        lines += [f"  {line}" for line in finding.lines()]
    lines.append(
        "`--clarifai-contract warn` only tells; `@pytest.mark.clarifai_contract(allow=[RULE])` is for a test that "
        "does it on purpose."
    )
    return "\n".join(lines)


def _finding(call: Call, fields: dict[str, Any], emulator: Emulator) -> CallFinding:
    key = (*call.model.split("/"), str(fields.get("version_id", "")))
    version: Any = emulator.store.get(Kind.MODEL_VERSION, key)
    signature = signature_of(version.method_signatures, call.method) if version is not None else None
    return CallFinding(
        rule=str(fields["rule"]),
        severity=str(fields["severity"]),
        message=str(fields["message"]),
        hint=str(fields.get("hint", "")),
        model=call.model,
        method=call.method,
        call=shown_call(call.method, call.arguments),
        signature=str(method_shape(signature)) if signature is not None else "",
        place=place_of(key, call.method, emulator),
    )


def place_of(key: tuple[str, ...], method: str, emulator: Emulator) -> str:
    """Return file and line of a method of a model (its user, app and id) or of one of its versions; empty when its
    source is not here. Runs in the emulator's event loop."""
    store = emulator.store
    source: Any = store.get(Kind.SOURCE, key) if len(key) == 4 else store.newest(Kind.SOURCE, key)
    return _place(source.path, method) if source is not None else ""


def _place(directory: Path, method: str) -> str:
    """Return file and line of a method; the file alone when the method is not written there."""
    for file in (directory / "1" / "model.py", directory / "model.py"):
        try:
            tree = parse_module(file.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == method:
                return f"{file}:{node.lineno}"
        return str(file)
    return ""
