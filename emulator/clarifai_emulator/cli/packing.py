"""Packs a model directory into an archive, to send it to an emulator on another machine or in a container."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import IO

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.directory import part_files, require_directory

# Not the model's code, but what its image is built from.
_BUILD_FILES = ("Dockerfile", ".dockerignore")


def packed(directory: Path) -> IO[bytes]:
    """Pack the files that belong to a model as a tar archive; the same files give the same bytes. Links are
    followed. Raises ``Failure``."""
    try:
        require_directory(directory)
    except ModelError as error:
        raise Failure(error.summary, hint=error.hint) from None
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
            entry.type = tarfile.REGTYPE  # pack a hard link as a file of its own
            tar.addfile(entry, file)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", hint="Make it readable, or remove it.") from None
