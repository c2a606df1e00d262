"""Watches what this project stands on: the RPCs and messages of the platform, and the insides of its SDK."""
