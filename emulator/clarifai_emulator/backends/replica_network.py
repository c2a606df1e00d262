"""Says whose ports a replica uses: those of a loopback of its own, or those of this machine, watched or not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

NETWORKS = ("own", "watched", "shared")
NetworkKind = Literal["own", "watched", "shared"]


def nothing_held() -> Sequence[int]:
    """Return the ports of a replica that nobody looks after."""
    return ()


@dataclass(slots=True, eq=False)
class ReplicaNetwork:
    """Describes what stands between a replica's servers and those of others.

    ``own``: it listens at ``address``, which its own connections to this machine's loopback go to. ``watched``: it
    listens at the ports of this machine, and is kept from the servers of other replicas. ``shared``: it listens
    there, and nobody looks. ``because``: why it is no better. ``held`` finds the ports that it takes from others.
    ``refused``: why it was kept from a port. ``tell`` is called with what its user may want to know.
    """

    kind: NetworkKind = "shared"
    address: str = ""
    because: str = ""
    refused: str = ""
    tell: Callable[[str], None] = field(default=print, repr=False)
    held: Callable[[], Sequence[int]] = field(default=nothing_held, repr=False)

    def take(self, kind: NetworkKind, address: str, because: str) -> None:
        """Note what the replica has got in the end."""
        self.kind, self.address, self.because = kind, address, because

    def listens(self, port: int, *, was_mistaken: bool) -> None:
        """Tell where a server of the model is found from outside. ``was_mistaken``: the model has connected to a
        server of this machine there before."""
        self.tell(f"[emulator] the model's server at port {port} is at {self.address}:{port} for others")
        if was_mistaken:
            self.tell(
                f"[emulator] another program of this machine listens at port {port}, too, and the model has "
                "connected to it before its own server was there: what it waited for may not be ready yet. End "
                "that program, or give the model's server another port"
            )

    def ports(self) -> Sequence[int]:
        """Return the ports at which it keeps others from listening."""
        return self.held() if self.kind == "watched" else ()

    def as_dict(self) -> dict[str, str]:
        """Return what ``status`` says of it."""
        return {"kind": self.kind, "address": self.address, "because": self.because}


def asked_for(wanted: NetworkKind, *, forks: bool, can_watch: Callable[[], bool]) -> ReplicaNetwork:
    """Return what a replica is to have, as far as it is known before it starts. ``forks``: it is forked from a
    warm parent, which is what can give it a loopback."""
    because = f"the settings ask for it (--replica-network {wanted})"
    if wanted == "own" and forks and sys.platform.startswith("linux"):
        return ReplicaNetwork("own")
    if wanted == "own":
        because = "only replicas that are forked, on Linux, can have a loopback of their own"
    if wanted != "shared" and can_watch():
        return ReplicaNetwork("watched", because=because)
    if wanted == "watched":
        because = "this system does not say which process listens at a port"
    return ReplicaNetwork("shared", because=because)
