"""Keeps tests off the real platform: a call that would leave this machine is refused before it is made.

    grpc is imported ─► its channels to the platform, or to our own address, ask before each call
    socket.getaddrinfo ─► names of the platform are not looked up (HTTP clients)

Calls to our own address are refused, too, while no test that uses the emulator runs: nothing would answer them, or
what another test left behind would. Installed before anything can import the SDK; imports nothing itself.
"""

from __future__ import annotations

import abc
import os
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from pytest_clarifai_emulator.import_hooks import ImportHooks

_DOMAIN = "clarifai.com"
# Hosts of pictures in the platform's documentation; they know no accounts.
_SAMPLES = ("samples.clarifai.com",)
_OPENERS = ("secure_channel", "insecure_channel")
_METHODS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
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
        look_up = socket.getaddrinfo

        def getaddrinfo(host: Any, *args: Any, **named: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else str(host)
            if is_platform(name):
                self.check(name)
            return look_up(host, *args, **named)

        self._patches.setattr(socket, "getaddrinfo", getaddrinfo)
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
        for module in (grpc, grpc.aio):
            for name in _OPENERS:
                self._watch(module, name)

    def _watch(self, module: Any, name: str) -> None:
        opener = getattr(module, name)

        def open_channel(target: str, *args: Any, **named: Any) -> Any:
            channel = opener(target, *args, **named)
            host = str(target).rpartition("/")[2]
            if is_platform(host) or host == self.address:
                return _channel_class(module)(channel, lambda: self.check(host))
            return channel

        self._patches.setattr(module, name, open_channel)

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


def is_platform(host: str) -> bool:
    """Tell whether this host (with or without a port) is the real platform's."""
    name = host.partition(":")[0].rstrip(".").lower()
    return (name == _DOMAIN or name.endswith(f".{_DOMAIN}")) and name not in _SAMPLES


def _channel_class(module: Any) -> Any:
    """Make a class of channels that ask before each call, of the kind that ``module`` opens."""

    class AskingChannel(module.Channel):
        def __init__(self, channel: Any, ask: Callable[[], None]) -> None:
            self._channel = channel
            self._ask = ask

        def __enter__(self) -> Any:
            self._channel.__enter__()
            return self

        async def __aenter__(self) -> Any:
            await self._channel.__aenter__()
            return self

    methods = {name: _asking(module, name) for name in _METHODS}
    for name in module.Channel.__abstractmethods__ - {"__enter__", "__aenter__"}:
        setattr(AskingChannel, name, methods.get(name) or _passing(name))
    abc.update_abstractmethods(AskingChannel)
    return AskingChannel


def _passing(name: str) -> Any:
    def call(self: Any, *args: Any, **named: Any) -> Any:
        return getattr(self._channel, name)(*args, **named)

    return call


def _asking(module: Any, name: str) -> Any:
    """Return a channel's method that makes the callables of stubs. Stubs are told apart by their classes."""
    base = getattr(module, f"{''.join(word.title() for word in name.split('_'))}MultiCallable")
    kind: Any = type(f"Asking{base.__name__}", (_AskingCall, base), {})
    kind.__abstractmethods__ = frozenset()

    def make(self: Any, *args: Any, **named: Any) -> Any:
        return kind(getattr(self._channel, name)(*args, **named), self._ask)

    return make


class _AskingCall:
    """The callable of a stub; asks before each call."""

    def __init__(self, call: Any, ask: Callable[[], None]) -> None:
        self._call = call
        self._ask = ask

    def __call__(self, *args: Any, **named: Any) -> Any:
        self._ask()
        return self._call(*args, **named)

    def with_call(self, *args: Any, **named: Any) -> Any:
        self._ask()
        return self._call.with_call(*args, **named)

    def future(self, *args: Any, **named: Any) -> Any:
        self._ask()
        return self._call.future(*args, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
