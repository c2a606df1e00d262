"""Describes the other end of a connection: its address, and whose process it is once somebody wants to know."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

Address = tuple[str, int]
_NONE: Address = ("", 0)


class Peer:
    """Describes who is at the other end of one connection. ``here`` and ``there``: the addresses of its two ends;
    empty where it is no connection of the network."""

    __slots__ = ("_user", "here", "there")

    def __init__(self, here: Address = _NONE, there: Address = _NONE) -> None:
        self.here, self.there = here, there
        self._user: int | None = None

    @classmethod
    def of(cls, transport: asyncio.BaseTransport) -> Peer:
        """Return the peer of a connection."""
        here, there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not isinstance(here, tuple) or not isinstance(there, tuple):
            return cls()
        return cls((str(here[0]), int(here[1])), (str(there[0]), int(there[1])))

    def __str__(self) -> str:
        """Write the address as gRPC does."""
        host, port = self.there
        return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}" if host else "unix:"

    @property
    def is_on_this_machine(self) -> bool:
        """Tell whether it is a process of this machine, as this emulator sees it: not one in a container that has
        a network of its own."""
        host = self.there[0]
        return bool(host) and (host == self.here[0] or ipaddress.ip_address(host).is_loopback)

    def user(self, look_up: Callable[[Address, Address], int]) -> int:
        """Return whose process it is, as ``look_up`` says when it is first asked: a connection stays one user's."""
        if self._user is None:
            self._user = look_up(self.here, self.there)
        return self._user


NO_PEER = Peer()
