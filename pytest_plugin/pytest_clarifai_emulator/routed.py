"""Implements ``assert_routed``: checks that calls went where a test thinks they go, and says where they went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from clarifai_emulator.control.call_records import Call, Route

RULES = ("explicit_deployment", "explicit_nodepool", "owner_default", "shared")


def require_routed(calls: Sequence[Call], wanted: Mapping[str, str | None]) -> None:
    """Fail the test unless there are calls and each went as ``wanted`` says; None allows anything."""
    __tracebackhide__ = True
    expected = {name: value for name, value in wanted.items() if value is not None}
    if not expected:
        pytest.fail("assert_routed() needs something to hold: rule=, deployment= or nodepool=.", pytrace=False)
    rule = expected.get("rule")
    if rule is not None and rule not in RULES:
        pytest.fail(f"There is no routing rule {rule!r}; the rules are {', '.join(RULES)}.", pytrace=False)
    if not calls:
        pytest.fail(f"No model was called, so nothing was routed to {_words(expected)}.", pytrace=False)
    strays = [call for call in calls if call.route is None or _differs(call.route, expected)]
    if strays:
        pytest.fail("\n".join(_complaint(strays, len(calls), expected)), pytrace=False)


def explain(route: Route) -> Iterator[str]:
    """Yield a routing decision for a report: what was chosen, why, and every candidate that was not."""
    yield str(route)
    if not route.refused:
        yield f"  because {route.reason}"
    for what, reason in route.rejected:
        yield f"  not {what}: {reason}"


def _differs(route: Route, expected: Mapping[str, str]) -> bool:
    found = {"rule": route.rule, "deployment": route.deployment, "nodepool": route.nodepool}
    return route.refused or any(not _is_named(found[name], value) for name, value in expected.items())


def _is_named(found: str | None, wanted: str) -> bool:
    """Tell whether a key is the wanted one; an id without its parents is enough."""
    return found is not None and (found == wanted or found.rpartition("/")[2] == wanted)


def _complaint(strays: Sequence[Call], count: int, expected: Mapping[str, str]) -> Iterator[str]:
    which = "The call was" if count == 1 else f"{len(strays)} of {count} calls were"
    yield f"{which} not routed to {_words(expected)}:"
    for call in strays[:5]:
        yield f"  {call}"
        if call.route is None:
            yield "    it was not routed at all"
        else:
            yield from (f"    {line}" for line in explain(call.route))
    if len(strays) > 5:
        yield f"  … and {len(strays) - 5} more"


def _words(expected: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in expected.items())
