"""Defines a method of a model: its signature, and where it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.contracts.rules.finding import Location


@dataclass(frozen=True, slots=True)
class Method:
    """A method. ``signature`` is the platform's own message. ``location`` is its name in the source, None where
    there is no source; ``parameters`` are by name."""

    signature: MethodSignature
    location: Location | None = None
    parameters: Mapping[str, Location] = field(default_factory=dict[str, Location])
    docstring: str = ""
