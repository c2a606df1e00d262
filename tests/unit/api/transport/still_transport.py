"""Stands for the socket of a connection, and notes what the server does with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


class StillTransport(asyncio.Transport):
    """A transport that takes everything and sends nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.is_paused = False
        self.has_ended = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the address of the client."""
        return ("127.0.0.1", 1234) if name == "peername" else default

    def write(self, data: Any) -> None:
        """Note what is sent."""
        self.said += bytes(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Note what is sent."""
        self.said += b"".join(map(bytes, list_of_data))

    def write_eof(self) -> None:
        """Say nothing more."""

    def pause_reading(self) -> None:
        """Leave what comes with the client."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Take what comes."""
        self.is_paused = False

    def is_closing(self) -> bool:
        """Tell whether it has been closed."""
        return self.has_ended

    def close(self) -> None:
        """Close it."""
        self.has_ended = True

    def abort(self) -> None:
        """Close it at once."""
        self.has_ended = True


async def turns(number: int) -> None:
    """Let the event loop turn so many times."""
    for _ in range(number):
        await asyncio.sleep(0)
