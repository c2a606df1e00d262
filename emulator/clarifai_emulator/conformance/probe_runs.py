"""Runs probes against a target and compares what they saw with what the emulator answers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clarifai_emulator.conformance.expected import expected_answers
from clarifai_emulator.conformance.platform_client import CannotTell, PlatformClient, key_of_names
from clarifai_emulator.conformance.probe import Probe
from clarifai_emulator.conformance.seen import Canonical
from clarifai_emulator.errors import ControlError

ProbeVerdict = Literal["holds", "differs", "could not tell"]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Holds what came of a probe. ``texts``: what answers said in words, by where they stand in ``seen``, not
    compared. ``reason``: why nothing could be told."""

    key: str
    row: str
    verdict: ProbeVerdict
    seen: Any = None
    expected: Any = None
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    reason: str = ""
    seconds: float = 0.0
    requests: int = 0


def run_probes(
    client: PlatformClient,
    probes: Iterable[Probe],
    *,
    on_result: Callable[[ProbeResult], None] = lambda result: None,
) -> list[ProbeResult]:
    """Run the probes one after the other. Raises ``OverBudget`` and ``ControlError`` where the run cannot go on."""
    results: list[ProbeResult] = []
    for probe in probes:
        result = run_probe(client, probe)
        results.append(result)
        on_result(result)
    return results


def run_probe(client: PlatformClient, probe: Probe) -> ProbeResult:
    """Run one probe. What it has made stays until the run is cleaned up."""
    canonical = Canonical(users_of(client), client.account.url)
    expected = expected_answers().get(probe.key)
    began, spent = time.monotonic(), client.scope.budget.spent

    def result(verdict: ProbeVerdict, **more: Any) -> ProbeResult:
        return ProbeResult(
            probe.key,
            probe.row,
            verdict,
            expected=expected,
            seconds=round(time.monotonic() - began, 3),
            requests=client.scope.budget.spent - spent,
            **more,
        )

    try:
        observed = probe.observe(client.within(name_key(probe)))
        seen = canonical.of(observed)
    except CannotTell as error:
        return result("could not tell", reason=canonical.text(str(error)))
    except ControlError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # An answer of another shape than the probe reads: it says so, and the run goes on.
        return result("could not tell", reason=canonical.text(f"{type(error).__name__}: {error}"))
    texts = dict(canonical.texts(observed))
    return result("holds" if seen == expected else "differs", seen=seen, texts=texts)


def name_key(probe: Probe) -> str:
    """Return what the names of a probe begin with, after the run's prefix."""
    return key_of_names(probe.key)


def users_of(client: PlatformClient) -> dict[str, str]:
    """Return the words that stand for the accounts of a run."""
    users = {client.user_id: "<me>"}
    with contextlib.suppress(CannotTell):
        users[client.other.user_id] = "<other>"
    return users


def differences(expected: Any, seen: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Return where two observations differ, as (path, expected, seen)."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        found: list[tuple[str, Any, Any]] = []
        for key in dict.fromkeys([*expected, *seen]):
            found += differences(expected.get(key), seen.get(key), f"{path}.{key}".lstrip("."))
        return found
    return [] if expected == seen else [(path, expected, seen)]
