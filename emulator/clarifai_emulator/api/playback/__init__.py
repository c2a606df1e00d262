"""Records calls into a file once, and plays them back without any model afterwards."""

from clarifai_emulator.api.playback.player import Mode, Player

__all__ = ["Mode", "Player"]
