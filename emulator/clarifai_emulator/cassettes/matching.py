"""Finds the recorded call that a request is, or the nearest one and the difference.

Replicas that play a recording have a copy of this file and nothing else of the emulator: it imports none of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

import yaml

_LINES = 40
# What only reads may be asked more often than it was when it was recorded.
_READS = ("Get", "List")


class Playable(Protocol):
    """Describes what is asked of a recorded call: see ``cassette_file.RecordedCall``."""

    rpc: str
    requests: list[dict[str, Any]]
    call: str
    played: int


AnyCall = TypeVar("AnyCall", bound=Playable)


def find(calls: Sequence[AnyCall], rpc: str, first: dict[str, Any]) -> AnyCall | None:
    """The recorded call with this first request that comes next; None when there is none (left)."""
    same = _same(calls, rpc, first)
    unplayed = next((call for call in same if not call.played), None)
    if unplayed is None and same and rpc.startswith(_READS):
        return same[-1]
    return unplayed


def find_in_turn(calls: Sequence[AnyCall], rpc: str, first: dict[str, Any]) -> AnyCall | None:
    """The recorded call with this first request that was played least; after the last comes the first again."""
    return min(_same(calls, rpc, first), key=lambda call: call.played, default=None)


def explain(calls: Sequence[Playable], rpc: str, first: dict[str, Any], said: str) -> str:
    """Why there is no recorded call for a request: the nearest one, and where they differ."""
    name = said or rpc
    played = _same(calls, rpc, first)
    if played:
        times = f"{len(played)} time{'s' * (len(played) != 1)}"
        return f"{name} was recorded {times}, and is called once more."
    alike = [call for call in calls if call.rpc == rpc and call.requests]
    if not alike:
        recorded = ", ".join(dict.fromkeys(call.rpc for call in calls)) or "nothing"
        return f"{name} was not recorded, nor any other {rpc}. There is: {recorded}."
    of_model = [call for call in alike if model_in(call.requests[0]) == model_in(first)]
    nearest = max(of_model or alike, key=lambda call: _likeness(call.requests[0], first))
    told = titled(model_in(nearest.requests[0]), nearest.call or nearest.rpc)
    lines = list(difference(nearest.requests[0], first))
    return "\n".join([f"{name} was not recorded. The nearest is {told}:", *lines])


def model_in(request: dict[str, Any]) -> str:
    """Return the model that a request names, as ``USER/APP/ID``; empty for one that names none."""
    owner, model_id = request.get("user_app_id"), request.get("model_id")
    if not isinstance(owner, dict) or not model_id:
        return ""
    return f"{owner.get('user_id', '')}/{owner.get('app_id', '')}/{model_id}"


def titled(model: str, call: str) -> str:
    """Return a call with the model that it is of."""
    return f"{model} {call}" if model else call


def difference(recorded: Any, now: Any) -> Iterable[str]:
    """Show where two messages differ, line by line: ``-`` as it was recorded, ``+`` as it is now."""
    lines = difflib.unified_diff(_text(recorded), _text(now), "recorded", "now", lineterm="", n=1)
    told = [f"  {line}" for line in lines if not line.startswith("@@")]
    return told if len(told) <= _LINES else [*told[:_LINES], f"  … and {len(told) - _LINES} lines more"]


def _same(calls: Sequence[AnyCall], rpc: str, first: dict[str, Any]) -> list[AnyCall]:
    return [call for call in calls if call.rpc == rpc and call.requests[:1] == [first]]


def _likeness(one: Any, other: Any) -> float:
    return difflib.SequenceMatcher(None, "\n".join(_text(one)), "\n".join(_text(other))).ratio()


def _text(message: Any) -> list[str]:
    return yaml.safe_dump(message, allow_unicode=True, sort_keys=True).splitlines()
