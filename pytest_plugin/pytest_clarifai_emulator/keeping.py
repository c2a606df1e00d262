"""Keeps the emulator up after a failure (``--clarifai-keep``), and tells its user how to reach it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from clarifai_emulator.config import default_run_dir
from clarifai_emulator.control.running import Running, remove_state, write_state
from pytest_clarifai_emulator.serving import Serving
from pytest_clarifai_emulator.test_environment import PAT, USER_ID


def keep(config: pytest.Config, serving: Serving, nodeid: str) -> None:
    """Say how to reach the emulator, and wait for Ctrl-C."""
    url, folder = serving.thread.url, default_run_dir()
    port = urlsplit(url).port or 0
    running = Running(
        url=url,
        pid=os.getpid(),
        token=serving.control_token,
        user_id=USER_ID,
        port=port,
        started=time.time(),
        pat=PAT,
    )
    with contextlib.suppress(OSError):
        write_state(folder, running)
    terminal: Any = config.pluginmanager.getplugin("terminalreporter")
    for line in _how(url, nodeid):
        if terminal is not None:
            terminal.write_line(line)
    if terminal is not None:
        terminal.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        with contextlib.suppress(OSError):
            remove_state(folder, port, os.getpid())


def _how(url: str, nodeid: str) -> list[str]:
    return [
        "",
        f"clarifai: the emulator is as {nodeid} left it, until Ctrl-C. In another terminal:",
        f"  export CLARIFAI_API_BASE={url} CLARIFAI_PAT={PAT} CLARIFAI_USER_ID={USER_ID}",
        "  clarifai-emulator status | logs | events | predict MODEL …",
    ]
