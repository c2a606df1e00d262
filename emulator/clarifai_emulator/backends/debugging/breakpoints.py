"""Handles ``breakpoint()`` in a model that runs in this process: Python's own debugger, at this process's terminal.

The runner that calls the model is compiled, and its frames cannot be traced: ``ModelDebugger`` looks no further up
than there. While somebody is at the prompt, whoever prints to the terminal is asked to wait, and clocks are held
(``prompt_holds.py``). Without a terminal nobody could answer: then a line says how to stop there.
"""

from __future__ import annotations

import contextlib
import inspect
import pdb
import sys
import threading
from types import FrameType
from typing import Any

from clarifai_emulator.backends import own_output
from clarifai_emulator.backends.debugging.prompt_holds import held
from clarifai_emulator.inside.debug_main import tell_passed

_WHY_PASSED = (
    "this process has no terminal. Run `clarifai-emulator dev DIR --backend inprocess` in one; or leave --backend "
    "out, and use --debug and your editor."
)
_prompt = threading.RLock()
_told: set[tuple[str, int]] = set()
_installed = 0
_before = pdb.set_trace


class ModelDebugger(pdb.Pdb):
    """Python's debugger, for code below frames that cannot be traced. Deadlines wait while it asks."""

    def set_trace(self, frame: FrameType | None = None, **more: Any) -> None:
        """Stop at the next line of ``frame`` (the caller's)."""
        frame = frame or inspect.currentframe().f_back  # pyright: ignore[reportOptionalMemberAccess]
        try:
            super().set_trace(frame, **more)
        except (RuntimeError, AttributeError):  # the first compiled frame above: as far up as can be traced
            self.set_step()
            sys.settrace(self.trace_dispatch)

    def set_continue(self) -> None:
        """Go on; stop at breakpoints only."""
        with contextlib.suppress(RuntimeError, AttributeError):
            super().set_continue()

    def _set_caller_tracefunc(self, current_frame: FrameType) -> None:
        with contextlib.suppress(RuntimeError, AttributeError):
            super()._set_caller_tracefunc(current_frame)  # pyright: ignore

    def interaction(self, *arguments: Any, **more: Any) -> None:
        """Ask what to do, one thread at a time."""
        with _prompt, own_output.unheard(), held():
            super().interaction(*arguments, **more)


def install() -> None:
    """From now on ``breakpoint()`` and ``pdb.set_trace()`` stop in models of this process. Where somebody has put
    their own debugger there (pytest does), theirs is asked; the pytest plugin tells pytest of ``ModelDebugger``."""
    global _installed, _before
    _installed += 1
    if _installed == 1 and pdb.set_trace.__module__ == pdb.__name__:
        _before = pdb.set_trace
        pdb.set_trace = _stop_here


def uninstall() -> None:
    """Restore what was there before ``install``."""
    global _installed
    _installed -= 1
    if not _installed and pdb.set_trace is _stop_here:
        pdb.set_trace = _before


def _stop_here(*, header: str | None = None, **more: Any) -> None:
    """Stop the model: ``pdb.set_trace`` and, by ``sys.breakpointhook``, ``breakpoint()`` call this."""
    here = inspect.currentframe()
    frame = here.f_back if here is not None else None
    assert frame is not None
    if not _has_terminal():
        tell_passed(frame, _told, _WHY_PASSED)
        return
    debugger = ModelDebugger()
    if header is not None:
        debugger.message(header)  # pyright: ignore
    debugger.set_trace(frame, **more)


def _has_terminal() -> bool:
    return all(each is not None and each.isatty() for each in (sys.stdin, sys.stdout))  # pyright: ignore
