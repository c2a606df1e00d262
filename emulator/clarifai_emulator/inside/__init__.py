"""Runs in the model's own interpreter: scripts that import nothing of the emulator."""
