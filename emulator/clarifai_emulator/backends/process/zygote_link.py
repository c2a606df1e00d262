"""Runs a warm parent as a process of this machine (``zygote_main.py``): one for each Python environment."""

from __future__ import annotations

import contextlib
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from clarifai_emulator.backends.process.parent import Parent, launch
from clarifai_emulator.backends.process.warm_parent import BEAT_SECONDS, WarmParent
from clarifai_emulator.backends.replica_output import OutputPipe
from clarifai_emulator.errors import ModelError
from clarifai_emulator.machine.processes import end_tree, is_stopped

# A keeper ends everything that it keeps within milliseconds of its socket's closing.
_END_SECONDS = 5.0


class Zygote(WarmParent):
    """A warm parent for one interpreter. ``start`` once, then ``fork`` as often as needed. ``launched``: it has a
    process already. ``beat``: see ``WarmParent``."""

    def __init__(
        self,
        python: Path,
        environ: Mapping[str, str],
        launched: Parent | None = None,
        *,
        beat: float = BEAT_SECONDS,
    ) -> None:
        super().__init__(str(python), beat=beat)
        self._python = python
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._is_started = launched is not None
        self._printed: deque[str] = deque(maxlen=50)
        self._output: OutputPipe | None = None
        if launched is not None:
            self._take(launched)

    async def start(self) -> None:
        """Start the process and wait until it has imported the SDK. Raises ``ModelError`` when it cannot."""
        if not self._is_started:
            self._is_started = True
            self._launch()
        await self.ready()

    def close(self) -> None:
        """End it and all its children; one that still imports would not notice for seconds."""
        if self._process is not None and not self.is_ready:
            self._process.kill()
        super().close()

    def _launch(self) -> None:
        try:
            self._take(launch(self._python, self._environ))
        except OSError as error:
            self._fail(cannot_run(self._python, error))

    def _take(self, parent: Parent) -> None:
        self._process = parent.process
        self._output = OutputPipe(self._printed.append, parent.output_fd)
        self.attach(parent.control)

    def _stillborn(self, why: str) -> ModelError:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        code = self._process.returncode
        if self._output is not None:
            self._output.close()
        printed = "\n".join(self._printed)
        if code is not None and code < 0:
            hint = (
                "clarifai-protocol 0.0.60 and later crash on Python 3.13.0: install an older one, or set "
                'build_info.python_version in config.yaml to "3.12".'
            )
            if "PYTHONDEVMODE" in self._environ:
                hint = "With PYTHONDEVMODE compiled parts of the SDK crash: leave it out of --env."
            return ModelError(
                f"{self._python} was ended by signal {-code} while it imported the Clarifai SDK.",
                hint=hint,
                log=printed,
            )
        return ModelError(f"A model's interpreter could not be started: {why}.", log=printed)

    def _is_stopped(self) -> bool:
        return self._process is not None and is_stopped(self._process.pid)

    def _end_by_force(self) -> None:
        if self._process is not None and self._process.poll() is None:
            end_tree(self._process.pid)

    def _gone(self) -> None:
        if self._is_stopped() or not self._ends_within(_END_SECONDS):
            self._end_by_force()
            self._ends_within(_END_SECONDS)
        if self._output is not None:
            self._output.close()

    def _ends_within(self, seconds: float) -> bool:
        if self._process is not None:
            try:
                self._process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                return False
        return True


def cannot_run(python: Path, error: OSError) -> ModelError:
    """The interpreter of a model's environment is not there, or is none."""
    return ModelError(
        f"A model's interpreter could not be started: {python}: {error.strerror or error}.",
        hint="If its environment was removed, deploy the model again to build it anew.",
    )
