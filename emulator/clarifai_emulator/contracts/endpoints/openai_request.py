"""Holds a request to the OpenAI-compatible API as a client writes it, in any language, and tells whose it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from clarifai_emulator.contracts.endpoints.platform_urls import (
    is_elsewhere,
    litellm_name,
    model_address,
    read_platform_url,
)
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, GivenValues, WrittenValue
from clarifai_emulator.contracts.rules.finding import Location


class Destination(Enum):
    """The place that a request goes to, as far as the source says."""

    PLATFORM = "platform"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OpenAiRequest:
    """A request. ``shown``: the call, as ``chat.completions.create()``. ``endpoint``: its path. ``base``: the base
    URL that the client was given. ``model``: None where none is named. ``arguments``: the body, as far as it is in
    sight; ``extra``: what the client adds to the body unseen. ``is_litellm``: the model's name may begin with a
    provider. ``hint``: source text that may name Clarifai. ``is_client_known``: what sends it is in sight.
    ``sends_all``: it sends the arguments as they are, and no others."""

    location: Location
    shown: str
    endpoint: str
    base: WrittenValue | None = None
    model: WrittenValue | None = None
    arguments: GivenValues = field(default_factory=GivenValues)
    extra: GivenValues = field(default_factory=GivenValues)
    is_litellm: bool = False
    hint: str = ""
    is_client_known: bool = True
    sends_all: bool = False

    @property
    def model_texts(self) -> tuple[str, ...]:
        """Return what the model may be called, without the prefixes of LiteLLM."""
        texts = self.model.texts if self.model is not None else ()
        return tuple(litellm_name(each)[0] for each in texts) if self.is_litellm else texts

    @property
    def destination(self) -> Destination:
        """Tell where the request goes."""
        texts = self.model.texts if self.model is not None else ()
        if self.is_litellm and any(litellm_name(each)[1] for each in texts):
            return Destination.PLATFORM
        bases = [each for each in (self.base.texts if self.base is not None else ()) if each != UNSEEN]
        if any(read_platform_url(each) is not None for each in bases):
            return Destination.PLATFORM
        if bases and all(is_elsewhere(each) for each in bases):
            return Destination.ELSEWHERE
        if any(model_address(each) is not None for each in self.model_texts):
            return Destination.PLATFORM
        if "clarifai" in self.hint.lower():
            return Destination.PLATFORM
        if self.is_client_known and self.base is None:
            return Destination.ELSEWHERE
        return Destination.UNKNOWN
