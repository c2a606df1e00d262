"""Records calls into a file once, and plays them back without any model afterwards."""

from clarifai_emulator.api.playback.player import Asker, Mode, Player

__all__ = ["Asker", "Mode", "Player"]
