"""Keeps room for others when too many connections are open: who asks for nothing makes room for who comes.

Descriptors that run out stop everything: clients that come, control, and replicas that start. So some are kept in
reserve, and there are never more connections than the rest allows.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from typing import Protocol

# Descriptors that are not for clients: files, replicas, the state.
_RESERVE = 256


class Guest(Protocol):
    """Holds an open connection."""

    @property
    def idle_since(self) -> float | None:
        """Return since when (of the loop's clock) nobody waits for anything on it; None while somebody does."""
        ...

    def abort(self) -> None:
        """Close it at once."""
        ...


def most_connections() -> int:
    """Return how many connections this process may have open, of the descriptors that the system allows it."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return 1_000_000
    return max(allowed - _RESERVE, allowed // 2)


def longest_idle(guests: Iterable[Guest]) -> Guest | None:
    """Return the connection on which nobody has waited for anything for the longest time; None where all are
    busy."""
    idle = ((since, guest) for guest in guests if (since := guest.idle_since) is not None)
    return min(idle, key=lambda each: each[0], default=(0.0, None))[1]
