"""Counts how often each method of each model was called, however long ago: a dict look-up a call, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clarifai_emulator.messages.address import ModelKey

# Names of methods come from clients, and so does their number.
MOST_MODELS = 20_000
MOST_METHODS = 200
LONGEST_NAME = 200
OTHERS = ""


class CallCounts:
    """Counts calls. What is beyond the bounds is counted together as ``OTHERS`` of its model."""

    def __init__(self) -> None:
        self._counts: dict[ModelKey, dict[str, int]] = {}

    def count(self, model: ModelKey, method: str) -> None:
        """Count one more call."""
        counts = self._counts.get(model)
        if counts is not None and method in counts:
            counts[method] += 1
        else:
            self._begin(model, method)

    def of(self, model: ModelKey) -> Mapping[str, int]:
        """Return how often each method of a model was called; those that never were are not in it."""
        return self._counts.get(model, {})

    def forget(self, owns: Callable[[str], bool] | None = None) -> None:
        """Begin again: for the models of users for whom ``owns`` holds, or for all."""
        for model in [each for each in self._counts if owns is None or owns(each[0])]:
            del self._counts[model]

    def _begin(self, model: ModelKey, method: str) -> None:
        """Count the first call of a method; the model that began first makes room for one too many."""
        counts = self._counts.setdefault(model, {})
        if len(self._counts) > MOST_MODELS:
            del self._counts[next(iter(self._counts))]
        name = method if len(counts) < MOST_METHODS and len(method) <= LONGEST_NAME else OTHERS
        counts[name] = counts.get(name, 0) + 1
