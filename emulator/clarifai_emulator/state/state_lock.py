"""Holds a state directory as SQLite does, without SQLite: it would open the file, which may be damaged."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.state.state_schema import FILE

# The bytes that SQLite locks in each of its files (its file format has them at 1 GiB).
_FIRST, _NUMBER = 0x40000000, 512
_FLOCK = struct.Struct("hhqqi4x")


@contextmanager
def held(directory: Path) -> Generator[None]:
    """Keep every emulator from using the state for a block. Raises ``ConfigError`` where one does."""
    path = directory / FILE
    if not path.is_file():
        yield
        return
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be opened: {error.strerror}.", [], hint="Run this as the user who may write there."
        ) from None
    try:
        # Unlike other locks of POSIX, this kind stays when another descriptor of the file is closed.
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _FIRST, _NUMBER, 0)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
        except OSError:
            raise ConfigError(
                f"The state in {directory} is in use by an emulator.",
                [],
                hint="Stop it first: `clarifai-emulator down`.",
            ) from None
        yield
    finally:
        os.close(descriptor)
