"""Lets all xdist workers use one emulator, which runs in the controller."""
