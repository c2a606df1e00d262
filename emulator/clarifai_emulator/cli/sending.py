"""Deploys a directory of this machine: by its path where the emulator runs here, else by sending it."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from clarifai_emulator.cli.client import Client
from clarifai_emulator.cli.output import Failure

_CHUNK_BYTES = 1024 * 1024
# Not the model's code, but what its image is built from.
_BUILD_FILES = ("Dockerfile", ".dockerignore")


def deploy_on(
    client: Client, on_answer: Callable[[dict[str, Any]], None], request: dict[str, Any]
) -> dict[str, Any]:
    """Ask for a deployment; ``path`` of the request is a directory of this machine. Raises ``Failure``."""
    if client.running.is_here:
        return client.result("Deploy", on_answer, **request)
    directory = Path(request["path"])
    with packed(directory) as archive:
        size = archive.seek(0, 2)
        archive.seek(0)
        on_answer({"progress": f"sending {directory} to {client.running.url} ({size / 1e6:.1f} MB)"})
        named = {**request, "path": directory.name}
        pieces = iter(lambda: archive.read(_CHUNK_BYTES), b"")
        return client.result_of(client.answers_to("DeployArchive", named, pieces), on_answer)


def packed(directory: Path) -> IO[bytes]:
    """A tar archive of the files that belong to a model; the same files are the same bytes. Links are followed.
    Raises ``Failure``."""
    from clarifai_emulator.models.directory import part_files

    if not directory.is_dir():
        kind = "is not a directory" if directory.exists() else "does not exist"
        raise Failure(
            f"The model directory {directory} {kind}.",
            hint="Check the path; a model directory holds config.yaml, requirements.txt and 1/model.py.",
        )
    extra = [Path(name) for name in _BUILD_FILES if (directory / name).is_file()]
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with tarfile.open(fileobj=archive, mode="w", dereference=True, format=tarfile.PAX_FORMAT) as tar:
            for name in sorted({*map(Path, part_files(directory)), *extra}):
                _add(tar, directory, name)
    except BaseException:
        archive.close()
        raise
    return archive


def _add(tar: tarfile.TarFile, directory: Path, name: Path) -> None:
    path = directory / name
    if not path.is_file():  # a socket, a pipe, a link to nothing: no part of a model
        return
    try:
        with path.open("rb") as file:
            entry = tar.gettarinfo(arcname=name.as_posix(), fileobj=file)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            entry.type = tarfile.REGTYPE  # one that has several names on the disk is not a link to the first
            tar.addfile(entry, file)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", hint="Make it readable, or remove it.") from None


def refuse_elsewhere(client: Client, command: str, why: str) -> None:
    """Raise ``Failure`` for a command that works beside the emulator only."""
    if not client.running.is_here:
        raise Failure(
            f"`{command}` works where the emulator runs, and {client.running.url} is elsewhere: {why}.",
            hint=f"Run it there (`docker exec -it CONTAINER clarifai-emulator {command} DIR`), or send each state "
            "of the directory with `clarifai-emulator deploy DIR`.",
        )
