"""Finds models that call themselves, directly or through others. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.client_call import ClientCall
from clarifai_emulator.contracts.rules.finding import Finding

Called = Mapping[str, Iterable[str]]


def way_back(called: Called, caller: str, callee: str) -> tuple[str, ...]:
    """Return the shortest way from the one that is called to the caller, both included; nothing where there is
    none. ``called``: whom each model calls."""
    before: dict[str, str] = {callee: ""}
    waiting = deque([callee])
    while waiting:
        name = waiting.popleft()
        if name == caller:
            return tuple(_path(before, name))
        for each in called.get(name, ()):
            if each not in before:
                before[each] = name
                waiting.append(each)
    return ()


def _path(before: Mapping[str, str], last: str) -> list[str]:
    path = [last]
    while before[path[-1]]:
        path.append(before[path[-1]])
    return path[::-1]


def circles(called: Called) -> list[tuple[str, ...]]:
    """Return each circle once, from the first of its names in the alphabet: of every two models that call one
    another, the shortest one that they are in."""
    unique: dict[frozenset[str], tuple[str, ...]] = {}
    for caller in sorted(called):
        for callee in sorted(called[caller]):
            way = way_back(called, caller, callee)
            if way:
                first = way.index(min(way))
                unique.setdefault(frozenset(way), (*way[first:], *way[:first]))
    return sorted(unique.values())


def calls_between(calls: Iterable[ClientCall]) -> dict[str, dict[str, None]]:
    """Return whom each model calls, as far as that is known."""
    called: dict[str, dict[str, None]] = {}
    for call in calls:
        if call.caller:
            for name in filter(None, call.model.split(", ")):
                called.setdefault(call.caller, {})[name] = None
    return called


def with_circles(calls: Iterable[ClientCall]) -> Iterator[tuple[ClientCall, Finding | None]]:
    """Yield each call, and what is said of it where it leads back to the model that makes it."""
    every = list(calls)
    called = calls_between(every)
    for call in every:
        way: tuple[str, ...] = ()
        for callee in filter(None, call.model.split(", ") if call.caller else ()):
            way = way or way_back(called, call.caller, callee)
        yield call, _finding(call, way) if way else None


def _finding(call: ClientCall, way: tuple[str, ...]) -> Finding:
    circle = " → ".join((call.caller, *way))
    said = "calls itself" if len(way) == 1 else "calls itself through others"
    message = f"Model '{call.caller}' {said}: {circle}."
    return found("model-circle", message, call.location, model=way[0], method=call.called)
