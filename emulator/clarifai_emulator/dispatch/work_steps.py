"""Describes a step of work between routing and its replica, as ``api/call.py`` does of requests.

routed ─► step.enter ─► queue ─► step.take ─► replica ─► outputs ─► step.answer ─► client
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.lane import Lane, Replica
    from clarifai_emulator.dispatch.work import Work

Enter = Callable[["Work", "Lane", float], None]
"""Queues work; the number bounds, in seconds, how long it may wait for a replica to start."""


class WorkStep:
    """Does one thing to work on its way to a replica and back. Work is made with its steps, mostly with none.

    A step overrides the methods that it needs.
    """

    def enter(self, work: Work, lane: Lane, hold_seconds: float, following: Enter) -> None:
        """Let work into the queue with ``following``: now, or later, or not at all, which is to fail the work."""
        following(work, lane, hold_seconds)

    def take(self, work: Work, replica: Replica) -> None:
        """Look at work that a replica is about to get. Work that fails here is kept away from the replica."""

    def answer(self, work: Work) -> None:
        """Take note of one more output for the client."""

    def leave(self, work: Work) -> None:
        """Take note that the client waits for no more outputs."""
