"""Keeps a random share of the inputs (``random-sample``), the same ones each time."""

from __future__ import annotations

import hashlib

from clarifai_grpc.grpc.api.resources_pb2 import Data

from clarifai_emulator.workflows.operators.operator import OperatorInput
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings


def sample(settings: OperatorSettings, item: OperatorInput) -> Data:
    """Return the data, or nothing: "if keep_fraction > rand()", for each input alone (Clarifai/docs, filter.md).
    Chance is drawn from what the input holds and its place, so that a test has the same answer each time."""
    keep = settings.number("keep_fraction", None, least=0, most=1)
    return item.data if keep > _drawn(item) else Data()


def _drawn(item: OperatorInput) -> float:
    drawn = hashlib.sha256(item.data.SerializeToString(deterministic=True) + b"%d" % item.number).digest()
    return int.from_bytes(drawn[:7]) / 2**56
