"""Holds the connection to one engine: found once, cleared of what dead emulators left, given a network and, where
it is on this machine, a listener for its containers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from clarifai_emulator.backends.docker.container_network import make_network
from clarifai_emulator.backends.docker.engine import Engine, NoEngine, connect, meeting_point
from clarifai_emulator.backends.docker.engine_address import resolve
from clarifai_emulator.backends.docker.engine_machine import accelerators_of, machine_of
from clarifai_emulator.backends.docker.labels import new_instance
from clarifai_emulator.backends.docker.leftovers import remove_all, remove_container, remove_left_behind
from clarifai_emulator.backends.docker.way_back import Listen
from clarifai_emulator.background_work import begin, nobody_waits
from clarifai_emulator.config import DockerSettings
from clarifai_emulator.errors import ModelError, NoRoom
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.machine.inventory import take_inventory
from clarifai_emulator.machine.machine import Machine

if TYPE_CHECKING:
    from docker import DockerClient

log = logging.getLogger(__name__)

T = TypeVar("T")

_THREADS = 16


class EngineSession:
    """The engine of these settings, from its first use on. ``listen(meeting)`` opens a listener for its containers
    there and gives its port; ``environ`` says where an engine may be. ``machines``: this one. ``accelerators``:
    simulated ones of an engine elsewhere."""

    def __init__(
        self,
        settings: DockerSettings,
        *,
        listen: Listen,
        environ: Callable[[], Mapping[str, str]],
        machines: Sequence[Machine],
        accelerators: str,
    ) -> None:
        self.instance = new_instance()
        self.engine: Engine | None = None
        self.network = ""  # the containers' own
        self.gateway = ""
        self.base_url = ""  # of the emulator as containers of this machine see it
        self.threads = ThreadPoolExecutor(_THREADS, "docker")
        self.left: set[str] = set()  # containers that ended while the engine was away
        self._settings = settings
        self._listen = listen
        self._environ = environ
        self._here = machines
        self._accelerators = accelerators
        self._client: DockerClient | None = None
        self._opening = asyncio.Lock()
        self._elsewhere: Machine | None = None
        self._reaching: asyncio.Task[None] | None = None
        self._unreached = ""

    async def call(self, function: Callable[[], T]) -> T:
        """Run a blocking call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, function)

    async def open(self) -> tuple[DockerClient, Engine]:
        """Return the engine, found and furnished when it is asked for first. Raises ``ModelError``."""
        async with self._opening:
            if self._client is None or self.engine is None:
                try:
                    client, self.engine = await self.call(
                        lambda: connect(self._settings.engine, environ=self._environ())
                    )
                except NoEngine as error:
                    raise ModelError(str(error)) from None
                try:
                    await self._furnish(client, self.engine)
                except BaseException:
                    client.close()
                    raise
                self._client = client
            silence = await self._silence(self._client, self.engine)
            if silence:
                raise ModelError(
                    f"The container engine at {self.engine.address} does not answer: {silence}.",
                    hint="Start it again; the replica is tried again by itself.",
                )
            if not self.network:
                await self._furnish(self._client, self.engine)
            for each in tuple(self.left):
                with contextlib.suppress(OSError):  # as requests' exceptions are: away again
                    await self.call(partial(remove_container, self._client, each))
                    self.left.discard(each)
            return self._client, self.engine

    def forget_network(self) -> None:
        """Note that somebody has removed the network: what runs next gets another."""
        self.network = ""

    @property
    def machines(self) -> Sequence[Machine]:
        """Return this machine, or that of an engine elsewhere. Raises ``NoRoom`` until that has answered."""
        if self._elsewhere is not None:
            return (self._elsewhere,)
        if not self._is_elsewhere():
            return self._here
        if self._reaching is None or self._reaching.done():
            self._reaching = begin(self._reach(), f"reaching the engine at {self._settings.engine}", nobody_waits)
        why = f": {self._unreached}" if self._unreached else ", it is being asked"
        raise NoRoom(f"the engine at {self._settings.engine} has not answered yet{why}", for_good=False)

    async def close(self) -> None:
        """Remove what was made on the engine, and let go of it."""
        if self._reaching is not None:
            self._reaching.cancel()
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):  # as requests' exceptions are: it is away, the next start removes it
                await self.call(lambda: remove_all(client, self.instance))
            await self.call(client.close)
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _is_elsewhere(self) -> bool:
        """Tell whether the engine is one of another machine, as far as that is known before it has answered."""
        if self.engine is not None:
            return not self.engine.is_local
        if not self._settings.engine:
            return False
        try:
            return resolve(self._settings.engine, self._environ()).is_elsewhere
        except NoEngine as error:
            self._unreached = str(error)
            return True

    async def _reach(self) -> None:
        try:
            await self.open()
        except ModelError as error:
            self._unreached = error.summary

    async def _silence(self, client: DockerClient, engine: Engine) -> str:
        """Why the engine does not answer; empty when it does. An ``ssh`` that has ended is started again."""
        if engine.is_local:
            return engine.silence
        reach = getattr(client, "reach", None)
        try:
            if reach is not None:
                await self.call(reach)
            return await self.call(lambda: engine.silence)
        except OSError as error:
            return str(error)

    async def _furnish(self, client: DockerClient, engine: Engine) -> None:
        removed = await self.call(lambda: remove_left_behind(client))
        if removed:
            log.info("removed what emulators that are gone had left: %s", ", ".join(removed))
        name, gateway = await self.call(lambda: make_network(client, self.instance))
        if engine.is_local:
            self.base_url = await self._listen_for_containers(engine, gateway)
        else:
            self._elsewhere = machine_of(engine, await self.call(partial(self._accelerators_of, client, engine)))
        self.network, self.gateway = name, gateway

    async def _listen_for_containers(self, engine: Engine, gateway: str) -> str:
        """Listen where containers of this machine reach it. Return the address as they see it."""
        meeting = meeting_point(engine, gateway, self._settings.listen)
        try:
            port = await self._listen(meeting)
        except OSError as error:
            raise ModelError(
                f"Containers cannot be given a way to the emulator: listening on {meeting.listen} failed "
                f"({error.strerror or error}).",
                hint="Name an address of this machine that containers reach with --docker-listen ADDRESS.",
            ) from None
        return f"http://{meeting.advertised}:{port}"

    def _accelerators_of(self, client: DockerClient, engine: Engine) -> Discovery:
        if self._accelerators:
            return take_inventory(self._accelerators)
        return accelerators_of(client, engine, self._settings.base_image, self.instance)
