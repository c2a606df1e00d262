"""Describes the machine of an engine elsewhere: its CPUs and memory, as the engine says, and its accelerators.

An engine lists no GPUs. Whether it can pass any on, it says when a container asks for them; which they are,
``nvidia-smi`` says in such a container. All of it blocks.
"""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.docker.container import device_request
from clarifai_emulator.backends.docker.engine import Engine
from clarifai_emulator.backends.docker.labels import INSTANCE
from clarifai_emulator.backends.docker.leftovers import remove_container
from clarifai_emulator.machine.accelerators import Discovery, discover
from clarifai_emulator.machine.machine import Machine

if TYPE_CHECKING:
    from docker import DockerClient

_ALL = ("all",)
_NOTHING = "clarifai-emulator/nothing"
_NO_DRIVER = re.compile(r"could not select device driver|CDI|unresolvable", re.IGNORECASE)
_PYTHON = "3.12"
_SECONDS = 60


def machine_of(engine: Engine, found: Discovery) -> Machine:
    """Describe the machine that an engine is on; its id is the engine's address."""
    return Machine(cpus=float(engine.cpus), memory=engine.memory, id=engine.address).having(found)


def accelerators_of(client: DockerClient, engine: Engine, base_image: str, instance: str) -> Discovery:
    """Find out which accelerators the containers of an engine can have; the reason where there are none."""
    from docker.errors import APIError

    try:
        refusal = _refusal(client, engine, instance)
        if refusal:
            return Discovery((), f"the engine at {engine.address} passes no GPU on: {refusal}")
        image = _image(client, base_image.format(python_version=_PYTHON))
        found = discover(run=lambda command: _run(client, engine, image, instance, command))
    except (APIError, OSError) as error:  # as requests' exceptions are
        said = " ".join(str(getattr(error, "explanation", "") or error).split())
        return Discovery((), f"the GPUs of the engine at {engine.address} cannot be listed: {said[:300]}")
    return Discovery(found.accelerators, found.reason and f"at the engine {engine.address}, {found.reason}")


def _refusal(client: DockerClient, engine: Engine, instance: str) -> str:
    """Why the engine gives no container a GPU; empty where it would. Asks with an image that has nothing in it."""
    from docker.errors import APIError

    nothing = io.BytesIO()
    with tarfile.open(fileobj=nothing, mode="w"):
        pass
    client.api.import_image_from_data(nothing.getvalue(), repository=_NOTHING, tag="latest")
    container = _create(client, engine, f"{_NOTHING}:latest", instance, ["nothing"])
    try:
        client.api.start(container)
    except APIError as error:
        said = " ".join(str(error.explanation or error).split())
        return said if _NO_DRIVER.search(said) else ""
    finally:
        remove_container(client, container)
    return ""


def _image(client: DockerClient, name: str) -> str:
    """See to it that the engine has the image that generated ones begin with."""
    from docker.errors import ImageNotFound

    with contextlib.suppress(ImageNotFound):
        client.api.inspect_image(name)
        return name
    client.images.pull(name)
    return name


def _run(client: DockerClient, engine: Engine, image: str, instance: str, command: Sequence[str]) -> str:
    """Return what a command prints in a container with every GPU. Raises ``FileNotFoundError`` where there is no
    such command."""
    from docker.errors import APIError

    container = _create(client, engine, image, instance, command)
    try:
        client.api.start(container)
        client.api.wait(container, timeout=_SECONDS)
        return client.api.logs(container, stderr=False).decode("utf-8", "replace")
    except APIError as error:
        if "executable file not found" in str(error.explanation or error):
            raise FileNotFoundError(command[0]) from None
        raise
    finally:
        remove_container(client, container)


def _create(client: DockerClient, engine: Engine, image: str, instance: str, command: Sequence[str]) -> str:
    arguments: dict[str, Any] = {"device_requests": [device_request(_ALL, engine)], "network_mode": "none"}
    host: Mapping[str, Any] = client.api.create_host_config(**arguments, cap_drop=["ALL"])
    made = client.api.create_container(
        image,
        entrypoint=list(command[:1]),
        command=list(command[1:]),
        labels={INSTANCE: instance},
        host_config=host,
    )
    return str(made["Id"])
