"""Groups what was found out about each model's contract, from the events that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from clarifai_emulator.contracts.rules import RULES
from clarifai_emulator.events import Event
from clarifai_emulator.messages.address import ModelKey

KIND = "contract.finding"
_LONGEST = 2_000
_MOST_GROUPS = 200


def names_of(model: ModelKey) -> tuple[str, str, str]:
    """Return the names that findings have for a model: of a request, of a workflow, and of an edit."""
    user, app, name = model
    return f"{user}/{app}/{name}", f"{user}/{app}/models/{name}", name


def counts_by_name(events: Iterable[Event]) -> Counter[str]:
    """Count the findings by the name that they have for their model."""
    return Counter(str(event.fields.get("model", "")) for event in events)


def grouped_findings(model: ModelKey, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the findings about a model, those of one rule and method together, the newest first."""
    groups: dict[tuple[str, str], list[Event]] = {}
    names = names_of(model)
    for event in events:
        if event.fields.get("model") in names:
            key = str(event.fields.get("rule", "")), str(event.fields.get("method", ""))
            groups.setdefault(key, []).append(event)
    newest_first = sorted(groups.values(), key=lambda group: group[-1].seq, reverse=True)
    return [_group(each) for each in newest_first[:_MOST_GROUPS]]


def _group(events: list[Event]) -> dict[str, Any]:
    last = events[-1]
    rule = RULES.get(str(last.fields.get("rule")))
    texts = {name: _text(last, name) for name in ("rule", "severity", "method", "message", "hint", "file")}
    requests = next(_requests(reversed(events)), "")
    return {
        **texts,
        "title": rule.title if rule is not None else "",
        "line": last.fields.get("line", 0),
        "count": len(events),
        "last_request": requests,
        "last_time": last.time,
    }


def _requests(events: Iterable[Event]) -> Iterator[str]:
    return (str(event.fields["request_id"]) for event in events if event.fields.get("request_id"))


def _text(event: Event, name: str) -> str:
    return str(event.fields.get(name, ""))[:_LONGEST]
