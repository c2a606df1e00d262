"""Says before a run what it will make, how much it will ask, and what it can cost at most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clarifai_emulator.catalogue import Catalogue, price_of
from clarifai_emulator.conformance.deploying import CPU_INSTANCE, GPU_INSTANCE
from clarifai_emulator.conformance.made_things import ORDER
from clarifai_emulator.conformance.own_target import own_emulator, probed
from clarifai_emulator.conformance.probe import Level, Probe
from clarifai_emulator.conformance.probe_runs import run_probes

# Probes run one after the other, and each removes what it deployed: no more instances than these run at a time.
MOST_INSTANCES = 2
# Thousandths of a US cent a second, in dollars an hour.
_DOLLARS_AN_HOUR = 0.036
_WORDS = {
    "app": "apps with models",
    "compute_cluster": "empty compute clusters",
    "nodepool": "nodepools",
    "runner": "runners, which run here",
    "deployment": "deployments",
    "secret": "secrets",
    "key": "keys",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Holds the most that a run makes and costs. ``made``: how many of each kind."""

    made: Mapping[str, int]
    requests: int
    dollars: float

    def lines(self) -> list[str]:
        """Return it in words, a line for each kind."""
        return [f"{self.made[kind]} {_WORDS[kind]}" for kind in reversed(ORDER) if self.made.get(kind)]


def rehearse(probes: Sequence[Probe], *, minutes: float) -> Estimate:
    """Run the probes on an emulator, and count."""
    with own_emulator() as emulator, probed(emulator) as target:
        run_probes(target.client, probes)
        made = Counter(thing.kind for thing in target.ledger.made)
        spent = target.client.scope.budget.spent
        target.clean()
    # Whatever is made is removed by a request each; a platform that is slower is asked more often.
    return Estimate(made, 2 * (spent + made.total()), most_dollars(probes, minutes=minutes))


def most_dollars(probes: Sequence[Probe], *, minutes: float) -> float:
    """Return an upper bound of what the instances of a run cost that ends after so many minutes."""
    levels: set[Level] = {each.level for each in probes}
    hourly = [_hourly(CPU_INSTANCE)] * ("deploys" in levels) + [_hourly(GPU_INSTANCE)] * ("gpu" in levels)
    return MOST_INSTANCES * max(hourly, default=0.0) * minutes / 60


def _hourly(instance: str) -> float:
    found = Catalogue().find(instance)
    if found is None:
        raise LookupError(f"The catalogue has no {instance}.")
    return float(price_of(found)) * _DOLLARS_AN_HOUR
