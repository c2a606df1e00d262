"""Asks one operator about data, as a run of a workflow does."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, OutputInfo

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.operator import OperatorInput
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings
from clarifai_emulator.workflows.operators.operator_table import OPERATORS


def info_of(params: dict[str, Any], concepts: dict[str, float] | None = None) -> OutputInfo:
    """Return settings with these params, and concepts with these thresholds."""
    info = OutputInfo()
    info.params.update(params)
    for name, value in (concepts or {}).items():
        info.data.concepts.add(id=name, value=value)
    return info


def answers(type_id: str, info: OutputInfo, *items: Data, before: tuple[Data, ...] = ()) -> list[Data]:
    """Return what an operator answers each input with."""
    inputs = [OperatorInput(data, number, lambda: before) for number, data in enumerate(items, 1)]
    return OPERATORS[type_id].answer(OperatorSettings(type_id, info), inputs)


def refusal(type_id: str, info: OutputInfo, *items: Data) -> CallerError:
    """Return the error that an operator refuses with."""
    with pytest.raises(CallerError) as refused:
        answers(type_id, info, *items)
    return refused.value
