"""Tells of an expression in a client whether it is a given model, may be one, or is none."""

from __future__ import annotations

import ast
from enum import Enum, auto

from clarifai_emulator.contracts.calls.call_targets import Built
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.flow.flow_graph import KEPT, MODELS, NONE, UNKNOWN_MODEL, Held, Sort
from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow


class May(Enum):
    """Judgement of what an expression may be. ``REPORTED``: a model of which it was said, where it is built, that
    nobody knows which it is. ``KEPT``: what stands where a model was kept, out of sight. ``TAINTED``: something
    that unknown code made of a model. ``UNKNOWN``: anything."""

    MODEL = auto()
    REPORTED = auto()
    KEPT = auto()
    TAINTED = auto()
    UNKNOWN = auto()
    NO_MODEL = auto()


class HeldModels:
    """Answers for the expressions of one file."""

    def __init__(self, flow: ModelFlow) -> None:
        self._flow = flow

    def sure(self, node: ast.expr) -> Held | None:
        """Return the one model, or client of a model, that the expression can be, if it is not None."""
        # An attribute of a namespace is what was put there; a method of that name is its other reading.
        found = [each for each in self._flow.at(node) - {NONE} if each.sort is not Sort.BOX_METHOD]
        if len(found) != 1:
            return None
        held = found[0]
        return held if held.sort in MODELS and isinstance(held.of, int) and held.of >= 0 else None

    def number(self, node: ast.expr) -> int | None:
        """Return which of the given models the expression is, where it can be no other."""
        held = self.sure(node)
        return held.of if held is not None and isinstance(held.of, int) else None

    def is_reported(self, node: ast.expr) -> bool:
        """Tell whether the expression is a model that was said to be unknown where it is built."""
        return self.may(node) is May.REPORTED

    def may(self, node: ast.expr) -> May:
        """Return what the expression may be."""
        found = self._flow.at(node)
        models = [each for each in found if each.sort in MODELS]
        if models:
            return May.REPORTED if all(_is_reported(each.of) for each in models) else May.MODEL
        if KEPT in found:
            return May.KEPT
        sorts = {each.sort for each in found}
        if Sort.TAINT in sorts:
            return May.TAINTED
        if Sort.TOP in sorts or not sorts:
            return May.UNKNOWN
        return May.NO_MODEL

    def may_be_method(self, node: ast.expr) -> bool:
        """Tell whether the expression may be a method of a model, of which it was not said that nobody knows it."""
        return any(
            each.sort is Sort.METHOD and isinstance(each.of, tuple) and not _is_reported(each.of[1])
            for each in self._flow.at(node)
        )

    def origins(self, source: Source, node: ast.expr) -> list[tuple[Source, Built]]:
        """Return where the unknown models are built that the expression, in this source, may be, or be a method of:
        one place for each reason why they are not known."""
        numbers = {
            each.of[1] if isinstance(each.of, tuple) else each.of
            for each in self._flow.at(node)
            if each.sort in (*MODELS, Sort.METHOD)
        }
        return [
            nearest
            for number in sorted(each for each in numbers if isinstance(each, int) and _is_reported(each))
            if (nearest := self._flow.unknown.nearest(number, source)) is not None
        ]

    def is_parameter(self, node: ast.expr) -> bool:
        """Tell whether the expression is a parameter of the function that it stands in."""
        return isinstance(node, ast.Name) and self._flow.is_parameter(node)

    def is_outside(self, node: ast.expr) -> bool:
        """Tell whether the expression may be a function of code that is not in sight."""
        found = self._flow.at(node)
        return any(
            each.sort is Sort.TOP or (each.sort is Sort.OUTSIDE and not str(each.of).startswith("builtins."))
            for each in found
        )


def _is_reported(number: object) -> bool:
    return isinstance(number, int) and number < UNKNOWN_MODEL
