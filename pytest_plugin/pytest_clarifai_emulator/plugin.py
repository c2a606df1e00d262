"""Pytest hooks and fixtures. Imports nothing of the emulator before a test asks for it."""

from __future__ import annotations
