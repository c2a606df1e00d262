"""Starts what goes on in the background, so that none of it fails unnoticed, and nobody waits for what has failed.

    begin(coroutine) ──┐             ┌─► at_failure(reason): ends what waits for it
    begin_thread(f) ───┼─► it raises ┴─► the event loop's exception handler ─► PartFailures ─► log, event, `status`
    submit(executor, f)┘
    beside(coroutine): whoever starts it awaits it, and gets what it raises

Nothing else of the emulator starts a task or a thread. What waits for something in the background names, with
``at_failure``, how that wait ends.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from traceback import walk_tb
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
AtFailure = Callable[[str], object]
_OURS = __name__.partition(".")[0]
_MOST_KEPT = 20
_PART = "clarifai_emulator_part"


def begin(work: Coroutine[Any, Any, None], name: str, at_failure: AtFailure) -> asyncio.Task[None]:
    """Start a task that nobody awaits. ``at_failure`` is called with the reason when it raises."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(partial(_task_ended, at_failure))
    return task


def beside(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a task that whoever starts it awaits, or asks for its result."""
    return asyncio.get_running_loop().create_task(work)


def begin_thread(
    work: Callable[[], object],
    name: str,
    at_failure: AtFailure,
    *,
    loop: asyncio.AbstractEventLoop | None = None,
) -> threading.Thread:
    """Start a thread that keeps nobody from ending. ``at_failure`` is called with the reason when ``work`` raises:
    in the event loop, if one is given, else in the thread."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            _fail_from_thread(loop, name, at_failure, error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def submit(executor: Executor, work: Callable[[], object], name: str, at_failure: AtFailure) -> None:
    """Let a thread of an executor do something whose result nobody looks at. ``at_failure`` is called there."""

    def ended(future: Future[object]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            _fail_from_thread(None, name, at_failure, error)

    executor.submit(work).add_done_callback(ended)


def nobody_waits(reason: str) -> None:
    """Do nothing about a failure: nobody waits for what has failed, and it is told all the same."""


def _task_ended(at_failure: AtFailure, task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _fail(task.get_loop(), task.get_name(), at_failure, error)


def _fail_from_thread(
    loop: asyncio.AbstractEventLoop | None, name: str, at_failure: AtFailure, error: BaseException
) -> None:
    if loop is None:
        log.error("%s failed", name, exc_info=error)
        at_failure(described(error))
    elif not loop.is_closed():
        loop.call_soon_threadsafe(_fail, loop, name, at_failure, error)


def _fail(loop: asyncio.AbstractEventLoop, name: str, at_failure: AtFailure, error: BaseException) -> None:
    loop.call_exception_handler({"message": f"{name} failed", "exception": error, _PART: name})
    try:
        at_failure(described(error))
    except Exception as another:
        loop.call_exception_handler({"message": f"the end of {name} failed", "exception": another, _PART: name})


def described(error: BaseException) -> str:
    """Return an error as one line of text."""
    return f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")


@dataclass(slots=True)
class PartFailure:
    """A part of the emulator that failed. ``count``: how often in a row, for the same ``reason``; ``at``: when it
    last did, by ``time.monotonic``."""

    part: str
    reason: str
    count: int
    at: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as `status` shows it."""
        ago = round(time.monotonic() - self.at, 1)
        return {"part": self.part, "reason": self.reason, "count": self.count, "seconds_ago": ago}


class PartFailures:
    """Keeps the failures of one emulator: of what was begun here, and of callbacks in its event loop. ``on_new`` is
    told of each, once for all that follow of the same kind."""

    def __init__(self, on_new: Callable[[PartFailure], object]) -> None:
        self.kept: list[PartFailure] = []
        self._on_new = on_new
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: Any = None

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear of what fails in this event loop from now on. What is not the emulator's goes where it went."""
        self._loop, self._before = loop, loop.get_exception_handler()
        loop.set_exception_handler(self._handle)

    def stop(self) -> None:
        """Hear of no more."""
        loop, self._loop = self._loop, None
        if loop is not None and loop.get_exception_handler() == self._handle:
            loop.set_exception_handler(self._before)

    def note(self, part: str, error: BaseException) -> None:
        """Note that a part of the emulator failed."""
        reason, last = described(error), self.kept[-1] if self.kept else None
        if last is not None and (last.part, last.reason) == (part, reason):
            last.count, last.at = last.count + 1, time.monotonic()
            return
        log.error("%s failed", part, exc_info=error)
        failure = PartFailure(part, reason, 1, time.monotonic())
        self.kept = [*self.kept, failure][-_MOST_KEPT:]
        self._on_new(failure)

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error: BaseException | None = context.get("exception")
        part = str(context.get(_PART) or _name_of(context))
        if self._loop is not None and error is not None and (_PART in context or _is_ours(error)):
            self.note(part, error)
        elif self._before is not None:
            self._before(loop, context)
        else:
            loop.default_exception_handler(context)


def _name_of(context: dict[str, Any]) -> str:
    task = context.get("task") or context.get("future")
    return task.get_name() if isinstance(task, asyncio.Task) else str(context["message"])


def _is_ours(error: BaseException) -> bool:
    """Tell whether code of the emulator was at work: an event loop may be others' as well."""
    frames = walk_tb(error.__traceback__)
    return any(str(frame.f_globals.get("__name__", "")).partition(".")[0] == _OURS for frame, _ in frames)
