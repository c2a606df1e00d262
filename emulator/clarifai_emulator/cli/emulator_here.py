"""Runs an emulator in the process of a command, so that breakpoints of models have its terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from clarifai_emulator.control.running import Running, remove_state, run_dir

if TYPE_CHECKING:
    import asyncio

    from clarifai_emulator.control.service import Control


def has_terminal() -> bool:
    """Tell whether somebody could answer a debugger's prompt."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def emulator_here(arguments: Sequence[str]) -> Generator[Running]:
    """Run an emulator as ``up ARGUMENTS`` starts it; other commands find it, too. Raises ``Failure``."""
    from clarifai_emulator.cli.foreground import cannot_start, forget_account, publish, running_of, terminal_kept
    from clarifai_emulator.cli.up import config_of, up
    from clarifai_emulator.control.page.page_mount import page_mount
    from clarifai_emulator.control.service import Control
    from clarifai_emulator.control.thread import EmulatorThread
    from clarifai_emulator.emulator import Emulator
    from clarifai_emulator.errors import EmulatorError

    options = dict(up.make_context("up", list(arguments)).params)
    for name in ("detach", "ready_fd", "tied_to_fd", "as_json", "opens_page"):
        options.pop(name)
    has_page = options.pop("page")
    config = config_of(options)
    forget_account(config)
    controls: list[Control] = []

    def add_controls(emulator: Emulator) -> None:
        controls.append(Control(emulator))
        emulator.mount(controls[0].mount(), *([page_mount(emulator, controls[0].token)] if has_page else []))

    thread = EmulatorThread(config)
    thread.before_start(add_controls)
    try:
        thread.start()
    except EmulatorError as error:
        raise cannot_start(config, error) from None
    try:
        thread.run(lambda _: _end_when_told(controls[0]))
        os.environ["CLARIFAI_API_BASE"] = thread.url
        running = thread.run(lambda emulator: running_of(emulator, controls[0], has_page=has_page))
        with terminal_kept():
            try:
                publish(run_dir(), running)
                yield running
            finally:
                remove_state(run_dir(), running.port, running.pid)
    finally:
        thread.stop()


_waiting: set[asyncio.Task[Any]] = set()


def _end_when_told(control: Control) -> None:
    """End the command as SIGTERM does once `down` is called in another terminal."""

    from clarifai_emulator.background_work import begin, nobody_waits

    async def wait() -> None:
        await control.stop_requested.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    _waiting.add(begin(wait(), "wait for `down`", nobody_waits))
