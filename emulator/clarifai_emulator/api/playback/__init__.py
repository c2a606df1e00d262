"""Calls recorded into a file once, and played back without any model afterwards."""

from clarifai_emulator.api.playback.player import Deck, Mode

__all__ = ["Deck", "Mode"]
