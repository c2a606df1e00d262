"""Calls recorded into a file once, and played back without any model afterwards."""

from clarifai_emulator.cassettes.deck import Deck, Mode

__all__ = ["Deck", "Mode"]
