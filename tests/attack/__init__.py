"""Attacks a running emulator in every way that somebody tried, and says what others noticed: python -m attack."""
