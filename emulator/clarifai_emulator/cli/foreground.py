"""Runs one emulator until it is told to stop: says where it is, prints what happens, leaves nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.backends import own_output
from clarifai_emulator.backends.debugging.prompt_holds import while_held
from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.background_work import begin, beside, nobody_waits
from clarifai_emulator.cli.event_lines import EventLines
from clarifai_emulator.cli.interruption import Interrupted, ending_signals
from clarifai_emulator.cli.line_writer import LineWriter
from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.stop_limit import StopLimit
from clarifai_emulator.config import EmulatorConfig, default_run_dir
from clarifai_emulator.control.page.page_address import page_address
from clarifai_emulator.control.page.page_mount import page_mount
from clarifai_emulator.control.running import (
    Running,
    remove_state,
    running_emulators,
    write_state,
)
from clarifai_emulator.control.service import Control
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import ConfigError, EmulatorError, ModelError
from clarifai_emulator.events import Event
from clarifai_emulator.machine.processes import has_ended

# A request leaves little to collect, which need not be looked for after every few of them.
_COLLECT_AFTER = (10_000, 10, 10)
# What `up` listens without, and imports soon after.
_AHEAD = (
    *("control.answering", "deploy_half", "nodepools.loaded_code"),
    *("contracts.values.runtime", "api.handlers.inference", "api.call_text", "api.handlers.told_models"),
)
_READY_AFTER_SECONDS = 0.02
# Events are printed this often, and so many at once.
_EVERY_SECONDS = 0.03
_EVENTS_AT_ONCE = 200
# So long a stop may take beyond what replicas are given for theirs.
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class PageWishes:
    """Says whether browsers may look at the emulator, and whether one is opened for it."""

    is_served: bool = False
    is_opened: bool = False


_NO_PAGE = PageWishes()


def serve(
    config: EmulatorConfig,
    *,
    parent: Parent | None,
    as_json: bool,
    ready_fd: int | None,
    token: str = "",
    tied_to_fd: int | None = None,
    page: PageWishes = _NO_PAGE,
) -> None:
    """Run the emulator; return when it has stopped. ``parent``: of the replicas. ``ready_fd`` is told, as JSON,
    where the emulator is. ``token``: of its controls; empty to make one. The emulator stops, too, when the other
    end of ``tied_to_fd`` is closed. ``page``: whether a browser may look at it. Raises ``Failure``."""
    limit = StopLimit(config.stop_seconds + _STOP_SECONDS)
    try:
        asyncio.run(_serve(config, parent, _Output(as_json), ready_fd, tied_to_fd, token, limit, page))
    finally:
        limit.end()


class _Output:
    """The output of ``up``: readable lines, or one JSON object a line.

    Events are put into words some at a time, and some hundredths of a second later: then a request has not waited
    for it, and the thread that writes wakes once for all of them.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._writer = LineWriter(colour=False if as_json else None)
        self._lines = EventLines()
        self._waiting: deque[Event] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def event(self, event: Event) -> None:
        """Print an event soon: not before the client it is about has its answer."""
        self._waiting.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_SECONDS, self._print_some)

    def _print_some(self) -> None:
        """Print the oldest of the events that wait; a request that has come meanwhile need not wait for all."""
        self._print(_EVENTS_AT_ONCE)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(0, self._print_some) if self._waiting else None

    def _print(self, most: int) -> None:
        lines = (self._line(self._waiting.popleft()) for _ in range(min(most, len(self._waiting))))
        self._writer.write(*filter(None, lines))

    def _line(self, event: Event) -> str | None:
        if self.as_json:
            return json.dumps(event.as_dict())
        return self._lines.line(event.as_dict()) if self._lines.wants(event.kind) else None

    def flush(self) -> None:
        """Print every event that waits."""
        self._print(len(self._waiting))

    def say(self, text: str) -> None:
        self.flush()
        if not self.as_json:
            self._writer.write(text)

    def tell(self, kind: str, **fields: Any) -> None:
        self.flush()
        if self.as_json:
            self._writer.write(json.dumps({"kind": kind, "time": round(time.time(), 6), **fields}))

    def held(self) -> AbstractContextManager[None]:
        return self._writer.held()

    def close(self) -> None:
        self.flush()
        self._writer.close()


class _Stop:
    """The request that the emulator stops, and the first signal that made it. ``limit`` begins with it."""

    def __init__(self, tied_to_fd: int | None, limit: StopLimit) -> None:
        self.wanted = asyncio.Event()
        self.number = 0
        self._limit = limit
        loop = asyncio.get_running_loop()
        for number in ending_signals():
            loop.add_signal_handler(number, self._came, number)
            # The limit holds while the event loop is busy, too.
            signal.signal(number, self._came_at_all)
            signal.siginterrupt(number, False)
        if tied_to_fd is not None:
            loop.add_reader(tied_to_fd, self._closed, tied_to_fd)

    def _came_at_all(self, number: int, frame: object) -> None:
        self._limit.begin()

    def _came(self, number: int) -> None:
        self.number = self.number or number
        self._ask()

    def _closed(self, fd: int) -> None:
        """Ask the emulator to stop, because the process that started it is gone."""
        asyncio.get_running_loop().remove_reader(fd)
        self._ask()

    def _ask(self) -> None:
        self._limit.begin()
        self.wanted.set()


async def _serve(
    config: EmulatorConfig,
    parent: Parent | None,
    output: _Output,
    ready_fd: int | None,
    tied_to_fd: int | None,
    token: str,
    limit: StopLimit,
    page: PageWishes,
) -> None:
    stop = _Stop(tied_to_fd, limit)
    if abilities_of(config.backend).isolation == "thread":
        own_output.take_over()
    forget_account(config)
    try:
        emulator = Emulator(config, parent=parent)
    except EmulatorError as error:
        output.close()
        raise cannot_start(config, error) from None
    control = Control(emulator, token=token)
    emulator.mount(control.mount(), *([page_mount(emulator, control.token)] if page.is_served else []))
    with _log_lines(output), while_held(output.held), terminal_kept():
        try:
            await _start(emulator, stop)
        except EmulatorError as error:
            output.close()
            raise cannot_start(config, error) from None
        os.environ["CLARIFAI_API_BASE"] = emulator.url  # for models that run in this process
        if abilities_of(config.backend).isolation == "thread":  # and for threads that they start themselves
            os.environ.setdefault("CLARIFAI_PAT", emulator.issue_pat_of_threads())
        emulator.events.subscribe(output.event)
        folder = config.run_dir or default_run_dir()
        running = running_of(emulator, control, has_page=page.is_served)
        try:
            path = publish(folder, running)
            _announce(emulator, running, path, output)
            if page.is_opened:
                begin(asyncio.to_thread(_open_page, running), "opening of the page", nobody_waits)
            _report_ready(ready_fd, running)
            await _until_stopped(emulator, stop.wanted, control.stop_requested)
        finally:
            limit.begin()
            await _stop(emulator, output)
            remove_state(folder, running.port, running.pid)
            output.close()


def forget_account(config: EmulatorConfig) -> None:
    """Remove the user's account on the real platform from the environment: models may run in this process, and the
    account is not theirs. What ``--env`` names is."""
    for name in [each for each in os.environ if each.startswith("CLARIFAI_")]:
        if not name.startswith("CLARIFAI_EMULATOR_") and name not in config.env:
            del os.environ[name]


async def _start(emulator: Emulator, stop: _Stop) -> None:
    """Start, unless a signal comes first: a topology may take long."""
    start = beside(emulator.start())
    stopped = beside(stop.wanted.wait())
    await asyncio.wait([start, stopped], return_when=asyncio.FIRST_COMPLETED)
    if not start.done():
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        raise Interrupted("The emulator had not started yet. Nothing is left running.", number=stop.number)
    stopped.cancel()
    await start


async def _until_stopped(emulator: Emulator, *reasons: asyncio.Event) -> None:
    """Wait for the first reason to stop; meanwhile get ready for the first deployment."""
    _freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    gc.enable()
    getting_ready = begin(_get_ready(emulator), "import of the SDK ahead of the first deployment", nobody_waits)
    waits = [beside(reason.wait()) for reason in reasons]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in (getting_ready, *waits):
        task.cancel()


async def _get_ready(emulator: Emulator) -> None:
    """Get ready for the first deployment, once whoever waited for the emulator to listen has an answer."""
    await asyncio.sleep(_READY_AFTER_SECONDS)
    await asyncio.gather(emulator.warm_up(), _import_ahead())


async def _import_ahead() -> None:
    """Import, in a thread, what the first deployment and the first prediction need: requests go on meanwhile."""
    for name in _AHEAD:
        await asyncio.to_thread(importlib.import_module, f"clarifai_emulator.{name}")
    _freeze()


def _freeze() -> None:
    """Take what was imported from the garbage collector: to look at all of it would hold requests up for 50 ms."""
    gc.freeze()


async def _stop(emulator: Emulator, output: _Output) -> None:
    pids = [pid for pid in _replica_pids(emulator) if pid not in (0, os.getpid())]  # in process: of its own
    output.say(f"Stopping{f': ending {_count(len(pids))}' if pids else ''} …")
    await emulator.stop()
    left = [pid for pid in pids if not has_ended(pid)]
    if left:
        output.say(
            f"Stopped, but these processes are still there: {', '.join(map(str, left))}; end them with kill."
        )
    else:
        output.say(f"Stopped. Nothing is left running, port {emulator.port} is free.")
    output.tell("emulator.stopped", replicas_ended=len(pids), left_running=left)


def _open_page(running: Running) -> None:
    from clarifai_emulator.cli.page import open_page

    if not open_page(running):
        logging.getLogger(__name__).warning("No browser could be opened; the page's address is above.")


def running_of(emulator: Emulator, control: Control, *, has_page: bool = False) -> Running:
    """Describe how commands find and control this emulator: for its state file and ``control``'s answers."""
    running = Running(
        url=emulator.url,
        pid=os.getpid(),
        token=control.token,
        user_id=emulator.config.user_id,
        port=emulator.port,
        started=time.time(),
        pat=emulator.pat,
        run=emulator.run_id,
        page=has_page,
    )
    control.introduce({name: value for name, value in asdict(running).items() if name != "token"})
    return running


def publish(folder: Path, running: Running) -> Path:
    """Write the state file, so that commands find the emulator. Raises ``Failure``."""
    try:
        return write_state(folder, running)
    except OSError as error:
        raise Failure(
            f"The state file cannot be written to {folder}: {error.strerror or error}.",
            hint="Set XDG_STATE_HOME to a folder that can be written.",
        ) from None


def _announce(emulator: Emulator, running: Running, path: Path, output: _Output) -> None:
    select = f" --port {running.port}" if len(running_emulators(path.parent)) > 1 else ""
    devices = ", ".join(map(str, emulator.discovery.accelerators))
    # Printed text ends up in logs; `env` gives the token to whoever may read the state file.
    shown_pat = "YOUR_TOKEN" if emulator.config.knows_tokens else running.pat
    lines = (
        click.style(f"Clarifai emulator at {running.url}", bold=True, fg="green"),
        "",
        "  Point the Clarifai SDK at it, in the shell that runs your client:",
        f"    export CLARIFAI_API_BASE={running.url} CLARIFAI_PAT={shown_pat} CLARIFAI_USER_ID={running.user_id}",
        f'  or: eval "$(clarifai-emulator env{select})"',
        "",
        f"  Deploy a model directory:  clarifai-emulator deploy DIR{select}",
        *([f"  Look at it in a browser:   {page_address(running)}"] if running.page else []),
        *(
            []
            if emulator.config.is_loopback
            else [f"  Control from elsewhere:    `clarifai-emulator env --control{select}` prints how, here"]
        ),
        *(
            ["  Environment:               models run in this process and see all of it"]
            if abilities_of(emulator.config.backend).isolation == "thread"
            else []
        ),
        f"  GPUs:                      {devices or f'none, {emulator.discovery.reason}'}",
        *(
            [f"  Faults of the topology:    {faults}"]
            if (faults := ", ".join(f.id for f in emulator.faults))
            else []
        ),
        "  Stop:                      Ctrl-C, or `clarifai-emulator down`",
        "",
    )
    output.say("\n".join(lines))
    output.tell(
        "emulator.started",
        url=running.url,
        port=running.port,
        pid=running.pid,
        user_id=running.user_id,
        pat=None if emulator.config.knows_tokens else running.pat,
        state_file=str(path),
    )


def _report_ready(ready_fd: int | None, running: Running) -> None:
    if ready_fd is not None:
        with contextlib.suppress(OSError), open(ready_fd, "w", encoding="utf-8") as pipe:
            json.dump({"port": running.port}, pipe)


def cannot_start(config: EmulatorConfig, error: EmulatorError) -> Failure:
    """Make the failure to show; name the emulator that holds the port, if one does."""
    folder = config.run_dir or default_run_dir()
    holder = next((each for each in running_emulators(folder) if config.port and each.port == config.port), None)
    if holder is not None:
        return Failure(
            f"An emulator is already running at {holder.url} (process {holder.pid}, user '{holder.user_id}').",
            hint="Use it, stop it with `clarifai-emulator down`, or start another one with --port 0.",
        )
    if isinstance(error, ModelError):
        return Failure(error.summary, hint=error.hint, log=error.log)
    if isinstance(error, ConfigError):
        return Failure("\n".join([error.what, *(f"  - {each}" for each in error.problems)]), hint=error.hint)
    return Failure(str(error))


@contextlib.contextmanager
def terminal_kept() -> Generator[None]:
    """Restore the terminal afterwards, also if the emulator stops while somebody is at a debugger's prompt."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if sys.stdin.isatty():
            import termios

            before = termios.tcgetattr(0)
            try:
                yield
            finally:
                termios.tcsetattr(0, termios.TCSADRAIN, before)
            return
    yield


@contextlib.contextmanager
def _log_lines(output: _Output) -> Generator[None]:
    """Write the emulator's log to where its events go; to stderr if stdout is for JSON."""
    handler: logging.Handler = logging.StreamHandler() if output.as_json else _LineHandler(output)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("clarifai_emulator")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _LineHandler(logging.Handler):
    def __init__(self, output: _Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.say(self.format(record) if record.levelno > logging.INFO else f"  · {record.getMessage()}")


def _replica_pids(emulator: Emulator) -> Iterator[int]:
    for fleet in emulator.supervisor.fleets.values():
        yield from (record.process.pid for record in fleet.records.values() if record.process is not None)


def _count(replicas: int) -> str:
    return "1 replica" if replicas == 1 else f"{replicas} replicas"
