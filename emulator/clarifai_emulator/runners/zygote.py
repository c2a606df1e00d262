"""A warm parent that is a process of this machine (``zygote_main.py``): one for each Python environment."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.runners.output import OutputPipe
from clarifai_emulator.runners.warm_parent import WarmParent

SCRIPT = Path(__file__).with_name("zygote_main.py")


class Zygote(WarmParent):
    """A warm parent for one interpreter. ``start`` once, then ``fork`` as often as needed."""

    def __init__(self, python: Path, environ: Mapping[str, str]) -> None:
        super().__init__(str(python))
        self._python = python
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._is_started = False
        self._printed: deque[str] = deque(maxlen=50)
        self._output: OutputPipe | None = None

    async def start(self) -> None:
        """Start the process and wait until it has imported the SDK. Raises ``ModelError`` when it cannot."""
        if not self._is_started:
            self._is_started = True
            self._launch()
        await self.ready()

    def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A pipe of its own: what an import prints is for a log, and a child can take over only what is no file.
        output = self._output = OutputPipe(self._printed.append)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [self._python, SCRIPT, str(theirs.fileno())],
                    env=dict(self._environ),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=output.write_fd,
                    stderr=output.write_fd,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            output.close()
            self._fail(cannot_run(self._python, error))
            return
        output.give_away()
        self.attach(ours)

    def _stillborn(self, why: str) -> ModelError:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if self._output is not None:
            self._output.close()
        printed = "\n".join(self._printed)
        if code is not None and code < 0:
            return ModelError(
                f"{self._python} was ended by signal {-code} while it imported the Clarifai SDK.",
                hint="clarifai-protocol 0.0.60 and later crash on Python 3.13.0: install an older one, or set "
                'build_info.python_version in config.yaml to "3.12".',
                log=printed,
            )
        return ModelError(f"A model's interpreter could not be started: {why}.", log=printed)

    def _gone(self) -> None:
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._output is not None:
            self._output.close()


def cannot_run(python: Path, error: OSError) -> ModelError:
    """The interpreter of a model's environment is not there, or is none."""
    return ModelError(
        f"A model's interpreter could not be started: {python}: {error.strerror or error}.",
        hint="If its environment was removed, deploy the model again to build it anew.",
    )


def runner_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The part of this process's environment that a replica inherits: all but the user's own Clarifai settings."""
    inherited = {name: value for name, value in environ.items() if not name.startswith("CLARIFAI_")}
    for name in ("no_proxy", "NO_PROXY"):
        # The runner's gRPC would go through a proxy even to this machine.
        inherited[name] = ",".join(filter(None, [inherited.get(name), "127.0.0.1", "localhost"]))
    return inherited
