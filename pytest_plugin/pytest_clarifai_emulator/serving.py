"""The emulator of one pytest process: starts when a test first asks for it, is emptied after each test."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

from clarifai_emulator.clock import TurnableClock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control import Control
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.thread import EmulatorThread
from pytest_clarifai_emulator.account import Clarifai
from pytest_clarifai_emulator.calls import CallLog
from pytest_clarifai_emulator.environment import USER_ID
from pytest_clarifai_emulator.gpu import simulated
from pytest_clarifai_emulator.settings import Settings

_STOP_SECONDS = 0.2


@dataclass(slots=True)
class Serving:
    """A running emulator, and what the plugin adds to it."""

    thread: EmulatorThread
    clock: TurnableClock
    log: CallLog
    control_token: str = ""  # where the command line may reach it, too
    current: Clarifai | None = None  # the account of the test that runs, or ran last
    emptied_at: int = -1  # the number of the last event then

    def account(self) -> Clarifai:
        """An account for one test."""
        self.current = Clarifai(self.thread, self.clock, self.log)
        return self.current

    def empty(self) -> None:
        """Forget what the test did; models that are idle stay loaded."""
        if self.emptied_at == self.thread.run(_last_event):
            return
        self.clock.ahead = 0.0
        self.thread.reset(keep_warm=True)
        self.log.clear()
        self.emptied_at = self.thread.run(_last_event)


@contextlib.contextmanager
def serving(settings: Settings, port: int) -> Generator[Serving]:
    """An emulator at this port. Raises ``ConfigError``."""
    clock, log = TurnableClock(), CallLog()
    config = EmulatorConfig(
        port=port,
        user_id=USER_ID,
        stop_seconds=_STOP_SECONDS,
        hold_seconds=settings.hold_seconds,
        backend=settings.backend,  # pyright: ignore[reportArgumentType] - a name it does not know, it refuses
        runner=settings.runner,  # pyright: ignore[reportArgumentType]
        topology=settings.topology,
        contract="off" if settings.contract == "off" else "record",
    )
    discovery = simulated(settings.gpus) if settings.gpus is not None else None
    thread = EmulatorThread(config, clock=clock, discovery=discovery)
    thread.before_start(log.listen)
    controls: list[Control] = []
    if settings.keep:
        thread.before_start(lambda emulator: controls.append(_with_controls(emulator)))
    with thread:
        yield Serving(thread, clock, log, controls[0].token if controls else "")


def _last_event(emulator: Emulator) -> int:
    return emulator.events.last_seq


def _with_controls(emulator: Emulator) -> Control:
    """Let the command line reach the emulator."""
    control = Control(emulator)
    emulator.serve_too(control.find)
    return control
