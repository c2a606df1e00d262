"""Runs replicas as containers of images that are built as the platform builds them.

DockerBackend ─► ContainerRuns ─► EngineSession ─► the engine
      └────────► ImageFacts ─┘
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from clarifai_emulator.backend_table import backend_at
from clarifai_emulator.backends.backend import ReplicaProcess, ReplicaSpec, Surroundings
from clarifai_emulator.backends.docker.cancellation import Cancellation
from clarifai_emulator.backends.docker.container import (
    SECRETS_PATH,
    SERVER_SCRIPTS,
    ContainerPlan,
    cannot_keep_pat,
    with_scripts,
)
from clarifai_emulator.backends.docker.container_hosts import ContainerHosts
from clarifai_emulator.backends.docker.container_replica import ContainerProcess
from clarifai_emulator.backends.docker.container_runs import ContainerRuns
from clarifai_emulator.backends.docker.context import make_context
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.engine_session import EngineSession
from clarifai_emulator.backends.docker.image import ensure_image
from clarifai_emulator.backends.docker.image_facts import ImageFacts
from clarifai_emulator.backends.docker.mounting import why_not_mounted
from clarifai_emulator.backends.docker.way_back import Listen, Way
from clarifai_emulator.backends.process.parent import NOWHERE, SCRIPT
from clarifai_emulator.background_work import begin_thread, nobody_waits
from clarifai_emulator.config import PROBE_SECONDS, REPLICA_PROCESSES, DockerSettings, own_environ
from clarifai_emulator.errors import ModelError
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from docker import DockerClient

T = TypeVar("T")

# The real platform's names.
PLATFORM = ("api.clarifai.com", "clarifai.com")


class DockerBackend:
    """Replicas as containers. ``listen(meeting)`` opens a listener for them there and gives its port;
    ``environ`` says where an engine may be; ``wanted``: what containers get of it (``replica_environ.py``).
    ``refuses``: hosts that they do not reach by name. ``name``: its own; the engine of another nodepool has one of
    its own (``backend_table.py``). ``accelerators``: simulated ones of every machine."""

    def __init__(
        self,
        settings: DockerSettings,
        *,
        probe_seconds: float = PROBE_SECONDS,
        most_processes: int = REPLICA_PROCESSES,
        listen: Listen,
        environ: Callable[[], Mapping[str, str]] = own_environ,
        wanted: Sequence[str] = (),
        machines: Sequence[Machine] = (),
        refuses: Sequence[str] = (),
        name: str = "docker",
        accelerators: str = "",
    ) -> None:
        self.name = name
        self._settings = settings
        self._probe_seconds = probe_seconds
        self._most_processes = most_processes
        self._refuses = refuses
        self._building: dict[Path, asyncio.Lock] = {}
        self._serving: set[ContainerProcess] = set()
        self._session = EngineSession(
            settings, listen=listen, environ=environ, machines=machines, accelerators=accelerators
        )
        self._runs = ContainerRuns(
            self._session,
            settings,
            environ=environ,
            wanted=wanted,
            refuses=refuses,
            listen=listen,
            on_way_lost=self._way_lost,
        )
        self._facts = ImageFacts(self._session, self._runs)
        self._hosts = ContainerHosts(self._runs.run)

    @property
    def machines(self) -> Sequence[Machine]:
        """Return this machine, or that of an engine elsewhere. Raises ``NoRoom`` until that has answered."""
        return self._session.machines

    async def open(self) -> tuple[DockerClient, Engine]:
        """Find the engine, once. Raises ``ModelError``."""
        return await self._session.open()

    async def find_way(self, image: str) -> Way | None:
        """Find how containers of an engine elsewhere reach the emulator, by one of this image; None where that
        goes without saying. Raises ``ModelError``."""
        return await self._runs.find_way(image)

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        """Build the model's image, unless it is there already: for the dev loop without the model's own files,
        where containers can see those. Raises ``ModelError``."""
        client, engine = await self._session.open()
        obstacle = await asyncio.to_thread(why_not_mounted, directory, engine) if is_watched else ""
        if obstacle:
            progress(f"each save will be a new image: {obstacle}")
        is_mounted = is_watched and not obstacle
        loop, cancellation = asyncio.get_running_loop(), Cancellation()

        def tell(line: str) -> None:
            loop.call_soon_threadsafe(progress, line)

        def build() -> tuple[str, bool]:
            context = make_context(directory, self._settings, is_mounted=is_mounted)
            image = ensure_image(client, engine, context, self._settings, tell, cancellation)
            return image, context.fixes_python

        async with self._building.setdefault(directory.path, asyncio.Lock()):
            try:
                tag, fixes_python = await _in_a_thread_of_its_own(build)
            except asyncio.CancelledError:
                cancellation.cancel()
                raise
            except OSError as error:  # as requests' exceptions are
                raise ModelError(
                    f"The image of {directory.model_id} cannot be built: the engine at {engine.address} went away.",
                    hint="Start it again, and deploy again.",
                    log=str(error),
                ) from None
        other = await self._facts.other_python(directory.python_version, tag) if fixes_python else ""
        if other:
            progress(
                f"config.yaml asks for Python {directory.python_version}, and the image has {other}, on which the "
                "model runs. Write --docker-base-image with {python_version}, or name an image of that Python, or "
                f"let config.yaml ask for {'.'.join(other.split('.')[:2])}."
            )
        return ModelSource(
            path=directory.path,
            python=Path(),
            content_hash=directory.content_hash,
            environment=f"the image {tag}{f', whose Python is {other}' if other else ''}",
            backend=self.name,
            image=tag,
            secrets=directory.secrets,
            mounted=is_mounted,
        )

    async def warm(self) -> None:
        """Find the engine now, and remove what dead emulators left on it; where there is none, say so."""
        try:
            await self._session.open()
        except ModelError as error:
            log.warning("%s", error)

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        """Start a container. One whose image was removed meanwhile is built again."""
        _, engine = await self._session.open()
        if self._settings.secrets == "environment":
            spec = replace(spec, environ={**spec.secrets, **spec.environ}, secrets={})
        plan = self._plan(spec, engine)
        see_to_image = partial(self._see_to_image, spec.source, on_line)
        if spec.source.mounted:
            model_path = await self._facts.model_path(spec.source.image, see_to_image)
            return await self._hosts.start(spec, plan, model_path, on_line, see_to_image)
        await see_to_image()
        way = await self._runs.find_way(spec.source.image)
        if way is not None:
            plan = replace(plan, environ={**plan.environ, **way.environ})
        if plan.arguments and not await self._facts.takes_threads(spec.source):
            plan = replace(plan, arguments=())
        files = dict(way.files) if way is not None else {}
        own_command = await self._facts.command(spec.source.image)
        if command := with_scripts(own_command):
            plan = replace(plan, command=[*command, *plan.arguments])
            files |= {path: (SCRIPT.parent / name).read_bytes() for path, name in SERVER_SCRIPTS.items()}
        elif plan.runner_pat:
            raise cannot_keep_pat(own_command)
        replica = await self._runs.run(plan, on_line, spec.secrets, files=files)
        self._serving.add(replica)
        replica.exited.add_done_callback(lambda _: self._serving.discard(replica))
        replica.watch_health(self._probe_seconds)
        return replica

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The model's method signatures, read in a container of its image. Raises ``ModelError``."""
        if not source.mounted:
            return await self._facts.signatures(source)
        await self._session.open()
        plan = self._facts.signatures_plan(source)
        return await self._hosts.signatures(source, plan, await self._facts.model_path(source.image))

    async def close(self) -> None:
        """End every container and remove what was made, but images: they make the next start quick."""
        await self._runs.close()
        await self._session.close()

    def _way_lost(self, reason: str) -> None:
        """End the replicas that have no way to the emulator any more: those that follow get another."""
        for replica in tuple(self._serving):
            replica.lose(f"its way to the emulator was lost: {reason}")

    async def _see_to_image(self, source: ModelSource, on_line: Callable[[str], None]) -> None:
        client, _ = await self._session.open()
        if await self._session.call(lambda: _has_image(client, source.image)):
            return
        on_line(f"[emulator] image {source.image} was removed: building it again")
        directory = await asyncio.to_thread(read_model_directory, source.path)
        again = await self.prepare(directory, on_line, is_watched=source.mounted)
        if again.image != source.image and directory.content_hash != source.content_hash:
            raise ModelError(
                f"The image of this version was removed, and {source.path} has changed since it was built.",
                hint="Deploy the model again: `clarifai-emulator deploy`.",
            )
        if again.image != source.image:
            await self._session.call(lambda: _name(client, again.image, source.image))

    def _plan(self, spec: ReplicaSpec, engine: Engine) -> ContainerPlan:
        environ = {**self._runs.variables(), **spec.environ, "CLARIFAI_API_BASE": self._session.base_url or NOWHERE}
        runner_pat = "" if environ["CLARIFAI_PAT"] == spec.credential else spec.credential
        if spec.secrets:
            environ["CLARIFAI_SECRETS_PATH"] = SECRETS_PATH
        if "CLARIFAI_PAT" in spec.secrets:  # in a file: the container's variables have it not
            environ["CLARIFAI_PAT"] = spec.credential
        if spec.devices.simulated:
            environ["NVIDIA_VISIBLE_DEVICES"] = ",".join(spec.devices.ids)
        if spec.num_threads:
            environ["CLARIFAI_NUM_THREADS"] = str(spec.num_threads)
        nodes = spec.devices.nodes
        groups = {str(Path(node).stat().st_gid) for node in nodes if Path(node).exists()}
        is_passed = bool(spec.devices.ids) and not spec.devices.simulated
        return ContainerPlan(
            image=spec.source.image,
            name=f"clarifai-emulator-{_as_name(spec.source.path.name)}-{spec.replica_id[:12]}",
            replica_id=spec.replica_id,
            processes=self._most_processes,
            instance=self._session.instance,
            model=spec.source.path.name,
            network=self._session.network,
            environ=environ,
            cpu=spec.cpu if self._settings.limits else "",
            memory=spec.memory if self._settings.limits else "",
            accelerators=spec.devices.ids if is_passed and not nodes else (),
            device_nodes=nodes,
            device_groups=sorted(groups),
            arguments=["--num_threads", str(spec.num_threads)] if spec.num_threads else [],
            publish_health=engine.is_local and not engine.reaches_bridge,
            runner_pat=runner_pat,
            refuses=self._refuses,
        )


def make_backend(surroundings: Surroundings) -> DockerBackend:
    """Make the backend of an emulator, on the engine of its settings or on that of certain nodepools."""
    config, place = surroundings.config, surroundings.place
    return DockerBackend(
        replace(config.docker, engine=place) if place else config.docker,
        probe_seconds=config.probe_seconds,
        most_processes=config.replica_processes,
        listen=surroundings.listen,
        environ=config.environ,
        wanted=config.env,
        machines=[surroundings.machine],
        refuses=PLATFORM if config.refuse_platform else (),
        name=backend_at("docker", place),
        accelerators=config.accelerators,
    )


def _in_a_thread_of_its_own(function: Callable[[], T]) -> asyncio.Future[T]:
    """Run what may take long so that it keeps nobody from ending: a build ends with its connection."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(cast(T, value))

    def run() -> None:
        value, problem = None, None
        try:
            value = function()
        except BaseException as error:
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits
            loop.call_soon_threadsafe(settle, value, problem)

    begin_thread(run, "image build", nobody_waits, loop=loop)
    return result


def _as_name(text: str) -> str:
    """Make a container's name that an engine takes."""
    return re.sub(r"[^a-z0-9_.-]+", "-", text.lower()).strip("-.") or "model"


def _name(client: DockerClient, image: str, tag: str) -> None:
    repository, _, name = tag.rpartition(":")
    client.api.tag(image, repository, name)


def _has_image(client: DockerClient, image: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        client.api.inspect_image(image)
    except ImageNotFound:
        return False
    return True
