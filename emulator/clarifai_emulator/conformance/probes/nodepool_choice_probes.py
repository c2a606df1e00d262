"""Probes of how one nodepool of several is chosen: a runner in each says which it was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.routing_scenes import ask, at, named, saying, served, who
from clarifai_emulator.conformance.scenes import MadeModel
from clarifai_emulator.conformance.scripted_runner import ScriptedItem, scripted_runner

FAIL, RANDOM, PRICE, PERFORMANCE, UTILIZATION, PREFER_SPOT, PREFER_ONDEMAND = 1, 2, 3, 4, 6, 7, 8
# That one of two that are drawn from comes less often than by an eighth is one chance in 300,000.
_DRAWS = 32
_SLOW = 0.3
SMALL, LARGE = [{"id": "t3a.medium"}], [{"id": "t3a.2xlarge"}]


def _chosen(
    client: PlatformClient,
    first: dict[str, Any],
    second: dict[str, Any],
    *,
    priorities: Sequence[int] = (),
    times: int = 1,
    model: MadeModel | None = None,
    **deployment: Any,
) -> list[str]:
    """Deploy in two nodepools with these fields, and ask; which of them answered each time."""
    model = model or scenes.version(client)
    places = [scenes.nodepool(client, **first), scenes.nodepool(client, **second)]
    if priorities:
        ranked = zip(places, priorities, strict=True)
        deployment["deployment_nodepools"] = [at(place, client, priority=number) for place, number in ranked]
        deployment["nodepools"] = []
    with (
        saying(client, model, "first", place=places[0]) as first_runner,
        saying(client, model, "second", place=places[1]) as second_runner,
    ):
        made = named(client, scenes.deployment(client, model, *places, **deployment))
        for place in places:
            who(client, model, nodepool=place.message(client))
        answered: list[str] = []
        for _ in range(times):
            # One that is still closing its last stream is busy, and the other one would be chosen.
            first_runner.wait_until_idle()
            second_runner.wait_until_idle()
            answered.append(who(client, model, deployment=made))
        return answered


@probe("nodepool-choice.priority")
def priority(client: PlatformClient) -> Any:
    """Give the second nodepool the higher number."""
    return _chosen(client, {}, {}, priorities=(1, 9))


@probe("nodepool-choice.equal-priorities")
def equal_priorities(client: PlatformClient) -> Any:
    """Give both nodepools the same number, and a choice by price."""
    return _chosen(
        client, {"instance_types": LARGE}, {"instance_types": SMALL}, priorities=(5, 5), scheduling_choice=PRICE
    )


@probe("nodepool-choice.full-nodepools-last")
def full_nodepools_last(client: PlatformClient) -> Any:
    """Have no replica in the nodepool that comes first."""
    model = scenes.version(client)
    empty = scenes.nodepool(client)
    with saying(client, model, "second") as runner:
        deployment = named(client, scenes.deployment(client, model, empty, runner.place))
        return who(client, model, deployment=deployment)


@probe("nodepool-choice.full-nodepools-last", part="deployments")
def deployment_with_a_full_nodepool(client: PlatformClient) -> Any:
    """Deploy twice, first where the nodepool that comes first has no replica, then where a slow one is: the first
    deployment has a free slot, too, and answers sooner."""
    model = scenes.version(client)

    def slowly(item: ScriptedItem) -> Iterable[str]:
        time.sleep(_SLOW)
        return ["slow"]

    with (
        saying(client, model, "beside a full one") as quick,
        scripted_runner(client, model, slowly, place=scenes.nodepool(client)) as slow,
    ):
        first = named(client, scenes.deployment(client, model, scenes.nodepool(client), quick.place))
        second = named(client, scenes.deployment(client, model, slow.place))
        each = [who(client, model, deployment=deployment) for deployment in (first, second)]
        return {"named": each, "without a place": who(client, model)}


@probe("nodepool-choice.fail-when-ambiguous")
def fail_when_ambiguous(client: PlatformClient) -> Any:
    """Ask a deployment that is to fail where several nodepools are equal."""
    model = scenes.version(client)
    with saying(client, model, "first") as runner:
        other = scenes.nodepool(client)
        deployment = scenes.deployment(client, model, runner.place, other, scheduling_choice=FAIL)
        selected = named(client, deployment)
        return {
            "no nodepool named": ask(client, model, deployment=selected),
            "one named": who(client, model, deployment=selected, nodepool=runner.place.message(client)),
        }


@probe("nodepool-choice.random")
def random(client: PlatformClient) -> Any:
    """Ask often where the nodepool is drawn, with time enough for each runner to be free again."""
    answered = _chosen(client, {}, {}, times=_DRAWS, scheduling_choice=RANDOM)
    return {word: answered.count(word) >= _DRAWS // 8 for word in ("first", "second")}


@probe("nodepool-choice.price-and-utilization")
def price(client: PlatformClient) -> Any:
    """Put the cheaper instances second."""
    return _chosen(client, {"instance_types": LARGE}, {"instance_types": SMALL}, scheduling_choice=PRICE)


@probe("nodepool-choice.performance")
def performance(client: PlatformClient) -> Any:
    """Put the instances with more CPUs second."""
    return _chosen(client, {"instance_types": SMALL}, {"instance_types": LARGE}, scheduling_choice=PERFORMANCE)


@probe("nodepool-choice.spot-and-ondemand")
def spot_and_ondemand(client: PlatformClient) -> Any:
    """Put first what is not preferred."""
    spot: Any = {"node_capacity_type": {"capacity_types": [2]}}
    on_demand: Any = {"node_capacity_type": {"capacity_types": [1]}}
    return {
        "PREFER_SPOT": _chosen(client, on_demand, spot, scheduling_choice=PREFER_SPOT),
        "PREFER_ONDEMAND": _chosen(client, spot, on_demand, scheduling_choice=PREFER_ONDEMAND),
    }


@probe("nodepool-choice.choice-not-set")
def choice_not_set(client: PlatformClient) -> Any:
    """Leave the choice out: the dearer nodepool comes first."""
    return _chosen(client, {"instance_types": LARGE}, {"instance_types": SMALL})


@probe("nodepool-choice.nodepool-of-another-user")
def nodepool_of_another_user(client: PlatformClient) -> Any:
    """Deploy in a stranger's nodepool."""
    model = scenes.version(client)
    stranger = client.other
    foreign = scenes.nodepool(stranger, cluster=scenes.cluster(stranger))
    made = {
        "id": client.name("deployment"),
        "worker": served(client, model),
        "nodepools": [foreign.message(stranger)],
    }
    return client.call("PostDeployments", deployments=[made])


@probe("nodepool-choice.local-dev-cluster")
def local_dev_cluster(client: PlatformClient) -> Any:
    """Ask a model that needs a GPU, in a local-dev nodepool without one."""
    needs = {"num_accelerators": 1, "accelerator_type": ["NVIDIA-H100"], "accelerator_memory": "80Gi"}
    model = scenes.version(client, inference_compute_info=needs)
    with saying(client, model, "hi") as runner:
        deployment = scenes.deployment(client, model, runner.place)
        return who(client, model, deployment=named(client, deployment))
