"""Adds a backend to the table of the product: each replica is the command of the runner, started anew."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from clarifai_emulator.backend_table import BACKENDS, Abilities, BackendRow
from clarifai_emulator.backends.backend import Exit, ReplicaSpec, Surroundings
from clarifai_emulator.backends.model_errors import unusable_model
from clarifai_emulator.inside.inspect_main import read_signatures
from clarifai_emulator.models.directory import ModelDirectory
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.version_source import ModelSource


class PlainReplica:
    connection = reloads = debugger = network = None

    def __init__(self, process: Process, on_line: Callable[[str], None]) -> None:
        self.pid, self._process, self.kill = process.pid, process, process._transport.close  # pyright: ignore
        self.exited = asyncio.ensure_future(self._follow(process, on_line))

    async def _follow(self, process: Any, on_line: Callable[[str], None]) -> Exit:
        async for line in process.stdout:
            on_line(line.decode().rstrip())
        return Exit(await process.wait())

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()


class PlainBackend:
    name = "plain"

    def __init__(self, surroundings: Surroundings) -> None:
        self.machines, self._replicas = [surroundings.machine], list[PlainReplica]()

    async def warm(self) -> None: ...

    async def prepare(
        self, directory: ModelDirectory, progress: Progress, *, is_watched: bool = False
    ) -> ModelSource:
        return ModelSource(directory.path, Path(sys.executable), directory.content_hash, "", self.name)

    async def start(self, spec: ReplicaSpec, on_line: Callable[[str], None]) -> PlainReplica:
        options = "--model_path", spec.source.path, "--base_url", spec.base_url, "--health_check_port", "0"
        command = "-u", "-m", "clarifai.runners.server", *options, "--num_threads", str(spec.num_threads)
        environ = {**os.environ, **spec.variables}
        process = await asyncio.create_subprocess_exec(sys.executable, *command, env=environ, stdout=-1, stderr=-2)
        self._replicas.append(PlainReplica(process, on_line))
        return self._replicas[-1]

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        try:
            return await asyncio.to_thread(read_signatures, str(source.path))
        except Exception as error:
            raise unusable_model(str(error), type(error).__name__, "") from None

    async def close(self) -> None:
        for each in self._replicas:
            each.kill()


ROW = BackendRow(name="plain", summary="plainly", abilities=Abilities(isolation="process"), factory=PlainBackend)
BACKENDS[ROW.name] = ROW
