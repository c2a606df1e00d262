"""Opens the ports of one emulator: the public one, and those at which replicas get their work."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from clarifai_emulator.api.transport.freed_memory import FreedMemory
from clarifai_emulator.api.transport.http2 import Find, OnOdd, first_of
from clarifai_emulator.api.transport.http_sites import HttpSites
from clarifai_emulator.api.transport.port import Port
from clarifai_emulator.api.transport.request_buffers import Buffers
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import ConfigError

if TYPE_CHECKING:
    import ssl

# On top of the runner's own limit, so that an item that is just too large is refused by name.
_MORE_BYTES = 1024 * 1024


class Ports:
    """Opens and closes the ports of an emulator. ``on_odd`` hears of clients that speak something else. ``public``:
    the port for clients, while it is open."""

    def __init__(self, config: EmulatorConfig, on_odd: OnOdd) -> None:
        self._config = config
        self._on_odd = on_odd
        self.public: Port | None = None
        self._others: list[Port] = []
        self._buffers = Buffers(config.max_buffer_bytes, config.max_connection_buffer_bytes, FreedMemory().add)

    async def open_public(self, *services: Find, http: HttpSites) -> int:
        """Listen where the configuration says; return the port's number. Raises ``ConfigError``."""
        public = self._port(*services, http=http)
        try:
            number = await public.listen(self._config.host, self._config.port)
        except OSError as error:
            raise _cannot_listen(self._config, error) from None
        self.public = public
        return number

    async def open(
        self,
        host: str,
        *services: Find,
        early: bool = False,
        http: HttpSites | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> int:
        """Listen at a free port; return its number. ``early``: the address may not be there yet. ``tls``: what
        connections are secured by. Raises ``OSError``."""
        port = self._port(*services, http=http)
        number = await port.listen(host, 0, early=early, tls=tls)
        self._others.append(port)
        return number

    async def close_public(self) -> None:
        """Stop listening for clients."""
        public, self.public = self.public, None
        if public is not None:
            await public.close()

    async def close(self) -> None:
        """Stop listening for clients and for replicas."""
        others, self._others = self._others, []
        await asyncio.gather(self.close_public(), *(port.close() for port in others))

    def _port(self, *services: Find, http: HttpSites | None = None) -> Port:
        max_bytes = self._config.max_message_bytes + _MORE_BYTES
        return Port(first_of(services), max_bytes=max_bytes, on_odd=self._on_odd, buffers=self._buffers, http=http)


def _cannot_listen(config: EmulatorConfig, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"Port {config.port} of {config.host} is in use.",
            [],
            hint="Another emulator may be running (`clarifai-emulator status`); stop it with `clarifai-emulator "
            "down`, or choose another port with --port (0 takes a free one).",
        )
    return ConfigError(f"Cannot listen on {config.host}:{config.port}: {error.strerror or error}.", [])
