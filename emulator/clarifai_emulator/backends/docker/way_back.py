"""Finds how containers of an engine elsewhere reach the emulator, and keeps that way open.

    --advertise ADDRESS ──named──► that one, or none
           │ not named
    this machine's address on the route there ──a container reaches it──► listen there
           │ it does not (a firewall, another network)
    an engine over SSH ──► ssh -R: a port of its loopback ──► a relay on the containers' gateway

Each way is tried by a container before a replica takes it. All of them end in TLS by a certificate of the
emulator's own, so that a container can tell the emulator from whoever else answers at an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clarifai_emulator.backends.docker.container_replica import ContainerProcess
from clarifai_emulator.backends.docker.engine import Engine, Meeting, outward_address
from clarifai_emulator.backends.docker.own_certificate import OwnCertificate
from clarifai_emulator.backends.docker.ssh_forward import SshFailure, SshForward, from_port
from clarifai_emulator.backends.process.parent import SCRIPT
from clarifai_emulator.errors import ModelError

Listen = Callable[[Meeting], Awaitable[int]]

CERTIFICATE_PATH = "/tmp/clarifai-emulator/certificate.pem"  # noqa: S108 - in the container
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - where an address is not one of this machine: TLS and credentials guard it
_LOOPBACK = "127.0.0.1"
_TRIAL_SECONDS = 30.0
_FOLDER = "tmp/clarifai-emulator"
_TRIAL, _RELAY = "way_back_main.py", "relay_main.py"


class StartBeside(Protocol):
    """Starts a container that helps to find the way: ``DockerBackend`` does."""

    def __call__(
        self,
        what: str,
        command: Sequence[str],
        on_line: Callable[[str], None],
        *,
        files: Mapping[str, bytes],
        network: str = "",
    ) -> Awaitable[ContainerProcess]: ...


@dataclass(frozen=True, slots=True)
class Way:
    """Says how containers reach the emulator. ``certificate``: what they trust there, as PEM; ``how``: in words."""

    base_url: str
    certificate: bytes
    how: str

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables that lead a runner, and a model's clients, along it."""
        return {"CLARIFAI_API_BASE": self.base_url, "CLARIFAI_ROOT_CERTIFICATES_PATH": CERTIFICATE_PATH}

    @property
    def files(self) -> dict[str, bytes]:
        """Return the files that these need."""
        return {CERTIFICATE_PATH.lstrip("/"): self.certificate}


@dataclass(frozen=True, slots=True)
class _Listening:
    """A listener that is open. ``certificate``: who vouches for it."""

    port: int
    certificate: bytes


class WayBack:
    """The way back from one engine. ``advertise``: the address that was named, empty to find one; ``listen_at``:
    where to listen for it. ``on_lost`` is called in the event loop, with the reason, when the way breaks."""

    def __init__(
        self,
        *,
        advertise: str,
        listen_at: str,
        listen: Listen,
        environ: Mapping[str, str],
        on_lost: Callable[[str], None],
    ) -> None:
        self._advertise = advertise
        self._listen_at = listen_at
        self._listen = listen
        self._environ = environ
        self._on_lost = on_lost
        self._listeners: dict[str, _Listening] = {}
        self._tunnel: SshForward | None = None
        self._relay: ContainerProcess | None = None

    async def find(self, engine: Engine, gateway: str, start: StartBeside) -> Way:
        """Find a way that works. Raises ``ModelError`` where none does."""
        tried: list[str] = []
        for address in await self._addresses(engine):
            try:
                return await self._straight(address, start)
            except _NoWay as no_way:
                tried.append(f"{address}: {no_way}")
        if engine.ssh and not self._advertise:
            try:
                return await self._through_tunnel(engine, gateway, start)
            except (_NoWay, SshFailure) as no_way:
                tried.append(f"a tunnel over SSH: {no_way}")
                await self.close()
        listed = "\n".join(f"  - {each}" for each in tried)
        named = "The address that --advertise names" if self._advertise else "Nothing that was tried"
        raise ModelError(
            f"{named} leads containers of the engine at {engine.address} back to this emulator:\n{listed}",
            hint=(
                "Name an address of this machine that the other one reaches, with --advertise ADDRESS, and let its "
                "connections in; or name the engine as ssh://user@host, which needs no way back."
            ),
        )

    async def close(self) -> None:
        """Let go of the tunnel and the relay."""
        tunnel, self._tunnel = self._tunnel, None
        relay, self._relay = self._relay, None
        if relay is not None:
            relay.kill()
        if tunnel is not None:
            await asyncio.to_thread(tunnel.close)

    # ── straight ───────────────────────────────────────────────────────────────────────────────────────

    async def _addresses(self, engine: Engine) -> Sequence[str]:
        if self._advertise:
            return (self._advertise,)
        found = await asyncio.to_thread(outward_address, engine.remote_host)
        return () if found.startswith("127.") else (found,)

    async def _straight(self, address: str, start: StartBeside) -> Way:
        """Listen at an address that containers reach."""
        how = f"straight to {address}"
        if (known := self._listeners.get(address)) is not None:
            await self._try(address, known.port, known.certificate, start)
            return Way(f"https://{address}:{known.port}", known.certificate, how)
        certificate = await asyncio.to_thread(OwnCertificate, address)
        context = certificate.server_context()
        where = self._listen_at or address
        try:
            server = await _trial_listener(where, context)
        except OSError as error:
            if self._listen_at or error.errno not in (errno.EADDRNOTAVAIL, None):
                raise _NoWay(f"listening on {where} failed ({error.strerror or error})") from None
            where = _EVERYWHERE
            server = await _trial_listener(where, context)
        async with server:
            await self._try(address, server.sockets[0].getsockname()[1], certificate.pem, start)
        port = await self._listen(Meeting(where, address, tls=context))
        self._listeners[address] = _Listening(port, certificate.pem)
        return Way(f"https://{address}:{port}", certificate.pem, how)

    # ── through a tunnel ───────────────────────────────────────────────────────────────────────────────

    async def _through_tunnel(self, engine: Engine, gateway: str, start: StartBeside) -> Way:
        """Let SSH carry connections, from the gateway of the containers' network to a listener of this machine."""
        if not gateway:
            raise _NoWay("the engine does not tell the gateway of its networks")
        await self.close()
        listening = await self._listening_for(gateway)
        loop = asyncio.get_running_loop()

        def ended(reason: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits
                loop.call_soon_threadsafe(self._lost, tunnel, reason)

        tunnel = SshForward(engine.ssh, from_port(listening.port), environ=self._environ, on_end=ended)
        await asyncio.to_thread(tunnel.start, lambda: tunnel.allocated_port != 0)
        self._tunnel = tunnel
        port = await self._start_relay(gateway, tunnel.allocated_port, start)
        await self._try(gateway, port, listening.certificate, start)
        how = f"through a tunnel over SSH to {tunnel.target}"
        return Way(f"https://{gateway}:{port}", listening.certificate, how)

    async def _listening_for(self, gateway: str) -> _Listening:
        known = self._listeners.get(gateway)
        if known is None:
            certificate = await asyncio.to_thread(OwnCertificate, gateway)
            try:
                port = await self._listen(Meeting(_LOOPBACK, gateway, tls=certificate.server_context()))
            except OSError as error:
                raise _NoWay(f"listening on {_LOOPBACK} failed ({error.strerror or error})") from None
            known = self._listeners[gateway] = _Listening(port, certificate.pem)
        return known

    async def _start_relay(self, gateway: str, port: int, start: StartBeside) -> int:
        """Start what passes connections on from the gateway to the tunnel's end; the port that it listens at."""
        listens: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lines: list[str] = []

        def hear(line: str) -> None:
            lines.append(line)
            word, _, number = line.partition(" ")
            if word == "port" and number.isdecimal() and not listens.done():
                listens.set_result(int(number))

        command = ["python", "-B", f"/{_FOLDER}/{_RELAY}", gateway, str(port)]
        relay = self._relay = await start("relay", command, hear, files=_scripts(_RELAY), network="host")
        relay.exited.add_done_callback(lambda done: self._lost(relay, f"its relay ended: {done.result()}"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TRIAL_SECONDS):
                await asyncio.wait([listens, relay.exited], return_when=asyncio.FIRST_COMPLETED)
        if not listens.done():
            raise _NoWay(f"the relay there does not listen: {lines[-1] if lines else 'it says nothing'}")
        return listens.result()

    def _lost(self, part: SshForward | ContainerProcess, reason: str) -> None:
        if part in (self._tunnel, self._relay):
            self._on_lost(f"the tunnel over SSH broke ({reason})")

    # ── a trial ────────────────────────────────────────────────────────────────────────────────────────

    async def _try(self, host: str, port: int, certificate: bytes, start: StartBeside) -> None:
        """Let a container connect. Raises ``_NoWay``."""
        lines: list[str] = []
        command = ["python", "-B", f"/{_FOLDER}/{_TRIAL}", host, str(port), CERTIFICATE_PATH]
        files = {**_scripts(_TRIAL), CERTIFICATE_PATH.lstrip("/"): certificate}
        trial = await start("way-back", command, lines.append, files=files)
        try:
            async with asyncio.timeout(_TRIAL_SECONDS):
                exit_ = await asyncio.shield(trial.exited)
        except TimeoutError:
            trial.kill()
            raise _NoWay(f"a container there did not come to try it within {_TRIAL_SECONDS:g} s") from None
        if exit_.code != 0:
            raise _NoWay(lines[-1] if lines else str(exit_))


class _NoWay(Exception):
    """A way does not lead to the emulator. Its text says why."""


async def _trial_listener(host: str, tls: ssl.SSLContext) -> asyncio.Server:
    """Listen for containers that try whether they reach this: each is let go once it knows."""

    async def let_go(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    return await asyncio.start_server(let_go, host, 0, ssl=tls)


def _scripts(name: str) -> dict[str, bytes]:
    return {f"{_FOLDER}/{name}": (Path(SCRIPT).parent / name).read_bytes()}
