"""Keeps the concepts that pass their thresholds, of the data itself and of its regions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, ValueComparator

from clarifai_emulator.workflows.operators.operator import OperatorInput, unsupported
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings

_COMPARES: dict[str, Callable[[float, float], bool]] = {
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "EQUAL": operator.eq,
}
_CHOICES = {name: ValueComparator.Value(name) for name in _COMPARES}
Passes = Callable[[Concept], bool]


def threshold_concepts(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return the data with the concepts that pass; nothing at all where none does."""
    passes = _passes(settings)
    if item.data.ListFields() and not item.data.concepts:
        raise unsupported(item, "concepts")
    kept = [each for each in item.data.concepts if passes(each)]
    return _with(item.data, kept) if kept else Data()


def threshold_regions(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return the data with the regions that have a concept that passes, and with those concepts in them."""
    passes = _passes(settings)
    if item.data.ListFields() and not item.data.regions:
        raise unsupported(item, "regions")
    made = Data()
    made.CopyFrom(item.data)
    del made.regions[:]
    for region in item.data.regions:
        kept = [each for each in region.data.concepts if passes(each)]
        if kept:
            new = made.regions.add()
            new.CopyFrom(region)
            new.data.CopyFrom(_with(region.data, kept))
    return made if made.regions else Data()


def _with(data: Data, concepts: Iterable[Concept]) -> Data:
    made = Data()
    made.CopyFrom(data)
    del made.concepts[:]
    made.concepts.extend(concepts)
    return made


def _passes(settings: OperatorSettings) -> Passes:
    """Return what tells whether a concept passes: by the threshold of the listed one with its id, or else its name.
    One that is not listed has no threshold that it could meet."""
    compare = _COMPARES[settings.choice("concept_threshold_type", _CHOICES, "GREATER_THAN")]
    listed = settings.concepts()
    by_id = {each.id: each.value for each in listed if each.id}
    by_name = {each.name: each.value for each in listed if each.name}

    def passes(concept: Concept) -> bool:
        threshold = by_id.get(concept.id)
        if threshold is None:
            threshold = by_name.get(concept.name)
        return threshold is not None and compare(concept.value, threshold)

    return passes
