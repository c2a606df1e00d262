"""Recorded calls: written to a readable file once, played back without any model afterwards."""

from clarifai_emulator.cassettes.deck import Deck, Mode
from clarifai_emulator.cassettes.tape import RecordedModel, Tape

__all__ = ["Deck", "Mode", "RecordedModel", "Tape"]
