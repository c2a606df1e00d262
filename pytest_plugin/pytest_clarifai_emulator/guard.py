"""Keeps tests off the real platform: a call that would leave this machine is refused before it is made.

    grpc is imported ─► its channels to the platform, or to our own address, ask before each call
    socket.getaddrinfo ─► names of the platform are not looked up (HTTP clients)

Calls to our own address are refused, too, while no test that uses the emulator runs: nothing would answer them, or
what another test left behind would. Installed before anything can import the SDK; imports nothing itself.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_clarifai_emulator.import_hooks import ImportHooks

# When these modules are imported the SDK decides where its user's settings are: below HOME.
_SDK_SETTINGS = ("clarifai.utils.constants", "clarifai.utils.misc")


class Guard:
    """Refuses calls to hosts. ``refusal(host)`` says why a call to that host may not be made, or None."""

    def __init__(
        self, refusal: Callable[[str], str | None], hooks: ImportHooks, *, home: Callable[[], str]
    ) -> None:
        self._refusal = refusal
        self._hooks = hooks
        self._home = home
        self._patches = pytest.MonkeyPatch()
        self.refused: list[str] = []
        self.address = ""  # HOST:PORT of our own emulator

    def install(self) -> None:
        """Refuse calls from now on."""
        _calls.guard_look_ups(self.check, partial(self._patches.setattr, socket))
        for name in _SDK_SETTINGS:
            self._hooks.around(name, self.isolate)
        self._hooks.after("grpc", self.watch_channels)

    def remove(self) -> None:
        """Refuse no more calls."""
        self._patches.undo()

    def check(self, host: str) -> None:
        """Refuse the call that is about to be made, if it may not be."""
        reason = self._refusal(host)
        if reason is not None:
            self.refused.append(reason)
            pytest.fail(reason, pytrace=False)

    def watch_channels(self, grpc: ModuleType) -> None:
        """Let the channels of a grpc module ask before they call."""
        _calls.guard_channels(grpc, self.check, self._is_watched, self._patches.setattr)

    def _is_watched(self, host: str) -> bool:
        return is_platform(host) or host == self.address

    def isolate(self, module: ModuleType, execute: Callable[[ModuleType], None]) -> None:
        """Run a module's code with HOME an empty folder."""
        home = os.environ.get("HOME")
        os.environ["HOME"] = self._home()
        try:
            execute(module)
        finally:
            if home is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = home


def _load_calls() -> Any:
    """Load what replicas have, too, from its file: nothing of the emulator is imported before a test asks."""
    package = importlib.util.find_spec("clarifai_emulator")
    assert package is not None, "the plugin comes with it"
    assert package.submodule_search_locations is not None, "it is a package"
    file = Path(package.submodule_search_locations[0], "inside", "platform_guard_main.py")
    spec = importlib.util.spec_from_file_location("clarifai_platform_guard", file)
    assert spec is not None, file
    assert spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_calls = _load_calls()


def is_platform(host: str) -> bool:
    """Tell whether this host (with or without a port) is the real platform's."""
    return bool(_calls.is_platform(host))
