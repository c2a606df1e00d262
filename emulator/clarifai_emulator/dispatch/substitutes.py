"""Sends work for some methods of a model to another lane than its deployment's: to a function of a test.

routed ─► _Elsewhere.enter ─┬─► the substitute's lane ─► its replica
                            └─ (other methods, other models have no such step: their own lane)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from clarifai_emulator.dispatch.lane import Lane
from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.dispatch.work_steps import Enter, WorkStep
from clarifai_emulator.messages.address import ModelKey, NodepoolKey

# The compute cluster and nodepool that events and calls name for functions of tests: ids that nobody can give.
FUNCTIONS = ("the test", "functions")


@dataclass(frozen=True, eq=False)
class Substitute:
    """Answers some methods of a model in its place, by the replica of ``lane``, which is in ``nodepool``."""

    model: ModelKey
    methods: Collection[str]
    lane: Lane
    nodepool: NodepoolKey


class Substitutes:
    """Keeps the substitutes of one emulator, by model. Of several for the same method the newest answers."""

    def __init__(self) -> None:
        self._of: dict[ModelKey, list[Substitute]] = {}

    def add(self, substitute: Substitute) -> None:
        """Send it the work for its methods from now on."""
        self._of.setdefault(substitute.model, []).append(substitute)

    def remove(self, substitute: Substitute) -> None:
        """Send it nothing any more; nothing happens when it was removed before."""
        left = [each for each in self._of.pop(substitute.model, ()) if each is not substitute]
        if left:
            self._of[substitute.model] = left

    def replaces(self, model: ModelKey) -> bool:
        """Tell whether any method of a model has a substitute."""
        return model in self._of

    def step_of(self, model: ModelKey, method: str) -> WorkStep | None:
        """Return the step that sends a call of a method elsewhere; None for one that has no substitute."""
        found = (each for each in reversed(self._of.get(model, ())) if method in each.methods)
        substitute = next(found, None)
        return _Elsewhere(substitute) if substitute is not None else None


class _Elsewhere(WorkStep):
    """Lets one work into the lane of a substitute."""

    def __init__(self, substitute: Substitute) -> None:
        self._substitute = substitute

    def enter(self, work: Work, lane: Lane, hold_seconds: float, following: Enter) -> None:
        work.turn_to(self._substitute.nodepool)
        following(work, self._substitute.lane, hold_seconds)
