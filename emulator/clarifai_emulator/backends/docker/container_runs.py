"""Runs containers on the engine of a session, and finds the way by which those of an engine elsewhere reach the
emulator."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from clarifai_emulator.backends.docker.container import (
    ContainerPlan,
    archive_of,
    create_arguments,
    host_arguments,
    secret_files,
)
from clarifai_emulator.backends.docker.container_replica import ContainerProcess
from clarifai_emulator.backends.docker.engine_errors import explained
from clarifai_emulator.backends.docker.engine_session import EngineSession
from clarifai_emulator.backends.docker.way_back import Listen, Way, WayBack
from clarifai_emulator.backends.process.parent import NOWHERE
from clarifai_emulator.backends.replica_environ import WHILE_READ, container_variables
from clarifai_emulator.background_work import beside
from clarifai_emulator.config import DockerSettings

log = logging.getLogger(__name__)

_END_SECONDS = 10


class ContainerRuns:
    """The containers of a session that run now. ``environ``: this process's variables; ``wanted``: what containers
    get of it (``replica_environ.py``). ``refuses``: hosts that they do not reach by name. ``listen``: opens a
    listener for those of an engine elsewhere. ``on_way_lost`` is called with the reason when those have no way to
    the emulator any more."""

    def __init__(
        self,
        session: EngineSession,
        settings: DockerSettings,
        *,
        environ: Callable[[], Mapping[str, str]],
        wanted: Sequence[str],
        refuses: Sequence[str],
        listen: Listen,
        on_way_lost: Callable[[str], None],
    ) -> None:
        self._session = session
        self._environ = environ
        self._wanted = wanted
        self._refuses = refuses
        self._on_way_lost = on_way_lost
        self._running: set[ContainerProcess] = set()
        self._ways: dict[str, Way] = {}  # by the network that it leads out of
        self._finding_way = asyncio.Lock()
        self._way_back = WayBack(
            advertise=settings.advertised_to(settings.engine),
            listen_at=settings.listen,
            listen=listen,
            environ=environ(),
            on_lost=self._lost,
        )

    def variables(self) -> dict[str, str]:
        """Return what every container finds in its environment."""
        return container_variables(self._environ(), self._wanted)

    def question(self, what: str, image: str, model: str) -> ContainerPlan:
        """Plan a container that answers one question about its image and ends."""
        session = self._session
        return ContainerPlan(
            image=image,
            name=f"clarifai-emulator-{what}-{secrets.token_hex(4)}",
            instance=session.instance,
            model=model,
            network=session.network,
            environ={**WHILE_READ, **self.variables(), "CLARIFAI_API_BASE": session.base_url or NOWHERE},
            refuses=self._refuses,
        )

    async def run(
        self,
        plan: ContainerPlan,
        on_line: Callable[[str], None],
        its_secrets: Mapping[str, str] | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        answer: str = "",
    ) -> ContainerProcess:
        """Start a container; each line it prints goes to ``on_line``. ``answer``: a file to read at its end. Raises
        ``ModelError``."""
        session = self._session
        client, engine = await session.open()
        process = ContainerProcess(client, engine, session.threads, on_line, session.left.add, answer=answer)
        self._running.add(process)
        process.exited.add_done_callback(lambda _: self._running.discard(process))

        def begin() -> None:
            command = (
                list(client.api.inspect_image(plan.image)["Config"].get("Cmd") or ()) if plan.arguments else []
            )
            host = client.api.create_host_config(**host_arguments(plan, engine))
            made = client.api.create_container(**create_arguments(plan, engine, command), host_config=host)
            process.created(str(made["Id"]))
            if its_secrets:
                client.api.put_archive(process.id, "/", archive_of(secret_files(its_secrets), mode=0o400))
            if files:
                client.api.put_archive(process.id, "/", archive_of(files))
            process.start()

        beginning = beside(session.call(begin))
        try:
            await asyncio.shield(beginning)
        except asyncio.CancelledError:
            process.kill()  # nobody else will know of it, however far it comes
            beginning.add_done_callback(lambda done: process.abandon() if done.exception() else None)
            raise
        except Exception as error:
            process.abandon()
            if re.search(r"network \S+ not found|unable to find network", str(error)):
                session.forget_network()
            raise explained(error, engine, plan) from error
        return process

    async def find_way(self, image: str) -> Way | None:
        """Find how containers of an engine elsewhere reach the emulator, by one of this image; None where that
        goes without saying. Raises ``ModelError``."""
        _, engine = await self._session.open()
        if engine.is_local:
            return None
        async with self._finding_way:
            network = self._session.network
            if network not in self._ways:
                start = partial(self._start_beside, image)
                self._ways[network] = way = await self._way_back.find(engine, self._session.gateway, start)
                log.info("containers of the engine at %s reach the emulator %s", engine.address, way.how)
            return self._ways[network]

    async def close(self) -> None:
        """End every container."""
        for each in tuple(self._running):
            each.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await asyncio.gather(*(each.exited for each in tuple(self._running)))
        await self._way_back.close()

    def _lost(self, reason: str) -> None:
        self._ways.clear()
        self._on_way_lost(reason)

    async def _start_beside(
        self,
        image: str,
        what: str,
        command: Sequence[str],
        on_line: Callable[[str], None],
        *,
        files: Mapping[str, bytes],
        network: str = "",
    ) -> ContainerProcess:
        plan = self.question(what, image, image)
        plan = replace(plan, command=command, network=network or self._session.network)
        return await self.run(plan, on_line, files=files)
