"""Runs replicas as containers of images that are built as the platform builds them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    archive_of,
    cannot_keep_pat,
    create_arguments,
    host_arguments,
    model_path_of,
    secret_files,
    with_scripts,
)
from clarifai_emulator.backends.docker.container_hosts import ContainerHosts
from clarifai_emulator.backends.docker.container_network import make_network
from clarifai_emulator.backends.docker.container_replica import ContainerProcess
from clarifai_emulator.backends.docker.context import make_context
from clarifai_emulator.backends.docker.engine import Engine, NoEngine, connect, meeting_point
from clarifai_emulator.backends.docker.engine_address import resolve
from clarifai_emulator.backends.docker.engine_errors import explained
from clarifai_emulator.backends.docker.engine_machine import accelerators_of, machine_of
from clarifai_emulator.backends.docker.image import ensure_image
from clarifai_emulator.backends.docker.labels import new_instance
from clarifai_emulator.backends.docker.leftovers import remove_all, remove_container, remove_left_behind
from clarifai_emulator.backends.docker.mounting import why_not_mounted
from clarifai_emulator.backends.docker.way_back import Listen, Way, WayBack
from clarifai_emulator.backends.process.parent import NOWHERE, SCRIPT
from clarifai_emulator.backends.replica_environ import WHILE_READ, container_variables
from clarifai_emulator.backends.signature_answers import (
    INSPECT_SECONDS,
    decode_answer,
    end_of,
    signatures_in,
)
from clarifai_emulator.background_work import begin, begin_thread, beside, nobody_waits
from clarifai_emulator.config import PROBE_SECONDS, REPLICA_PROCESSES, DockerSettings, own_environ
from clarifai_emulator.errors import ModelError, NoRoom
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.machine.inventory import take_inventory
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
_THREADS = 16
_NO_SUCH_COMMAND = 127  # as a container's init says it
_PYTHON = "python "
_SAY_PYTHON = f"import platform; print('{_PYTHON}' + platform.python_version())"
_READERS = "tmp/clarifai-emulator"
_ANSWER = "/tmp/clarifai-emulator/answer.json"  # noqa: S108 - in the container
# The module that reads signatures for other backends, run by the model's own interpreter.
_READ_SIGNATURES = f"""
import contextlib, os, runpy, sys
reader = runpy.run_path("/{_READERS}/{SCRIPT.name}", run_name="signatures")
sys.path.insert(0, sys.argv[1])
with contextlib.suppress(Exception):
    reader["import_sdk"]()
reader["inspect"]({{"model_path": sys.argv[1]}}, os.open("{_ANSWER}", os.O_WRONLY | os.O_CREAT))
"""


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
        self._here = machines
        self._accelerators = accelerators
        self._elsewhere: Machine | None = None
        self._reaching: asyncio.Task[None] | None = None
        self._unreached = ""
        self._gateway = ""
        self._way: Way | None = None
        self._way_back = WayBack(
            advertise=settings.advertised_to(settings.engine),
            listen_at=settings.listen,
            listen=listen,
            environ=environ(),
            on_lost=self._way_lost,
        )
        self._finding_way = asyncio.Lock()
        self._refuses = refuses
        self._environ = environ
        self._wanted = wanted
        self._settings = settings
        self._probe_seconds = probe_seconds
        self._most_processes = most_processes
        self._listen = listen
        self._instance = new_instance()
        self._client: DockerClient | None = None
        self.engine: Engine | None = None
        self._network = ""
        self._base_url = ""
        self._opening = asyncio.Lock()
        self._building: dict[Path, asyncio.Lock] = {}
        self._signatures_of: dict[str, Sequence[Any]] = {}  # by image
        self._takes_threads: dict[str, bool] = {}  # by image: whether its server has that option
        self._model_paths: dict[str, str] = {}  # by image
        self._pythons: dict[str, str] = {}  # by image
        self._replicas: set[ContainerProcess] = set()  # and what else runs in a container
        self._serving: set[ContainerProcess] = set()
        self._left: set[str] = set()  # containers that ended while the engine was away
        self._hosts = ContainerHosts(self._run)
        self._threads = ThreadPoolExecutor(_THREADS, "docker")

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

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        """Build the model's image, unless it is there already: for the dev loop without the model's own files,
        where containers can see those. Raises ``ModelError``."""
        client, engine = await self.open()
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
        other = await self._other_python(directory.python_version, tag) if fixes_python else ""
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

    async def _other_python(self, wanted: str, image: str) -> str:
        """Return the version of an image's Python where config.yaml asks for another one; else empty."""
        if not wanted:
            return ""
        if image not in self._pythons:
            self._pythons[image] = await self._ask_python(image)
        found = self._pythons[image]
        return "" if found.split(".")[:2] == wanted.split(".")[:2] else found

    async def _ask_python(self, image: str) -> str:
        lines: list[str] = []
        plan = self._asking_plan("python", image, image)
        process = await self._run(replace(plan, command=["python", "-c", _SAY_PYTHON]), lines.append)
        try:
            await asyncio.wait_for(asyncio.shield(process.exited), INSPECT_SECONDS)
        except TimeoutError:
            return ""  # whatever is wrong with the image, reading the signatures says
        finally:
            process.kill()
        return next((line.removeprefix(_PYTHON) for line in lines if line.startswith(_PYTHON)), "")

    async def warm(self) -> None:
        """Find the engine now, and remove what dead emulators left on it; where there is none, say so."""
        try:
            await self.open()
        except ModelError as error:
            log.warning("%s", error)

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        """Start a container. One whose image was removed meanwhile is built again."""
        client, engine = await self.open()
        if self._settings.secrets == "environment":
            spec = replace(spec, environ={**spec.secrets, **spec.environ}, secrets={})
        plan = self._plan(spec, engine)
        see_to_image = partial(self._see_to_image, spec.source, on_line)
        if spec.source.mounted:
            model_path = await self._model_path(spec.source, see_to_image)
            return await self._hosts.start(spec, plan, model_path, on_line, see_to_image)
        await see_to_image()
        way = await self._find_way(spec.source.image)
        if way is not None:
            plan = replace(plan, environ={**plan.environ, **way.environ})
        if plan.arguments:
            await self.signatures(spec.source)
            plan = plan if self._takes_threads[spec.source.image] else replace(plan, arguments=())
        files = dict(way.files) if way is not None else {}
        own_command = await self._call(partial(_command_of, client, spec.source.image))
        if command := with_scripts(own_command):
            plan = replace(plan, command=[*command, *plan.arguments])
            files |= {path: (SCRIPT.parent / name).read_bytes() for path, name in SERVER_SCRIPTS.items()}
        elif plan.runner_pat:
            raise cannot_keep_pat(own_command)
        replica = await self._run(plan, on_line, spec.secrets, files=files)
        self._serving.add(replica)
        replica.exited.add_done_callback(lambda _: self._serving.discard(replica))
        replica.watch_health(self._probe_seconds)
        return replica

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The model's method signatures, read in a container of its image. Raises ``ModelError``."""
        if source.mounted:
            await self.open()
            plan = self._signatures_plan(source)
            return await self._hosts.signatures(source, plan, await self._model_path(source))
        known = self._signatures_of.get(source.image)
        if known is None:
            known = self._signatures_of[source.image] = await self._read_signatures(source)
        return known

    async def _read_signatures(self, source: ModelSource) -> Sequence[Any]:
        _, engine = await self.open()
        lines: list[str] = []
        command = ["python", "-B", "-c", _READ_SIGNATURES, await self._model_path(source)]
        plan = replace(self._signatures_plan(source), command=command)
        files = {f"{_READERS}/{script.name}": script.read_bytes() for script in SCRIPT.parent.glob("*_main.py")}
        process = await self._run(plan, lines.append, files=files, answer=_ANSWER)
        exit_ = await end_of(process, lines, INSPECT_SECONDS)
        if exit_.code == _NO_SUCH_COMMAND:
            raise explained(RuntimeError(" ".join(lines)), engine, plan)
        answer = decode_answer(process.answer, exit_, lines)
        self._takes_threads[source.image] = "--num_threads" in answer["options"]
        return signatures_in(answer)

    def _signatures_plan(self, source: ModelSource) -> ContainerPlan:
        return self._asking_plan("signatures", source.image, source.path.name)

    def _asking_plan(self, what: str, image: str, model: str) -> ContainerPlan:
        """A container that answers one question about its image and ends."""
        return ContainerPlan(
            image=image,
            name=f"clarifai-emulator-{what}-{secrets.token_hex(4)}",
            instance=self._instance,
            model=model,
            network=self._network,
            environ={**WHILE_READ, **self._variables(), "CLARIFAI_API_BASE": self._base_url or NOWHERE},
            refuses=self._refuses,
        )

    def _variables(self) -> dict[str, str]:
        return container_variables(self._environ(), self._wanted)

    async def close(self) -> None:
        """End every container and remove what was made, but images: they make the next start quick."""
        if self._reaching is not None:
            self._reaching.cancel()
        for replica in tuple(self._replicas):
            replica.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.gather(*(replica.exited for replica in tuple(self._replicas)))
        await self._way_back.close()
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):  # as requests' exceptions are: it is away, the next start removes it
                await self._call(lambda: remove_all(client, self._instance))
            await self._call(client.close)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ── the engine ─────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> tuple[DockerClient, Engine]:
        """Find the engine, once: remove what dead emulators left on it, make a network, listen on it."""
        async with self._opening:
            if self._client is None or self.engine is None:
                try:
                    client, self.engine = await self._call(
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
            if not self._network:
                await self._furnish(self._client, self.engine)
            for each in tuple(self._left):
                with contextlib.suppress(OSError):  # as requests' exceptions are: away again
                    await self._call(partial(remove_container, self._client, each))
                    self._left.discard(each)
            return self._client, self.engine

    async def _silence(self, client: DockerClient, engine: Engine) -> str:
        """Why the engine does not answer; empty when it does. An ``ssh`` that has ended is started again."""
        if engine.is_local:
            return engine.silence
        reach = getattr(client, "reach", None)
        try:
            if reach is not None:
                await self._call(reach)
            return await self._call(lambda: engine.silence)
        except OSError as error:
            return str(error)

    async def find_way(self, image: str) -> Way | None:
        """Find how containers of an engine elsewhere reach the emulator, by one of this image; None where that
        goes without saying. Raises ``ModelError``."""
        await self.open()
        return await self._find_way(image)

    async def _find_way(self, image: str) -> Way | None:
        engine = self.engine
        assert engine is not None
        if engine.is_local:
            return None
        async with self._finding_way:
            if self._way is None:
                start = partial(self._start_beside, image)
                self._way = await self._way_back.find(engine, self._gateway, start)
                log.info("containers of the engine at %s reach the emulator %s", engine.address, self._way.how)
            return self._way

    def _way_lost(self, reason: str) -> None:
        """End the replicas that have no way to the emulator any more: those that follow get another."""
        self._way = None
        for replica in tuple(self._serving):
            replica.lose(f"its way to the emulator was lost: {reason}")

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
        plan = self._asking_plan(what, image, image)
        plan = replace(plan, command=command, network=network or self._network)
        return await self._run(plan, on_line, files=files)

    async def _furnish(self, client: DockerClient, engine: Engine) -> None:
        removed = await self._call(lambda: remove_left_behind(client))
        if removed:
            log.info("removed what emulators that are gone had left: %s", ", ".join(removed))
        name, gateway = await self._call(lambda: make_network(client, self._instance))
        if not engine.is_local:
            self._network, self._gateway, self._way = name, gateway, None
            self._elsewhere = machine_of(engine, await self._call(partial(self._accelerators_of, client, engine)))
            return
        meeting = meeting_point(engine, gateway, self._settings.listen)
        try:
            port = await self._listen(meeting)
        except OSError as error:
            raise ModelError(
                f"Containers cannot be given a way to the emulator: listening on {meeting.listen} failed "
                f"({error.strerror or error}).",
                hint="Name an address of this machine that containers reach with --docker-listen ADDRESS.",
            ) from None
        self._network, self._base_url = name, f"http://{meeting.advertised}:{port}"

    def _accelerators_of(self, client: DockerClient, engine: Engine) -> Discovery:
        if self._accelerators:
            return take_inventory(self._accelerators)
        return accelerators_of(client, engine, self._settings.base_image, self._instance)

    async def _model_path(
        self, source: ModelSource, see_to_image: Callable[[], Awaitable[object]] | None = None
    ) -> str:
        """Return where in the image the model is."""
        known = self._model_paths.get(source.image)
        if known is None:
            client, _ = await self.open()
            if see_to_image is not None:
                await see_to_image()
            command = await self._call(lambda: _command_of(client, source.image))
            known = self._model_paths[source.image] = model_path_of(command)
        return known

    async def _see_to_image(self, source: ModelSource, on_line: Callable[[str], None]) -> None:
        client, _ = await self.open()
        if await self._call(lambda: _has_image(client, source.image)):
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
            await self._call(lambda: _name(client, again.image, source.image))

    # ── one container ──────────────────────────────────────────────────────────────────────────────────

    def _plan(self, spec: ReplicaSpec, engine: Engine) -> ContainerPlan:
        environ = {**self._variables(), **spec.environ, "CLARIFAI_API_BASE": self._base_url or NOWHERE}
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
            instance=self._instance,
            model=spec.source.path.name,
            network=self._network,
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

    async def _run(
        self,
        plan: ContainerPlan,
        on_line: Callable[[str], None],
        its_secrets: Mapping[str, str] | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        answer: str = "",
    ) -> ContainerProcess:
        client, engine = await self.open()
        process = ContainerProcess(client, engine, self._threads, on_line, self._left.add, answer=answer)
        self._replicas.add(process)
        process.exited.add_done_callback(lambda _: self._replicas.discard(process))

        def begin() -> None:
            command = _arguments_of(client, plan.image) if plan.arguments else []
            host = client.api.create_host_config(**host_arguments(plan, engine))
            made = client.api.create_container(**create_arguments(plan, engine, command), host_config=host)
            process.created(str(made["Id"]))
            if its_secrets:
                client.api.put_archive(process.id, "/", archive_of(secret_files(its_secrets), mode=0o400))
            if files:
                client.api.put_archive(process.id, "/", archive_of(files))
            process.start()

        beginning = beside(self._call(begin))
        try:
            await asyncio.shield(beginning)
        except asyncio.CancelledError:
            process.kill()  # nobody else will know of it, however far it comes
            beginning.add_done_callback(lambda done: process.abandon() if done.exception() else None)
            raise
        except Exception as error:
            process.abandon()
            if re.search(r"network \S+ not found|unable to find network", str(error)):
                self._network = ""  # somebody removed it: the next replica gets another
            raise explained(error, engine, plan) from error
        return process

    async def _call(self, function: Callable[[], T]) -> T:
        """Run a blocking call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)


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


def _command_of(client: DockerClient, image: str) -> list[str]:
    """The whole command that an image runs."""
    config = client.api.inspect_image(image)["Config"]
    return [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]


def _arguments_of(client: DockerClient, image: str) -> list[str]:
    """Return what an image gives its entrypoint."""
    return list(client.api.inspect_image(image)["Config"].get("Cmd") or ())
