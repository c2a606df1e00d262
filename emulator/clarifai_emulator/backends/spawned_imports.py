"""Explains why processes that a model starts with multiprocessing cannot import its model.py.

A process that is forked has everything; one that is spawned imports what it is to run, by the name that the SDK's
loader gives model.py, in whose folder Python does not look by itself. It is so on the platform, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_FAILED = re.compile(r"ModuleNotFoundError: No module named '(?:clarifai\.runners\.models\.)?model'$")
_CHILD = re.compile(r"^Process \S+-\d+(?::\d+)*:$|multiprocessing/|concurrent/futures/process")
EXPLANATION = (
    "[emulator] a process that multiprocessing starts by spawn or forkserver does not find model.py, here and on "
    "the platform: write `sys.path.insert(0, os.path.dirname(__file__))` in it, with `import os, sys`, or start "
    "the process by fork (`multiprocessing.get_context('fork')`)"
)


def explaining(on_line: Callable[[str], None]) -> Callable[[str], None]:
    """Pass lines of a replica on, and add the explanation, once, behind the error that it is about."""
    has_child = is_told = False

    def hear(line: str) -> None:
        nonlocal has_child, is_told
        on_line(line)
        if is_told:
            return
        has_child = has_child or bool(_CHILD.search(line))
        if has_child and _FAILED.search(line):
            is_told = True
            on_line(EXPLANATION)

    return hear
