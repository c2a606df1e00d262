"""What a failed test says of the emulator: its calls, where they went and why, and what the models printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from clarifai_emulator.events import Event
from clarifai_emulator.nodepools.fleet import model_traceback
from pytest_clarifai_emulator.calls import Call
from pytest_clarifai_emulator.routed import explain
from pytest_clarifai_emulator.serving import Serving

_CALLS = 5
_LOG_LINES = 15
# What happened to deployments and replicas that a reader of a failure wants to know.
_TOLD = ("replica.crashed", "replica.hung", "deployment.failed", "deployment.pending", "replica.substituted")
_FAULT = "fault.injected"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def failure_section(serving: Serving) -> str:
    """The text of the section; empty when the test has not used a model."""
    happened, printed = serving.thread.events(), serving.log_lines("runner")
    parts = [*_calls(serving.calls()), *_happenings(happened), *_logs(printed)]
    return "\n".join(parts)


def _calls(calls: list[Call]) -> Iterator[str]:
    if len(calls) > _CALLS:
        yield f"The last {_CALLS} of {len(calls)} calls:"
    for call in calls[-_CALLS:]:
        yield str(call)
        if not call.ok and call.error:
            yield from (f"  {line}" for line in call.error.splitlines())
        if call.route is not None:
            yield from (f"  {line}" for line in explain(call.route))


def _happenings(events: list[Event]) -> list[str]:
    told: list[str] = []
    for event in events:
        if event.kind in _TOLD:
            name = event.fields.get("deployment_id") or event.fields.get("replica_id", "")
            told.append(f"{event.kind} {name}: {event.fields.get('message') or event.fields.get('reason')}")
        elif event.kind == _FAULT:
            told.append(f"{event.kind}: {_fault(event.fields)}")
    return told


def _fault(fields: dict[str, Any]) -> str:
    return f"{fields.get('fault_id', '')} {fields.get('rule', '')}".strip()


def _logs(printed: list[str]) -> Iterator[str]:
    lines = [_COLOUR.sub("", line) for line in printed]
    if not lines:
        return iter(())
    tail = lines[-_LOG_LINES:]
    trace = model_traceback(lines) if any("Traceback" in line for line in lines) else ""
    parts = [f"What the models printed last ({len(tail)} of {len(lines)} lines):", *(f"  {line}" for line in tail)]
    if trace and trace not in "\n".join(tail):
        parts += ["The model's last traceback:", *(f"  {line}" for line in trace.splitlines())]
    return iter(parts)
