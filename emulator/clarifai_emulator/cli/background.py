"""Starts an emulator as a process of its own and waits until it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.state import Running, running_emulators

_LOG_LINES = 30
# Settings for the command that launches, not for what it launches.
_OURS = frozenset({"CLARIFAI_EMULATOR_DETACH", "CLARIFAI_EMULATOR_JSON", "CLARIFAI_EMULATOR_READY_FD"})


def launch(
    arguments: Sequence[str], folder: Path, *, environ: Mapping[str, str] = os.environ
) -> tuple[Running, Path, subprocess.Popen[bytes]]:
    """Start ``clarifai-emulator up ARGUMENTS``; its state file is in ``folder``, its output in the log file.

    Returns where it is, the log file and the process, which lives on when this one ends. Raises ``Failure``
    with its last lines when it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f"emulator-starting-{os.getpid()}.log"
    ready, told = os.pipe()
    command = [sys.executable, "-m", "clarifai_emulator", "up", *arguments, "--ready-fd", str(told)]
    with draft.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in environ.items() if name not in _OURS},
            pass_fds=[told],
            start_new_session=True,
        )
    os.close(told)
    with open(ready, encoding="utf-8") as pipe:
        answer = pipe.read()
    if not answer:
        raise _did_not_start(process, draft)
    port = int(json.loads(answer)["port"])
    log_file = draft.rename(folder / f"emulator-{port}.log")
    running = next((each for each in running_emulators(folder) if each.port == port), None)
    if running is None:
        raise _did_not_start(process, log_file)
    return running, log_file, process


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
