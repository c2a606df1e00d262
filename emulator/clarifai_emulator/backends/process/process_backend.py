"""Runs replicas as processes: the genuine runner, forked from a warm parent per Python environment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clarifai_emulator.backends.backend import Exit, ReplicaProcess, ReplicaSpec, Surroundings
from clarifai_emulator.backends.debugging.debugpy_files import folder_of_debugpy
from clarifai_emulator.backends.health_watch import watch_replica
from clarifai_emulator.backends.image_view import ImageViews
from clarifai_emulator.backends.process.parent import SCRIPT, Parent, forks, parent_environ
from clarifai_emulator.backends.process.warm_parent import Child
from clarifai_emulator.backends.process.zygote_link import Zygote, cannot_run
from clarifai_emulator.backends.replica_environ import WHILE_READ, runner_environ, withheld_names
from clarifai_emulator.backends.replica_network import NetworkKind, ReplicaNetwork, asked_for
from clarifai_emulator.backends.replica_output import OutputPipe
from clarifai_emulator.backends.signature_answers import (
    INSPECT_SECONDS,
    decode_answer,
    end_of,
    signatures_in,
)
from clarifai_emulator.background_work import begin
from clarifai_emulator.config import PROBE_SECONDS, REPLICA_PROCESSES, default_cache_dir, own_environ
from clarifai_emulator.errors import ModelError
from clarifai_emulator.inside.port_watch_main import REFUSED, can_watch, ports_of
from clarifai_emulator.left_out import of_the_whole
from clarifai_emulator.machine.machine import Machine
from clarifai_emulator.machine.processes import end_tree
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.environment import describe_environment, prepare_environment
from clarifai_emulator.models.own_sdk import reasons_against_own_sdk
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.lean_sockets import LeanSockets

_LINES_KEPT = 500


class ProcessBackend:
    """Replicas as processes of this machine. ``parent``: of those in its own environment, started already.
    ``environ``: what they inherit from, and the builds of their environments have; ``wanted``: what they get of it
    beside what all replicas do (``replica_environ.py``). ``network``: whose ports they are to use."""

    name = "process"

    def __init__(
        self,
        *,
        api_base: Callable[[], str],
        start_method: Literal["auto", "fork", "spawn"],
        cache_dir: Path | None = None,
        parent: Parent | None = None,
        environ: Callable[[], Mapping[str, str]] = own_environ,
        wanted: Sequence[str] = (),
        refuse_platform: bool = False,
        machines: Sequence[Machine] = (),
        probe_seconds: float = PROBE_SECONDS,
        most_processes: int = REPLICA_PROCESSES,
        network: NetworkKind = "own",
    ) -> None:
        self._probe_seconds = probe_seconds
        self._most_processes = most_processes
        self.machines = machines
        self._network: NetworkKind = network
        self._environ = environ
        self._wanted = wanted
        self._refuse_platform = refuse_platform
        self._cache_dir = cache_dir or default_cache_dir()
        self._forks = forks(start_method)
        self._api_base = api_base
        self._zygotes = {parent.python: Zygote(parent.python, parent.environ, parent.take())} if parent else {}
        self._spawned: set[SpawnedProcess] = set()
        self._views = ImageViews()

    async def warm(self) -> None:
        """Import the SDK in this interpreter now, so that the first replica starts in milliseconds. Where that
        fails, the first deployment tries again, and says what is wrong. An SDK that few models will run with is
        left alone."""
        if self._forks and not reasons_against_own_sdk(()):
            with contextlib.suppress(ModelError):
                await self._zygote(Path(sys.executable))

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        """Find or build the Python environment of a model."""
        python = await prepare_environment(directory, self._cache_dir, progress, environ=self._environ())
        environment = describe_environment(python)
        return ModelSource(
            directory.path, python, directory.content_hash, environment, self.name, secrets=directory.secrets
        )

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> ReplicaProcess:
        path = self._views.of(spec.source.path)
        if path != spec.source.path:
            on_line = _on_line_as_written(on_line, self._views)
        environ = {**self._inherited(spec.source.python, path), **spec.variables}
        job: dict[str, Any] = {
            "op": "run",
            "model_path": str(path),
            "seen_as": str(spec.source.path),
            "base_url": spec.base_url,
            "pat": spec.credential,
            "num_threads": spec.num_threads,
            "lean": spec.lean,
            "reloadable": spec.source.watched is not None,
            "processes": self._most_processes,
            "probed": spec.debugging is None,  # one that stands at a breakpoint answers nothing
            "environ": environ,
            "withheld": withheld_names(self._environ(), environ),
            "refuse_platform": self._refuse_platform,
        }
        network = asked_for(self._network, forks=self._forks, can_watch=can_watch)
        network.tell = on_line
        job["network"] = network.kind
        on_line = _noting_refusals(on_line, network)
        debugger: asyncio.Future[int] | None = None
        if spec.debugging is not None:
            debugger, on_line = _told_port(on_line, mark := f"[debugger {secrets.token_hex(8)}]")
            folder = folder_of_debugpy(spec.source.python, self._cache_dir)
            job["debug"] = {"mark": mark, "path": folder, "wait": spec.debugging.wait}
        # In the order in which zygote_main.py takes them.
        wanted = {"lean": socket.SOCK_STREAM, "reloadable": socket.SOCK_STREAM, "probed": socket.SOCK_SEQPACKET}
        pairs = [socket.socketpair(socket.AF_UNIX, kind) for name, kind in wanted.items() if job[name]]
        try:
            process = await self._begin(
                spec.source.python, job, on_line, *(theirs.fileno() for _, theirs in pairs), network=network
            )
        except BaseException:
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        ends = [ours for ours, _ in pairs]
        if job["probed"]:
            watch_replica(
                ends.pop(),
                process.exited,
                every=self._probe_seconds,
                on_line=on_line,
                kill=process.kill_for,
            )
        process.reloads = ends.pop() if job["reloadable"] else None
        process.connection = _lean_connection(ends.pop()) if job["lean"] else None
        process.debugger = debugger
        network.held = partial(ports_of, process.pid, spec.replica_id)
        return process

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """The model's method signatures. Raises ``ModelError`` with the model's own traceback."""
        given = self._environ()
        secrets = {each.variable: each.value or given.get(each.variable, "") for each in source.secrets}
        secrets = {name: value for name, value in secrets.items() if value}
        return signatures_in(await self.examine(source.path, source.python, variables=secrets))

    async def examine(
        self,
        path: Path,
        python: Path,
        *,
        seconds: float | None = None,
        how: Mapping[str, Any] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run ``inspect_main.examine`` over the model directory, in a process of its own, and return what it says;
        ``how`` are its options, ``variables`` what it finds beside what it inherits. Raises ``ModelError`` when it
        gives no answer within ``seconds``."""
        seconds = INSPECT_SECONDS if seconds is None else seconds
        lines: list[str] = []
        view = self._views.of(path)
        environ = {**WHILE_READ, **self._inherited(python, view), **(variables or {})}
        environ["CLARIFAI_API_BASE"] = self._api_base()
        job = {
            "op": "inspect",
            "model_path": str(view),
            "environ": environ,
            "withheld": withheld_names(self._environ(), environ),
            "refuse_platform": self._refuse_platform,
            "how": dict(how or {}),
        }
        with tempfile.TemporaryFile() as result:
            process = await self._begin(python, job, _keeping_the_last(lines), result.fileno())
            exit_ = await end_of(process, lines, seconds)
            result.seek(0)
            answer = self._views.as_written_in_json(result.read().decode())
            return decode_answer(answer.encode(), exit_, [self._views.as_written(line) for line in lines])

    async def close(self) -> None:
        for zygote in self._zygotes.values():
            zygote.close()
        self._zygotes.clear()
        for process in tuple(self._spawned):
            process.kill()
        await asyncio.gather(*(process.exited for process in tuple(self._spawned)))
        self._views.close()

    async def _begin(
        self,
        python: Path,
        job: Mapping[str, Any],
        on_line: Callable[[str], None],
        *fds: int,
        network: ReplicaNetwork | None = None,
    ) -> Child | SpawnedProcess:
        if self._forks:
            zygote = await self._zygote(python)
            child: Child = zygote.fork(job, OutputPipe(on_line), *fds)
            child.network = network
            try:
                await child.started
            except asyncio.CancelledError:
                child.kill()  # nobody else will know of it
                raise
            return child
        process = SpawnedProcess(OutputPipe(on_line))
        process.network = network
        try:
            await process.start(python, job, *fds)
        except OSError as error:
            raise cannot_run(python, error) from None
        self._spawned.add(process)
        process.exited.add_done_callback(lambda _: self._spawned.discard(process))
        return process

    def _inherited(self, python: Path, path: Path) -> dict[str, str]:
        """Return the environment that a model's process inherits. As in a container, the commands of its own
        environment are found first: an MCP server that a model starts is one of them."""
        inherited = runner_environ(self._environ(), self._wanted)
        paths = [str(python.parent), inherited.get("PATH", os.defpath)]
        return {**inherited, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(path)}

    async def _zygote(self, python: Path) -> Zygote:
        zygote = self._zygotes.get(python)
        if zygote is None or not zygote.is_alive:
            zygote = self._zygotes[python] = Zygote(
                python, parent_environ(self._api_base(), self._environ(), self._wanted)
            )
        try:
            await zygote.start()
        except ModelError:
            self._zygotes.pop(python, None)
            raise
        return zygote


def make_backend(surroundings: Surroundings) -> ProcessBackend:
    """Make the backend of an emulator."""
    config = surroundings.config
    return ProcessBackend(
        api_base=surroundings.api_base,
        start_method=config.start_method,
        cache_dir=config.cache_dir,
        parent=surroundings.parent,
        environ=config.environ,
        wanted=config.env,
        refuse_platform=config.refuse_platform,
        machines=[surroundings.machine],
        probe_seconds=config.probe_seconds,
        most_processes=config.replica_processes,
        network=config.replica_network,
    )


def _lean_connection(ours: socket.socket) -> LeanSockets:
    with of_the_whole("the lean runner"):
        from clarifai_emulator.dispatch.lean_sockets import LeanSockets

    return LeanSockets(ours)


class SpawnedProcess:
    """A replica that is a process of its own."""

    def __init__(self, output: OutputPipe) -> None:
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.connection: LeanSockets | None = None
        self.reloads: socket.socket | None = None
        self.debugger: asyncio.Future[int] | None = None
        self.network: ReplicaNetwork | None = None
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._killed_because = ""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self, python: Path, job: Mapping[str, Any], *fds: int) -> None:
        try:
            await self._start(python, job, *fds)
        except BaseException:
            self._output.close()
            raise

    async def _start(self, python: Path, job: Mapping[str, Any], *fds: int) -> None:
        given = fds or (self._output.write_fd,)
        self._process = await asyncio.create_subprocess_exec(
            python,
            "-u",
            SCRIPT,
            "--once",
            ",".join(map(str, given)),
            str(os.getpid()),
            env=dict(job["environ"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=self._output.write_fd,
            stderr=self._output.write_fd,
            pass_fds=given,
            start_new_session=True,
        )
        self._output.give_away()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode())
        self._process.stdin.close()
        self._watcher = begin(self._watch(self._process), "watch of a spawned replica", self._watch_failed)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self._kill_group(process.pid)  # what the replica itself had started
        self._output.close()
        if self._killed_because:
            self.exited.set_result(Exit(why=self._killed_because))
        else:
            self.exited.set_result(Exit(code) if code >= 0 else Exit(signal=-code))

    def _watch_failed(self, reason: str) -> None:
        self.kill()
        if not self.exited.done():
            self.exited.set_result(Exit(why=f"the emulator lost sight of it: {reason}"))

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            end_tree(self._process.pid)
            self._kill_group(self._process.pid)

    def kill_for(self, why: str) -> None:
        """End it for this reason."""
        self._killed_because = why
        self.kill()

    def _kill_group(self, pid: int) -> None:
        # It leads a group of its own from its first moment (start_new_session).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


def _keeping_the_last(lines: list[str]) -> Callable[[str], None]:
    """Note lines, the last of them only: a model may print without end."""

    def keep(line: str) -> None:
        lines.append(line)
        if len(lines) > 2 * _LINES_KEPT:
            del lines[:_LINES_KEPT]

    return keep


def _on_line_as_written(on_line: Callable[[str], None], views: ImageViews) -> Callable[[str], None]:
    return lambda line: on_line(views.as_written(line))


def _noting_refusals(on_line: Callable[[str], None], network: ReplicaNetwork) -> Callable[[str], None]:
    """Note why the replica was kept from a port: that is why it ends, if it does."""

    def hear(line: str) -> None:
        if line.startswith(REFUSED):
            network.refused = line.removeprefix(REFUSED).rstrip(".")
        on_line(line)

    return hear


def _told_port(on_line: Callable[[str], None], mark: str) -> tuple[asyncio.Future[int], Callable[[str], None]]:
    """The port that a replica tells in a line that begins with ``mark``, and who hears its other lines."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def hear(line: str) -> None:
        if not line.startswith(mark):
            on_line(line)
        elif not port.done():
            port.set_result(int(line.removeprefix(mark)))

    return port, hear
