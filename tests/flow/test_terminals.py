"""Output of commands fits the terminal: no table breaks a word, at 60 columns and more."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from flow.processes import EmulatorProcess, emulator_process, environment
from flow.shown import Shown


def shown(width: int, folder: Path, *words: str) -> list[str]:
    """Return the lines that a command shows in a terminal this wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environ = environment(XDG_STATE_HOME=str(folder / "state"), NO_COLOR="1", TERM="dumb")
    environ.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", *words], env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    output = Shown(ours)
    while output.read_on():
        pass
    output.close()
    assert process.wait(30) == 0, output.rest
    return output.rest.replace("\r\n", "\n").splitlines()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmulatorProcess, Path]]:
    folder = tmp_path_factory.mktemp("terminals")
    with emulator_process(folder, "hello") as emulator:
        emulator.client().close()
        yield emulator, folder


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit_the_terminal(running: tuple[EmulatorProcess, Path], width: int) -> None:
    emulator, folder = running
    port = ["--port", str(emulator.port)]
    for words in (["status", *port], ["route", "hello", *port], ["contract", "rules"]):
        lines = shown(width, folder, *words)
        assert lines
        assert all(len(line) <= width for line in lines), (words, lines)
    assert any("deploy-hello" in line for line in shown(width, folder, "status", *port))
