"""Explains a model's failed answer to people: the error, and the line of the model that raised it."""

from __future__ import annotations

import re
from typing import Any

from clarifai_emulator.inside.withheld_main import MARK

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>.+)')
_ERROR = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3", "<frozen ")
_LONGEST = 2000


def failure_reason(status: Any) -> str:
    """The error that a failed status (the platform's ``Status``) is about: ``KeyError: 'nope'``, and beneath it the
    line of the model that raised it, where the status has a traceback, and what the emulator says about it."""
    trace = "\n".join(status.stack_trace).splitlines()
    said = next(filter(None, (_error(trace), status.details, status.description)), "")
    added = [line for line in status.details[:_LONGEST].splitlines()[1:] if line.startswith(MARK)]
    return "\n".join(filter(None, (said[:_LONGEST], _place(trace), *(each for each in added if each not in said))))


def _error(trace: list[str]) -> str:
    """The last line of a traceback that is the error itself, which a note or its further lines may follow."""
    if not any(_FRAME.search(line) for line in trace):
        return ""
    return next((line for line in reversed(trace) if _ERROR.match(line)), "")


def _place(trace: list[str]) -> str:
    """The last frame of the model's own code: not of a library that it called."""
    frames = [(number, found) for number, line in enumerate(trace) if (found := _FRAME.search(line))]
    own = [each for each in frames if not _is_of_library(each[1]["file"])]
    if not own:
        return ""
    number, found = own[-1]
    code = trace[number + 1].strip() if number + 1 < len(trace) and _FRAME.search(trace[number + 1]) is None else ""
    return f"{found['file']}:{found['line']} in {found['function']}" + (f": {code}" if code else "")


def _is_of_library(file: str) -> bool:
    """Tell whether a file is one of a library. The folder `1` of a model directory is none, wherever that lies."""
    return max(file.rfind(part) for part in _LIBRARIES) > file.rfind("/1/")
