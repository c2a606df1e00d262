"""Starts an emulator as a process of its own and waits until it answers.

An emulator that is started for a single command is tied to it: the command holds the other end of a pipe, and the
emulator stops when that closes, however the command ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import Failure
from clarifai_emulator.control.running import Running, running_emulators

_LOG_LINES = 30
# Settings for the command that launches, not for what it launches.
_OURS = frozenset(
    {
        "CLARIFAI_EMULATOR_DETACH",
        "CLARIFAI_EMULATOR_JSON",
        "CLARIFAI_EMULATOR_READY_FD",
        "CLARIFAI_EMULATOR_TIED_TO_FD",
    }
)


@dataclass(frozen=True, slots=True)
class Launched:
    """An emulator that answers, with its log file and its process."""

    running: Running
    log_file: Path
    process: subprocess.Popen[bytes]


def launch(
    arguments: Sequence[str], folder: Path, *, environ: Mapping[str, str] = os.environ, is_tied: bool = False
) -> Launched:
    """Start ``clarifai-emulator up ARGUMENTS``, with its state file in ``folder`` and its output in the log file.

    The emulator outlives this process unless it ``is_tied`` to it. Raises ``Failure`` with the last lines of output
    when the emulator does not start; interrupted while it starts, no emulator is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f"emulator-starting-{os.getpid()}.log"
    process: subprocess.Popen[bytes] | None = None
    try:
        with held_back():
            ready, process = _begin(arguments, draft, environ, is_tied=is_tied)
        with open(ready, encoding="utf-8") as pipe:
            answer = pipe.read()
        if not answer:
            raise _did_not_start(process, draft)
        port = int(json.loads(answer)["port"])
        log_file = draft.rename(folder / f"emulator-{port}.log")
        running = next((each for each in running_emulators(folder) if each.port == port), None)
        if running is None:
            raise _did_not_start(process, log_file)
        return Launched(running, log_file, process)
    except KeyboardInterrupt:
        if process is not None:
            process.terminate()
            process.wait()
        draft.unlink(missing_ok=True)
        raise


def _begin(
    arguments: Sequence[str], draft: Path, environ: Mapping[str, str], *, is_tied: bool
) -> tuple[int, subprocess.Popen[bytes]]:
    """Start the process; return the pipe over which it says where it answers, and the process."""
    ready, told = os.pipe()
    command = [sys.executable, "-m", "clarifai_emulator", "up", *arguments, "--ready-fd", str(told)]
    theirs = [told]
    if is_tied:
        # This end stays open as long as this process, and no child of it gets it.
        tie, _ = os.pipe()
        theirs.append(tie)
        command += ["--tied-to-fd", str(tie)]
    with draft.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in environ.items() if name not in _OURS},
            pass_fds=theirs,
            start_new_session=True,
        )
    for fd in theirs:
        os.close(fd)
    return ready, process


def _did_not_start(process: subprocess.Popen[bytes], log: Path) -> Failure:
    code = process.wait()
    printed = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    log.unlink(missing_ok=True)
    if printed and printed[0].startswith("Error: "):
        hints = [line.removeprefix("Next: ") for line in printed if line.startswith("Next: ")]
        message = [line for line in printed if not line.startswith("Next: ")]
        return Failure("\n".join(message).removeprefix("Error: "), hint=" ".join(hints))
    return Failure(
        f"The emulator ended with exit code {code} before it answered.",
        log="\n".join(printed),
        hint="Start it without --detach to see all of it.",
    )
