"""An emulator in the process of a command, for models that a developer stops at breakpoints in its terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from clarifai_emulator.control.running import Running, remove_state, state_dir

if TYPE_CHECKING:
    import asyncio

    from clarifai_emulator.control.service import Control


def has_terminal() -> bool:
    """Whether somebody could answer a debugger's prompt."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def emulator_here(arguments: Sequence[str]) -> Generator[Running]:
    """An emulator as ``up ARGUMENTS`` starts it, which other commands find, too. Raises ``Failure``."""
    from clarifai_emulator.cli.foreground import cannot_start, forget_account, publish, running_of, terminal_kept
    from clarifai_emulator.cli.up import config_of, up
    from clarifai_emulator.control.service import Control
    from clarifai_emulator.control.thread import EmulatorThread
    from clarifai_emulator.emulator import Emulator
    from clarifai_emulator.errors import EmulatorError

    options = dict(up.make_context("up", list(arguments)).params)
    for name in ("detach", "ready_fd", "tied_to_fd", "as_json"):
        options.pop(name)
    config = config_of(options)
    forget_account()
    controls: list[Control] = []

    def add_controls(emulator: Emulator) -> None:
        controls.append(Control(emulator))
        emulator.serve_too(controls[0].find)

    thread = EmulatorThread(config)
    thread.before_start(add_controls)
    try:
        thread.start()
    except EmulatorError as error:
        raise cannot_start(config, error) from None
    try:
        thread.run(lambda _: _end_when_told(controls[0]))
        os.environ["CLARIFAI_API_BASE"] = thread.url
        running = thread.run(lambda emulator: running_of(emulator, controls[0]))
        with terminal_kept():
            try:
                publish(state_dir(), running)
                yield running
            finally:
                remove_state(state_dir(), running.port, running.pid)
    finally:
        thread.stop()


_waiting: set[asyncio.Task[Any]] = set()


def _end_when_told(control: Control) -> None:
    """`down` in another terminal ends the command as SIGTERM does."""

    import asyncio

    async def wait() -> None:
        await control.stop_requested.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    _waiting.add(asyncio.get_running_loop().create_task(wait()))
