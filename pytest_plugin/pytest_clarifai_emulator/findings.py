"""Contract findings in tests: the words for one, and which of them fail the test that made the call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def explain_finding(finding: Mapping[str, Any]) -> Iterator[str]:
    """A finding for a report, from the fields of its event."""
    yield f"{finding.get('rule', 'contract')}: {finding.get('message', '')}"
    for name in ("call", "signature", "place", "hint"):
        if finding.get(name):
            yield f"  {name}: {finding[name]}"
