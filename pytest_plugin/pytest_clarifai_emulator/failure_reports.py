"""Reports to a failed test what the emulator knows: its calls, their routes and reasons, and models' output."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from clarifai_emulator.backends.printed import without_colours
from clarifai_emulator.control.call_records import Call
from clarifai_emulator.events import Event
from clarifai_emulator.nodepools.fleet import model_traceback
from pytest_clarifai_emulator.model_paths import paths_of
from pytest_clarifai_emulator.plain_failures import plain_failure
from pytest_clarifai_emulator.refused_calls import explained
from pytest_clarifai_emulator.routed import explain
from pytest_clarifai_emulator.serving import Serving
from pytest_clarifai_emulator.test_environment import Environment

_CALLS = 5
_LOG_LINES = 15
# Silence after which all is taken to be printed, and the longest wait for it.
_PRINTED_SECONDS = 0.05
_PRINTING_SECONDS = 0.5
# Events of deployments and replicas that matter to a reader of a failure.
_TOLD = (
    "replica.crashed",
    "replica.hung",
    "deployment.failed",
    "deployment.pending",
    "deployment.overcommitted",
    "replica.substituted",
)
_FAULT = "fault.injected"
_REFUSED = "clarifai: calls that the SDK refused"


def tell_failure(
    item: pytest.Item,
    call: pytest.CallInfo[Any],
    report: pytest.TestReport,
    serving: Serving,
    environment: Environment,
) -> None:
    """Add to the report of a failed test what is known here; a failure that a few lines explain loses its
    traceback."""
    error = call.excinfo.value if call.excinfo is not None else None
    if error is not None:
        plain = plain_failure(item, error, serving, environment.user_id, paths_of(item))
        if plain:
            report.longrepr = _without_traceback(item, plain)
    refused = explained(environment.calls.noted, serving, environment.user_id, str(report.longrepr))
    if refused:
        _add_section(report, _REFUSED, "\n".join(line for each in refused for line in each.lines()))
    text = failure_section(serving)
    if text:
        report.sections.append(("clarifai", text))


def _without_traceback(item: pytest.Item, text: str) -> Any:
    """Return what pytest shows of a failure that has these words alone."""
    try:
        pytest.fail(text, pytrace=False)
    except pytest.fail.Exception:
        return item.repr_failure(pytest.ExceptionInfo.from_current())


def _add_section(report: pytest.TestReport, title: str, text: str) -> None:
    """Add a section behind the traceback, so that the JUnit file has it, too."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(title, text, "-")
    else:
        report.sections.append((title, text))


def failure_section(serving: Serving) -> str:
    """Return the text of the section; empty when the test has not used a model."""
    calls, events = serving.test_calls(), serving.test_events()
    parts = [
        *_retries(serving),
        *_calls(calls),
        *_trees(events),
        *_happenings(events),
        *_unverified(events),
        *_logs(_printed(serving, calls)),
    ]
    return "\n".join(parts)


def _printed(serving: Serving, calls: list[Call]) -> list[str]:
    """Return what the models printed. Output takes another way than answers, so wait a moment for more of it."""
    deadline = time.monotonic() + _PRINTING_SECONDS
    printed, before = serving.log_lines("runner"), -1
    while (calls or printed) and len(printed) != before and time.monotonic() < deadline:
        before = len(printed)
        time.sleep(_PRINTED_SECONDS)
        printed = serving.log_lines("runner")
    return printed


def _calls(calls: list[Call]) -> Iterator[str]:
    if len(calls) > _CALLS:
        yield f"The last {_CALLS} of {len(calls)} calls:"
    for call in calls[-_CALLS:]:
        yield str(call)
        if not call.ok and call.error:
            yield from (f"  {line}" for line in call.error.splitlines())
        if call.route is not None:
            yield from (f"  {line}" for line in explain(call.route))


def _trees(events: list[Event]) -> Iterator[str]:
    """Yield who called whom inside the last requests in which a model made others."""
    if not any("parent_id" in event.fields for event in events):
        return
    from clarifai_emulator.control.request_trees import tree_lines, trees_of

    yield "Who called whom:"
    for tree in trees_of(event.as_dict() for event in events)[-_CALLS:]:
        yield from (f"  {line}" for line in tree_lines(tree))


def _retries(serving: Serving) -> Iterator[str]:
    clock = serving.sdk_clock
    if clock.retries.count:
        passed = "" if clock.mode == "real" else ", which passed at once (--clarifai-retries real waits)"
        yield f"The SDK tried again {clock.retries}{passed}."


def _happenings(events: list[Event]) -> list[str]:
    told: list[str] = []
    for event in events:
        if event.kind in _TOLD:
            name = event.fields.get("deployment_id") or event.fields.get("replica_id", "")
            told.append(f"{event.kind} {name}: {event.fields.get('message') or event.fields.get('reason')}")
        elif event.kind == _FAULT:
            told.append(f"{event.kind}: {_fault(event.fields)}")
    return told


def _unverified(events: list[Event]) -> list[str]:
    """Return which rows of the fidelity table the refusals stood on that nobody has seen the platform do."""
    rows = [event.fields["row"] for event in events if event.fields.get("row")]
    if not rows:
        return []
    from clarifai_emulator.conformance.unverified import stood_on

    return stood_on(rows)


def _fault(fields: dict[str, Any]) -> str:
    return f"{fields.get('fault_id', '')} {fields.get('rule', '')}".strip()


def _logs(printed: list[str]) -> Iterator[str]:
    lines = [without_colours(line) for line in printed]
    if not lines:
        return iter(())
    tail = lines[-_LOG_LINES:]
    trace = model_traceback(lines) if any("Traceback" in line for line in lines) else ""
    parts = [f"What the models printed last ({len(tail)} of {len(lines)} lines):", *(f"  {line}" for line in tail)]
    if trace and trace not in "\n".join(tail):
        parts += ["The model's last traceback:", *(f"  {line}" for line in trace.splitlines())]
    return iter(parts)
