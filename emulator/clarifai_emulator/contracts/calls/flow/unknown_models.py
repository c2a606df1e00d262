"""Numbers the models of which nobody knows which they are, so that a call of one can say where it is built."""

from __future__ import annotations

from clarifai_emulator.contracts.calls.call_targets import Built
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.flow.flow_graph import UNKNOWN_MODEL

# Models that are unknown for as many reasons have numbers of their own: each number is passed on by itself.
_MOST = 60


class UnknownModels:
    """The places that build them. Those that are unknown for one reason share a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._built: dict[int, dict[Source, list[Built]]] = {}

    def number(self, built: Built, source: Source) -> int:
        """Return the number, below ``UNKNOWN_MODEL``, of a model that is built here."""
        reason = f"{built.address} {built.reason}"
        if reason not in self._numbers:
            self._numbers[reason] = UNKNOWN_MODEL - 1 - min(len(self._numbers), _MOST)
        number = self._numbers[reason]
        here = self._built.setdefault(number, {}).setdefault(source, [])
        if built not in here:
            here.append(built)
        return number

    def nearest(self, number: int, source: Source) -> tuple[Source, Built] | None:
        """Return a place that builds the model of this number: in the same source if there is one."""
        places = self._built.get(number, {})
        chosen = source if source in places else next(iter(places), None)
        return (chosen, places[chosen][0]) if chosen is not None else None
