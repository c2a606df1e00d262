"""Decides where requests go, and remembers what cannot change before a resource does.

A decision depends on the resources, and where there is a choice on how busy things are. One that had no choice to
make holds until a resource changes; the others are made anew for every request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clarifai_emulator.catalogue import CLARIFAI_USER, SHARED_CLUSTER
from clarifai_emulator.dispatch.dispatcher import Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey
from clarifai_emulator.nodepools.own_runners import OwnRunners
from clarifai_emulator.nodepools.routing_view import RoutingView
from clarifai_emulator.routing import Ask, Decision, choose
from clarifai_emulator.routing.decision import ModelKey, NodepoolKey
from clarifai_emulator.store import Key, Kind, Store

UseShared = Callable[[NodepoolKey, ModelKey, str], Lane]

_MOST_REMEMBERED = 10_000


class Router:
    """Applies ``routing.choose`` to one emulator's routing view, and finds the queue of what was decided.

    ``use_shared`` gives the queue of a model version on shared compute, ``own_runners`` that of runners that their
    users start."""

    def __init__(
        self,
        store: Store,
        view: RoutingView,
        dispatcher: Dispatcher,
        use_shared: UseShared,
        own_runners: OwnRunners,
    ) -> None:
        self._view = view
        self._dispatcher = dispatcher
        self._use_shared = use_shared
        self._own_runners = own_runners
        self._settled: dict[tuple[Any, ...], Decision] = {}
        store.watch(self._store_changed)

    def decide(self, ask: Ask) -> Decision:
        """Decide where a request goes. Raises ``RoutingError``."""
        unseeded = ask.unseeded
        decision = self._settled.get(unseeded)
        if decision is not None:
            return decision
        asked_before = self._view.times_load_was_asked
        decision = choose(ask, self._view)
        # With one place to look at there was nothing to choose: neither its load nor the seed can matter.
        if self._view.times_load_was_asked - asked_before <= 1:
            if len(self._settled) >= _MOST_REMEMBERED:
                self._settled.clear()
            self._settled[unseeded] = decision
        return decision

    def route(self, ask: Ask) -> tuple[Decision, Lane]:
        """Decide where a request goes, and return the queue it waits in. Raises ``RoutingError``."""
        decision = self.decide(ask)
        if decision.deployment is not None:
            return decision, self._dispatcher.lane(LaneKey(*decision.deployment, decision.version_id))
        nodepool, model, version_id = decision.nodepools[0], decision.model, decision.version_id
        if nodepool[:2] == (CLARIFAI_USER, SHARED_CLUSTER):
            return decision, self._use_shared(nodepool, model, version_id)
        return decision, self._own_runners.lane(nodepool, model, version_id, decision.runner_id)

    def is_settled(self, ask: Ask) -> bool:
        """Tell whether the last decision for this ask holds until a resource changes, whatever is busy."""
        return ask.unseeded in self._settled

    def forget(self) -> None:
        """Decide anew: requests may go elsewhere than before."""
        self._settled.clear()

    def _store_changed(self, kind: Kind, key: Key) -> None:
        self.forget()
