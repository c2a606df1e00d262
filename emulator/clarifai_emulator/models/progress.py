"""Defines who is told, line by line, how preparing a model goes."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
