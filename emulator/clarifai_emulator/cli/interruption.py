"""Ends a command in good order when it is interrupted: by Ctrl-C, by SIGTERM, or because its terminal was closed.

The first signal raises ``KeyboardInterrupt`` in the main thread, so that every ``with`` and ``finally`` of the
command does its work. Further signals change nothing: a terminal, ``timeout`` and a supervisor may all send one for
the same request, and a second exception would break off the clean-up of the first.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

from clarifai_emulator.cli.output import Failure, print_json

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "the end of its terminal"}
# A lost exception is raised again: at once if the loss is noticed, else after a while.
_AT_ONCE_SECONDS = 0.005
_PATIENCE_SECONDS = 15
_TRIES = 20
# An interruption in these methods would leave a lock taken for ever: grpc's channel waits for it when it closes.
# So it is postponed, but not more often than this: the lock may be another thread's for long.
_HANDING_OVER = frozenset({"__enter__", "__exit__", "_acquire_restore", "_release_save"})
_POSTPONEMENTS = 200
# So many signals end the process at once.
_ENOUGH = 5


class Interrupted(Failure):
    """Ends a command that was interrupted. ``meaning``: what that left, in one sentence. ``number``: the signal, if
    the command listened for it itself."""

    def __init__(self, meaning: str = "", *, number: int = 0) -> None:
        number = number or _state.number or signal.SIGINT
        by = _NAMES[signal.Signals(number)]
        super().__init__(f"Interrupted by {by}. {meaning}".rstrip(), code=128 + number)

    def show(self, file: object = None) -> None:
        if self.as_json:
            print_json({"error": {"message": self.message, "exit_code": self.exit_code}})
        elif sys.stderr is not None:
            # The terminal has shown ^C at the cursor, so begin a new line.
            sys.stderr.write(f"{chr(10) if sys.stderr.isatty() else ''}{self.message}\n")


class _State:
    """The first signal that came in this process, and whether it must wait."""

    def __init__(self) -> None:
        self.number = 0
        self.times = 0
        self.tries = 0
        self.postponed = 0
        self.held_back = 0
        self.is_due = False

    def came(self, number: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.times >= _ENOUGH:
            os._exit(128 + (self.number or number))
        if self.number:
            return
        self.number = number
        signal.signal(signal.SIGALRM, self._again)
        signal.alarm(_PATIENCE_SECONDS)
        self.strike(frame)

    def strike(self, frame: FrameType | None = None) -> None:
        self.is_due = self.held_back > 0
        if self.is_due:
            return
        if frame is not None and frame.f_code.co_name in _HANDING_OVER and self.postponed < _POSTPONEMENTS:
            self.postponed += 1
            signal.setitimer(signal.ITIMER_REAL, _AT_ONCE_SECONDS)
            return
        self.postponed = 0
        raise KeyboardInterrupt

    def got_lost(self, unraisable: Any) -> None:
        """Raise an interruption again that was lost in a finalizer or a callback (``sys.unraisablehook``)."""
        if self.number and issubclass(unraisable.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AT_ONCE_SECONDS)
        else:
            sys.__unraisablehook__(unraisable)

    def _again(self, number: int, frame: FrameType | None) -> None:
        self.tries += not self.postponed
        if self.tries > _TRIES:
            os._exit(128 + self.number)
        signal.alarm(_PATIENCE_SECONDS)
        self.strike(frame)


_state = _State()


def ending_signals() -> list[signal.Signals]:
    """Return the signals that end a command: Ctrl-C, SIGTERM, and SIGHUP, which comes when its terminal is closed.

    Left out are the signals that the command was started to ignore, as by ``nohup`` or as a job in the background.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]


def was_interrupted() -> bool:
    """Tell whether a signal came, whatever has become of its exception."""
    return _state.number != 0


@contextlib.contextmanager
def held_back() -> Generator[None]:
    """Hold an interruption back until the end of the block, in which something is made that nobody could remove
    before it is complete."""
    _state.held_back += 1
    try:
        yield
    finally:
        _state.held_back -= 1
        if _state.is_due and not _state.held_back:
            _state.strike()


def run_interruptible(command: Callable[[], None]) -> None:
    """Run a command that ends the process itself (``SystemExit``), and see that an interruption ends it, too."""
    for number in ending_signals():
        signal.signal(number, _state.came)
    sys.unraisablehook = _state.got_lost
    try:
        command()
    except KeyboardInterrupt:
        interrupted = Interrupted()
        interrupted.show()
        _leave(interrupted.exit_code)
    except SystemExit as end:
        if _state.number:
            _leave(end.code if isinstance(end.code, int) else 128 + _state.number)
        raise


def _leave(code: int) -> None:
    """End the process without waiting for threads that still work on what nobody wants any more."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE_SECONDS)
    with contextlib.suppress(Exception):
        # Temporary folders that were made in the instant of the signal are removed here.
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - os._exit leaves them out
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
