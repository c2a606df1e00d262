"""Starts the process that becomes a warm parent (``zygote_main.py``). Needs no event loop and imports next to
nothing, so that one can begin with it: the parent imports the SDK while the emulator is still being imported.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.backends.replica_environ import runner_environ

SCRIPT = Path(__file__).parents[2] / "inside" / "zygote_main.py"
# The address for the SDK where there is no emulator: nobody listens there, which a client is told at once.
NOWHERE = "http://127.0.0.1:9"


@dataclass(slots=True)
class Parent:
    """A process that imports the SDK. ``control`` is this end of its socket, ``output_fd`` of what it prints."""

    python: Path
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes]
    control: socket.socket
    output_fd: int
    is_taken: bool = False

    def take(self) -> Parent:
        """Hand it to whoever ends it from now on."""
        self.is_taken = True
        return self

    def close(self) -> None:
        """End it, where no backend has taken it."""
        self.control.close()
        os.close(self.output_fd)
        self.process.kill()
        self.process.wait()


def launch_early(
    base_url: str,
    start_method: str = "auto",
    environ: Mapping[str, str] = os.environ,
    wanted: Sequence[str] = (),
) -> Parent | None:
    """Start the one that replicas of this Python environment will have, before their emulator is there. None where
    they are not forked, and on a single core, where the two would only share it. ``wanted``: variables that
    replicas get beside those that all of them do."""
    if not forks(start_method) or (os.cpu_count() or 1) == 1:
        return None
    return launch(Path(sys.executable), parent_environ(base_url, environ, wanted))


def launch(python: Path, environ: Mapping[str, str]) -> Parent:
    """Start it; it ends when its socket closes. Raises ``OSError`` when there is no such interpreter."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    # A pipe of its own: what an import prints is for a log, and a child can take over only what is no file.
    output_fd, write_fd = os.pipe()
    try:
        process = subprocess.Popen(
            [
                python,
                "-u",
                SCRIPT,
                str(theirs.fileno()),
            ],  # unbuffered, as containers are: os._exit() flushes nothing
            env=dict(environ),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=write_fd,
            stderr=write_fd,
            start_new_session=True,
        )
    except OSError:
        ours.close()
        os.close(output_fd)
        raise
    finally:
        theirs.close()
        os.close(write_fd)
    return Parent(python, environ, process, ours, output_fd)


def forks(start_method: str) -> bool:
    """Tell whether replicas are forked from a parent: where a fork is safe, or asked for."""
    return start_method == "fork" or (start_method == "auto" and sys.platform.startswith("linux"))


def parent_environ(api_base: str, environ: Mapping[str, str], wanted: Sequence[str] = ()) -> dict[str, str]:
    """Return the environment of the parent of an emulator's replicas; the SDK keeps the base URL that it is
    imported with."""
    return {**runner_environ(environ, wanted), "CLARIFAI_API_BASE": api_base}
