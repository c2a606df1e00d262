"""Deploys a directory of this machine: by its path if the emulator runs here, else by sending it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.control.client import Client

_CHUNK_BYTES = 1024 * 1024


def deploy_on(
    client: Client, on_answer: Callable[[dict[str, Any]], None], request: dict[str, Any]
) -> dict[str, Any]:
    """Ask for a deployment; ``path`` of the request is a directory of this machine. Raises ``Failure``."""
    if client.running.is_here:
        return client.result("Deploy", on_answer, **request)
    from clarifai_emulator.cli.packing import packed

    directory = Path(request["path"])
    with packed(directory) as archive:
        size = archive.seek(0, 2)
        archive.seek(0)
        on_answer({"progress": f"sending {directory} to {client.running.url} ({size / 1e6:.1f} MB)"})
        named = {**request, "path": directory.name}
        pieces = iter(lambda: archive.read(_CHUNK_BYTES), b"")
        return client.result_of(client.answers_to("DeployArchive", named, pieces), on_answer)


def refuse_elsewhere(client: Client, command: str, why: str) -> None:
    """Raise ``Failure`` for a command that works beside the emulator only, if the emulator is elsewhere."""
    if not client.running.is_here:
        raise Failure(
            f"`{command}` works where the emulator runs, and {client.running.url} is elsewhere: {why}.",
            hint=f"Run it there (`docker exec -it CONTAINER clarifai-emulator {command} DIR`), or send each state "
            "of the directory with `clarifai-emulator deploy DIR`.",
        )
