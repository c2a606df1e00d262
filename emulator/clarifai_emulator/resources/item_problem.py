"""Describes what is wrong with an item that somebody wants to store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Describes one thing that is wrong with an item. ``where``: its field. ``code``: 0 takes the resource's
    own."""

    where: str
    text: str
    code: int = 0
