"""Finds out about images what only they can tell, each once: what they run, where the model is, its method
signatures, the version of Python."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.docker.container import ContainerPlan, model_path_of
from clarifai_emulator.backends.docker.container_runs import ContainerRuns
from clarifai_emulator.backends.docker.engine_errors import explained
from clarifai_emulator.backends.docker.engine_session import EngineSession
from clarifai_emulator.backends.process.parent import SCRIPT
from clarifai_emulator.backends.signature_answers import (
    INSPECT_SECONDS,
    decode_answer,
    end_of,
    signatures_in,
)
from clarifai_emulator.models.version_source import ModelSource

if TYPE_CHECKING:
    from docker import DockerClient

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


class ImageFacts:
    """Keeps what it has found out about the images on the engine of a session."""

    def __init__(self, session: EngineSession, runs: ContainerRuns) -> None:
        self._session = session
        self._runs = runs
        self._signatures_of: dict[str, Sequence[Any]] = {}
        self._takes_threads: dict[str, bool] = {}
        self._model_paths: dict[str, str] = {}
        self._pythons: dict[str, str] = {}

    async def command(self, image: str) -> list[str]:
        """Return the whole command that an image runs."""
        client, _ = await self._session.open()
        return await self._session.call(partial(_command_of, client, image))

    async def model_path(self, image: str, see_to_image: Callable[[], Awaitable[object]] | None = None) -> str:
        """Return where in the image the model is. ``see_to_image``: builds it again where it is gone."""
        known = self._model_paths.get(image)
        if known is None:
            if see_to_image is not None:
                await see_to_image()
            known = self._model_paths[image] = model_path_of(await self.command(image))
        return known

    async def other_python(self, wanted: str, image: str) -> str:
        """Return the version of an image's Python where config.yaml asks for another one; else empty."""
        if not wanted:
            return ""
        if image not in self._pythons:
            self._pythons[image] = await self._ask_python(image)
        found = self._pythons[image]
        return "" if found.split(".")[:2] == wanted.split(".")[:2] else found

    async def signatures(self, source: ModelSource) -> Sequence[Any]:
        """Return a model's method signatures, read in a container of its image. Raises ``ModelError``."""
        known = self._signatures_of.get(source.image)
        if known is None:
            known = self._signatures_of[source.image] = await self._read_signatures(source)
        return known

    async def takes_threads(self, source: ModelSource) -> bool:
        """Tell whether the image's server has an option for the number of threads. Raises ``ModelError``."""
        await self.signatures(source)
        return self._takes_threads[source.image]

    def signatures_plan(self, source: ModelSource) -> ContainerPlan:
        """Plan the container that reads a model's signatures."""
        return self._runs.question("signatures", source.image, source.path.name)

    async def _read_signatures(self, source: ModelSource) -> Sequence[Any]:
        _, engine = await self._session.open()
        lines: list[str] = []
        command = ["python", "-B", "-c", _READ_SIGNATURES, await self.model_path(source.image)]
        plan = replace(self.signatures_plan(source), command=command)
        files = {f"{_READERS}/{script.name}": script.read_bytes() for script in SCRIPT.parent.glob("*_main.py")}
        process = await self._runs.run(plan, lines.append, files=files, answer=_ANSWER)
        exit_ = await end_of(process, lines, INSPECT_SECONDS)
        if exit_.code == _NO_SUCH_COMMAND:
            raise explained(RuntimeError(" ".join(lines)), engine, plan)
        answer = decode_answer(process.answer, exit_, lines)
        self._takes_threads[source.image] = "--num_threads" in answer["options"]
        return signatures_in(answer)

    async def _ask_python(self, image: str) -> str:
        lines: list[str] = []
        plan = replace(self._runs.question("python", image, image), command=["python", "-c", _SAY_PYTHON])
        process = await self._runs.run(plan, lines.append)
        try:
            await asyncio.wait_for(asyncio.shield(process.exited), INSPECT_SECONDS)
        except TimeoutError:
            return ""  # whatever is wrong with the image, reading the signatures says
        finally:
            process.kill()
        return next((line.removeprefix(_PYTHON) for line in lines if line.startswith(_PYTHON)), "")


def _command_of(client: DockerClient, image: str) -> list[str]:
    config = client.api.inspect_image(image)["Config"]
    return [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
