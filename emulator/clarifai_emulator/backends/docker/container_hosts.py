"""Runs the containers of the dev loop: a warm parent in each forks replicas over the mounted model directory."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from clarifai_emulator.backends.backend import Exit, ReplicaProcess, ReplicaSpec
from clarifai_emulator.backends.docker.container import ContainerPlan
from clarifai_emulator.backends.docker.container_replica import ContainerProcess, out_of_memory
from clarifai_emulator.backends.docker.mounting import room_for_two
from clarifai_emulator.backends.docker.proc import memory_kills, pid_here
from clarifai_emulator.backends.process.parent import SCRIPT
from clarifai_emulator.backends.process.warm_parent import Child, WarmParent
from clarifai_emulator.backends.replica_output import OutputPipe
from clarifai_emulator.backends.signature_answers import (
    INSPECT_SECONDS,
    decode_answer,
    end_of,
    signatures_in,
)
from clarifai_emulator.background_work import begin, beside
from clarifai_emulator.dispatch.lean import LeanEnd
from clarifai_emulator.errors import ModelError
from clarifai_emulator.messages.quantities import parse_memory
from clarifai_emulator.models.version_source import ModelSource

_SCRIPTS = "tmp/clarifai-emulator"
_MEETING = "/run/clarifai-emulator"
_SOCKET = "control"
# The SDK keeps the address that it is imported with, for every replica that is forked: another one than the
# emulator's would be the real platform's.
_OF_ALL_REPLICAS = ("CLARIFAI_API_BASE", "NVIDIA_VISIBLE_DEVICES")
# Importing the SDK on a cold disk, in a container of little CPU.
_CONNECT_SECONDS = 120.0


class Run(Protocol):
    """Starts a container: ``DockerBackend`` does."""

    def __call__(
        self,
        plan: ContainerPlan,
        on_line: Callable[[str], None],
        its_secrets: Mapping[str, str] | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
    ) -> Awaitable[ContainerProcess]: ...


class ContainerHosts:
    """The containers of the dev loop of one backend."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._hosts: set[ContainerHost] = set()

    async def start(
        self,
        spec: ReplicaSpec,
        plan: ContainerPlan,
        model_path: str,
        on_line: Callable[[str], None],
        see_to_image: Callable[[], Awaitable[object]],
    ) -> HostedReplica:
        """A replica: in the container of the one whose place it takes if that is what ``plan`` wants, else in one
        of its own. Raises ``ModelError``."""
        wanted = host_plan(plan, spec.source, model_path)
        host = host_of(spec.replaces)
        if host is None or not host.fits(wanted, spec.secrets):
            await see_to_image()
            host = await self._open(wanted, spec.secrets)
        job = {
            **_job("run", spec.source, model_path, plan.environ),
            "base_url": plan.environ["CLARIFAI_API_BASE"],
            "pat": spec.credential,
            "num_threads": spec.num_threads,
            "reloadable": True,
        }
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                replica = await host.begin(job, on_line, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        replica.reloads = ours
        return replica

    async def signatures(self, source: ModelSource, plan: ContainerPlan, model_path: str) -> Sequence[Any]:
        """Read in a container where the model runs already, else in one for this alone. Raises ``ModelError``."""
        wanted = host_plan(plan, source, model_path)
        host = next((each for each in self._hosts if each.is_alive and each.has_files_of(wanted)), None)
        if host is None:
            host = await self._open(wanted, {})
        lines: list[str] = []
        read, write = os.pipe()
        reading = beside(asyncio.to_thread(_read_all, read))
        try:
            job = _job("inspect", source, model_path, plan.environ)
            replica = await host.begin(job, lines.append, write)
        finally:
            os.close(write)
        exit_ = await end_of(replica, lines, INSPECT_SECONDS)
        return signatures_in(decode_answer(await reading, exit_, lines))

    async def _open(self, plan: ContainerPlan, its_secrets: Mapping[str, str]) -> ContainerHost:
        host = ContainerHost(plan, its_secrets, on_end=self._hosts.discard)
        await host.start(self._run)
        self._hosts.add(host)
        return host


class ContainerHost(WarmParent):
    """A container, and the warm parent in it. ``on_end`` is called with it once it has ended."""

    def __init__(
        self, plan: ContainerPlan, its_secrets: Mapping[str, str], *, on_end: Callable[[ContainerHost], object]
    ) -> None:
        super().__init__(f"python in the container of {plan.model}")
        self._on_end = on_end
        self._plan = plan
        self._secrets = dict(its_secrets)
        self._printed: deque[str] = deque(maxlen=50)
        self._container: ContainerProcess | None = None
        self._replicas: set[HostedReplica] = set()
        self._memory_kills = 0

    async def start(self, run: Run) -> None:
        """Start it and wait until it can fork. Raises ``ModelError``."""
        folder = Path(tempfile.mkdtemp(prefix="clarifai-emulator-"))  # which nobody else on this machine may enter
        try:
            meeting = folder / "meeting"
            meeting.mkdir()
            meeting.chmod(0o755)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.setblocking(False)
                listener.bind(str(meeting / _SOCKET))
                (meeting / _SOCKET).chmod(0o666)
                listener.listen(1)
                plan = replace(self._plan, mounts={**self._plan.mounts, _MEETING: str(meeting)})
                files = {f"{_SCRIPTS}/{each.name}": each.read_bytes() for each in SCRIPT.parent.glob("*_main.py")}
                self._container = await run(plan, self._printed.append, self._secrets, files=files)
                self.attach(await self._met(listener))
            await self.ready()
        except BaseException:
            self.close()
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def fits(self, plan: ContainerPlan, its_secrets: Mapping[str, str]) -> bool:
        """Tell whether a replica of this plan could run here as well as in a container of its own."""
        same = replace(plan, name=self._plan.name, replica_id=self._plan.replica_id) == self._plan
        return self.is_alive and same and self._secrets == dict(its_secrets)

    def has_files_of(self, plan: ContainerPlan) -> bool:
        """Tell whether the container sees the same model, in the same image."""
        return (self._plan.image, self._plan.mounts) == (plan.image, plan.mounts)

    async def begin(self, job: Mapping[str, Any], on_line: Callable[[str], None], fd: int) -> HostedReplica:
        """Fork for a job. Raises ``ModelError`` when the container has ended."""
        replica = HostedReplica(self.fork(job, OutputPipe(on_line), fd), self)
        self._replicas.add(replica)
        try:
            await replica.started()
        except asyncio.CancelledError:
            replica.kill()  # nobody else will know of it
            raise
        return replica

    def left(self, replica: HostedReplica) -> None:
        """Forget a replica that has ended; without any, the container ends, too."""
        self._replicas.discard(replica)
        if not self._replicas:
            self.close()

    async def end_of(self, exit_: Exit) -> Exit:
        """Tell how a replica ended, given how its process did: with its container, perhaps."""
        assert self._container is not None
        if not self.is_alive:
            return _as_whole(await asyncio.shield(self._container.exited))
        killed = memory_kills(self._container.pid)
        if killed > self._memory_kills:
            self._memory_kills = killed
            return out_of_memory(parse_memory(self._plan.memory) if self._plan.memory else 0)
        return exit_

    def local_pid(self, pid: int) -> int:
        """Return this machine's number of a process of the container; the container's own number if not known."""
        init = self._container.pid if self._container is not None else 0
        return pid_here(init, pid) or init

    def close(self) -> None:
        super().close()
        if self._container is not None:
            self._container.kill()
        self._on_end(self)

    def _stillborn(self, why: str) -> ModelError:
        return ModelError(f"The container of {self._plan.model} ended before it ran.", log="\n".join(self._printed))

    async def _met(self, listener: socket.socket) -> socket.socket:
        assert self._container is not None
        accepting = beside(asyncio.get_running_loop().sock_accept(listener))
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.wait([accepting, self._container.exited], return_when=asyncio.FIRST_COMPLETED)
            if accepting.done():
                return accepting.result()[0]
        except TimeoutError:
            raise ModelError(
                f"The container of {self._plan.model} did not come to run Python within {_CONNECT_SECONDS:g} s.",
                log="\n".join(self._printed),
            ) from None
        finally:
            accepting.cancel()
        raise self._stillborn("")


class HostedReplica:
    """A replica in such a container: a ``ReplicaProcess``."""

    def __init__(self, child: Child, host: ContainerHost) -> None:
        self.connection: LeanEnd | None = None
        self.reloads: socket.socket | None = None
        self.debugger: asyncio.Future[int] | None = None
        self.network = None
        self.host = host
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self._child = child
        self._pid: int | None = None
        self._following = begin(self._follow(), "end of a replica in a container", self._follow_failed)

    @property
    def pid(self) -> int:
        if self._pid is None:
            self._pid = self.host.local_pid(self._child.pid)
        return self._pid

    async def started(self) -> None:
        """Until it was forked."""
        await asyncio.shield(self._child.started)

    def terminate(self) -> None:
        self._child.terminate()

    def kill(self) -> None:
        self._child.kill()

    def _follow_failed(self, reason: str) -> None:
        self.kill()
        if not self.exited.done():
            self.exited.set_result(Exit(why=f"the emulator lost sight of it: {reason}"))

    async def _follow(self) -> None:
        exit_ = await self.host.end_of(await self._child.exited)
        self.host.left(self)
        self.exited.set_result(exit_)


def host_of(process: ReplicaProcess | None) -> ContainerHost | None:
    """Return where a replica runs, if that is a container of the dev loop."""
    return process.host if isinstance(process, HostedReplica) else None


def host_plan(plan: ContainerPlan, source: ModelSource, model_path: str) -> ContainerPlan:
    """The container for the replica of ``plan`` and those that will take its place. What is a replica's own, its
    other variables, comes with each."""
    return replace(
        plan,
        environ={name: plan.environ[name] for name in _OF_ALL_REPLICAS if name in plan.environ},
        memory=room_for_two(plan.memory),
        arguments=(),
        command=["python", "-B", f"/{_SCRIPTS}/{SCRIPT.name}", f"{_MEETING}/{_SOCKET}", model_path],
        runner_pat="",  # which comes with the job
        mounts={model_path: str(source.path)},
        publish_health=False,
    )


def _job(op: str, source: ModelSource, model_path: str, environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        "op": op,
        "model_path": model_path,
        "contained": True,
        "seen_as": str(source.path),
        "environ": dict(environ),
    }


def _as_whole(exit_: Exit) -> Exit:
    """A replica's end for that of its container."""
    return exit_ if exit_.why else Exit(why="its container was ended")


def _read_all(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        return file.read()
