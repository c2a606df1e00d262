"""Runs the checks of ``doctor`` for an engine of another machine: the whole way there and back, hop by hop.

    its name ─► the engine ─► the machine and its GPUs ─► an image ─► a container that connects back, over TLS

The first hop that fails is the last that is tried. Nothing is left there but images.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clarifai_emulator.backend_table import DOCKER_HOST_KEY
from clarifai_emulator.backends.docker.docker_backend import DockerBackend
from clarifai_emulator.backends.docker.engine import Meeting
from clarifai_emulator.backends.docker.engine_address import NoEngine, resolve
from clarifai_emulator.backends.docker.labels import MODEL
from clarifai_emulator.cli.engine_checks import EngineFinding
from clarifai_emulator.config import DockerSettings
from clarifai_emulator.errors import ModelError
from clarifai_emulator.messages.quantities import format_memory

if TYPE_CHECKING:
    from docker import DockerClient

_PYTHON = "3.12"
_BY_HAND = "docker -H {address} version"


def engines_of(topologies: Sequence[Path]) -> list[str]:
    """List the engines that nodepools of topology files name. Raises ``ConfigError``."""
    from clarifai_emulator.topology.files import load_topology

    metadata = [each.message.metadata for each in load_topology(topologies).nodepools]
    return list(dict.fromkeys(str(each[DOCKER_HOST_KEY]) for each in metadata if DOCKER_HOST_KEY in each))


def way_findings(settings: DockerSettings, environ: Mapping[str, str]) -> Iterator[EngineFinding]:
    """Try the way to the engine of these settings, and back."""
    findings: list[EngineFinding] = []

    async def collect() -> None:
        async for each in _hops(settings, environ):
            findings.append(each)

    asyncio.run(collect())
    yield from findings


async def _hops(settings: DockerSettings, environ: Mapping[str, str]) -> AsyncIterator[EngineFinding]:
    try:
        where = resolve(settings.engine, environ)
    except NoEngine as error:
        said, _, advice = str(error).partition("\n")
        yield EngineFinding("engine", "fail", said, advice)
        return
    servers: list[asyncio.Server] = []

    async def listen(meeting: Meeting) -> int:
        server = await asyncio.start_server(lambda _, writer: writer.close(), meeting.listen, 0, ssl=meeting.tls)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    backend = DockerBackend(settings, listen=listen, environ=lambda: environ)
    try:
        async for each in _hops_of(backend, settings, where.is_elsewhere):
            yield each
    finally:
        await backend.close()
        for server in servers:
            server.close()


async def _hops_of(
    backend: DockerBackend, settings: DockerSettings, is_elsewhere: bool
) -> AsyncIterator[EngineFinding]:
    address = settings.engine
    try:
        client, engine = await backend.open()
    except ModelError as error:
        advice = f"See that `{_BY_HAND.format(address=address)}` works."
        yield EngineFinding("engine", "fail", error.summary, error.hint or advice)
        return
    yield EngineFinding("engine", "ok", f"{engine}, {engine.cgroups}")
    if not is_elsewhere:
        yield EngineFinding("way back", "ok", "its containers run on this machine")
        return
    (machine,) = backend.machines
    gpus = ", ".join(map(str, machine.accelerators)) or f"none: {machine.no_accelerators_because}"
    yield EngineFinding("machine", "ok", f"{machine.cpus:g} CPUs, {format_memory(machine.memory)}")
    yield EngineFinding("gpus there", "ok", gpus)
    try:
        image = await asyncio.to_thread(_image, client, settings.base_image.format(python_version=_PYTHON))
    except Exception as error:  # whatever the engine says of a registry
        said = " ".join(str(error).split())[:300]
        advice = "`docker login` there, or name another image with --docker-base-image."
        yield EngineFinding(
            "image", "fail", f"{engine.address} has none with Python, and fetched none: {said}", advice
        )
        return
    yield EngineFinding("image", "ok", image)
    try:
        way = await backend.find_way(image)
    except ModelError as error:
        tried = " ".join(str(error).removesuffix(error.hint).split())
        yield EngineFinding("way back", "fail", tried, error.hint)
        return
    assert way is not None
    yield EngineFinding("way back", "ok", f"{way.how}, over TLS")


def _image(client: DockerClient, base: str) -> str:
    """Return an image with Python that the engine has: a model's, else what generated ones begin with."""
    from docker.errors import ImageNotFound

    for each in client.api.images(filters={"label": [MODEL]}):
        for tag in each.get("RepoTags") or ():
            if tag != "<none>:<none>":
                return str(tag)
    with contextlib.suppress(ImageNotFound):
        client.api.inspect_image(base)
        return base
    client.images.pull(base)
    return base
