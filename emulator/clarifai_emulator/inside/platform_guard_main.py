"""Keeps a process from calling the real platform: a call is refused before it leaves this machine.

    grpc ─► its channels to the platform ask before each call
    socket.getaddrinfo, gethostbyname … ─► names of the platform are not looked up (HTTP clients)

Runs in replicas under the pytest plugin, in the *model's* environment, and in the test's own process; the standard
library only. Programs that a model starts are not watched, nor is code that looks names up by itself.
"""

import abc
import socket
import sys

DOMAIN = "clarifai.com"
# Hosts of pictures in the platform's documentation; they know no accounts.
SAMPLES = ("samples.clarifai.com",)
OPENERS = ("secure_channel", "insecure_channel")
LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")
_METHODS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
MARK = "[emulator] refused: "


class RealPlatformRefused(ConnectionError):
    """A call to the real platform was not made."""

    __module__ = "builtins"  # a traceback names it alone


class PlatformRefusals:
    """Refuses the calls of a replica, and tells each host once in its log."""

    def __init__(self):
        self.told = set()

    def install(self):
        """Refuse from now on, in this process."""
        guard_look_ups(self.check, lambda name, value: setattr(socket, name, value))
        grpc = sys.modules.get("grpc")
        if grpc is not None:
            guard_channels(grpc, self.check, is_platform, setattr)

    def check(self, host):
        reason = (
            f"A model would have called the real Clarifai platform ({host}), which models under test do not reach. "
            "Leave `base_url` out, so that it calls the emulator (CLARIFAI_API_BASE); `--clarifai-allow-real` lets "
            "calls through."
        )
        if host not in self.told:
            self.told.add(host)
            print(MARK + reason, file=sys.stderr, flush=True)
        raise RealPlatformRefused(reason)


def guard_look_ups(check, put):
    """Ask ``check`` before a name of the platform is looked up. ``put(name, function)`` sets one of socket's."""
    for name in LOOK_UPS:
        put(name, _asking_look_up(getattr(socket, name), check))


def _asking_look_up(look_up, check):
    def asking(host, *args, **named):
        name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
        if is_platform(name):
            check(name)
        return look_up(host, *args, **named)

    asking.__name__ = asking.__qualname__ = look_up.__name__
    return asking


def guard_channels(grpc, check, is_watched, put):
    """Let the channels of a grpc module to hosts that are watched ask before each call."""
    for module in filter(None, (grpc, getattr(grpc, "aio", None))):
        for name in OPENERS:
            put(module, name, _asking_opener(module, getattr(module, name), check, is_watched))


def _asking_opener(module, opener, check, is_watched):
    def open_channel(target, *args, **named):
        channel = opener(target, *args, **named)
        host = str(target).rpartition("/")[2]
        return _channel_class(module)(channel, lambda: check(host)) if is_watched(host) else channel

    return open_channel


def is_platform(host):
    """Tell whether this host (with or without a port) is the real platform's."""
    name = host.partition(":")[0].rstrip(".").lower()
    return (name == DOMAIN or name.endswith(f".{DOMAIN}")) and name not in SAMPLES


def _channel_class(module):
    """Make a class of channels that ask before each call, of the kind that ``module`` opens."""

    class AskingChannel(module.Channel):
        def __init__(self, channel, ask):
            self._channel = channel
            self._ask = ask

        def __enter__(self):
            self._channel.__enter__()
            return self

        def __exit__(self, *error):
            return self._channel.__exit__(*error)

        async def __aenter__(self):
            await self._channel.__aenter__()
            return self

    methods = {name: _asking(module, name) for name in _METHODS}
    for name in module.Channel.__abstractmethods__ - {"__enter__", "__aenter__"}:
        setattr(AskingChannel, name, methods.get(name) or _passing(name))
    abc.update_abstractmethods(AskingChannel)
    return AskingChannel


def _passing(name):
    def call(self, *args, **named):
        return getattr(self._channel, name)(*args, **named)

    return call


def _asking(module, name):
    """Return a channel's method that makes the callables of stubs. Stubs are told apart by their classes."""
    base = getattr(module, f"{''.join(word.title() for word in name.split('_'))}MultiCallable")
    kind = type(f"Asking{base.__name__}", (_AskingCall, base), {})
    kind.__abstractmethods__ = frozenset()

    def make(self, *args, **named):
        return kind(getattr(self._channel, name)(*args, **named), self._ask)

    return make


class _AskingCall:
    """The callable of a stub; asks before each call."""

    def __init__(self, call, ask):
        self._call = call
        self._ask = ask

    def __call__(self, *args, **named):
        self._ask()
        return self._call(*args, **named)

    def with_call(self, *args, **named):
        self._ask()
        return self._call.with_call(*args, **named)

    def future(self, *args, **named):
        self._ask()
        return self._call.future(*args, **named)

    def __getattr__(self, name):
        return getattr(self._call, name)
