"""Holds an HTTP request as a client writes it, in any language."""

from __future__ import annotations

from dataclasses import dataclass

from clarifai_emulator.contracts.endpoints.written_value import WrittenValue
from clarifai_emulator.contracts.rules.finding import Location


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request. ``shown``: the call, as ``requests.post()``. ``method``: GET, POST …; empty where it is not known.
    ``body``: None where none is in sight. ``hint``: source text that may name Clarifai."""

    location: Location
    shown: str
    method: str
    url: WrittenValue
    body: WrittenValue | None = None
    hint: str = ""
