"""Runs ``ssh`` that carries connections between this machine and another, and ends with the emulator.

    -L socket here ─► socket there     what this machine asks the engine there
    -R port there ─► port here         what containers there ask the emulator

OpenSSH does all of it, with the user's own settings, keys and agent; nothing is asked at a terminal. What runs at
the other end reads what this process would write: where this process ends, in whatever way, so does that, and
``ssh``.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from clarifai_emulator.background_work import begin_thread, nobody_waits

_START_SECONDS = 20.0
_EVERY_SECONDS = 0.02
_END_SECONDS = 5.0
_SOCKET = "/var/run/docker.sock"
_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ExitOnForwardFailure": "yes",
    "ServerAliveInterval": "3",
    "ServerAliveCountMax": "3",
    "StreamLocalBindUnlink": "yes",
}
_PORT = re.compile(r"Allocated port (\d+) for remote forward")
# What ssh says → what to do about it.
_ADVICE = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No \S+ host key is known",
        "its host key is not the one that is known: log in once by hand (`ssh {target}`) and compare it. Where the "
        "machine was set up anew, `ssh-keygen -R {host}` forgets the old one",
    ),
    (
        r"Permission denied",
        "it takes no key of yours: `ssh-copy-id {target}`, or start ssh-agent with the key (`ssh-add`)",
    ),
    (r"Could not resolve hostname", "the name {host} is not known: see /etc/hosts and ~/.ssh/config"),
    (r"Connection refused", "no sshd listens there: start it, or name its port (ssh://user@host:port)"),
    (
        r"timed out|No route to host|Network is unreachable|Connection reset|Timeout, server",
        "it cannot be reached: is it on, and on this network?",
    ),
    (
        r"forwarding failed|administratively prohibited|forwarding is disabled",
        "its sshd forwards nothing: AllowTcpForwarding and AllowStreamLocalForwarding must be yes in sshd_config",
    ),
)


class SshFailure(OSError):
    """Says why ``ssh`` did not come to carry anything, or has ended, and what to do."""


class SshForward:
    """An ``ssh`` to the machine of an address, with one forwarding. ``on_end`` is called in a thread, with the
    reason, when it ends by itself once it was ready."""

    def __init__(
        self,
        address: str,
        words: Sequence[str],
        *,
        environ: Mapping[str, str],
        on_end: Callable[[str], object] = nobody_waits,
    ) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or ""
        self.target = f"{parts.username}@{self._host}" if parts.username else self._host
        self._port = ["-p", str(parts.port)] if parts.port else []
        self._words = words
        self._environ = environ
        self._on_end = on_end
        self._said: deque[str] = deque(maxlen=20)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_wanted = False
        self.allocated_port = 0

    @property
    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start it, unless it runs, and wait until ``is_ready`` says so. Blocks. Raises ``SshFailure``."""
        with self._lock:
            if self.is_alive:
                return
            self._said.clear()
            self.allocated_port = 0
            self._is_wanted = True
            process = self._process = self._begun()
            begin_thread(lambda: self._read(process), f"ssh to {self.target}", nobody_waits)
            deadline = time.monotonic() + _START_SECONDS
            while not is_ready():
                if process.poll() is not None:
                    time.sleep(0.1)  # until what it said was read
                    raise SshFailure(self._why())
                if time.monotonic() > deadline:
                    self._end(process)
                    raise SshFailure(f"ssh to {self.target} forwarded nothing within {_START_SECONDS:g} s")
                time.sleep(_EVERY_SECONDS)

    def close(self) -> None:
        """End it."""
        self._is_wanted = False
        if self._process is not None:
            self._end(self._process)

    def _begun(self) -> subprocess.Popen[bytes]:
        program = shutil.which("ssh", path=self._environ.get("PATH"))
        if program is None:
            raise SshFailure("there is no ssh on the PATH: install OpenSSH's client")
        options = [word for name, value in _OPTIONS.items() for word in ("-o", f"{name}={value}")]
        return subprocess.Popen(
            # `cat` reads what this process never writes, and ends with it.
            [program, "-T", *options, *self._words, *self._port, "--", self.target, "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(self._environ),
            start_new_session=True,  # a Ctrl-C is for the emulator, which then ends it
        )

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").strip()
                self._said.append(line)
                if match := _PORT.search(line):
                    self.allocated_port = int(match[1])
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if self._is_wanted and process is self._process:
            self._on_end(self._why())

    def _why(self) -> str:
        text = " ".join(self._said)
        for pattern, advice in _ADVICE:
            if re.search(pattern, text):
                return f"ssh to {self.target}: {advice.format(target=self.target, host=self._host)}"
        last = next((line for line in reversed(self._said) if line), "it ended without a word")
        return f"ssh to {self.target}: {last}"

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def to_socket(address: str, path: Path) -> Sequence[str]:
    """Return the words that make a socket here lead to the engine's there."""
    return ("-L", f"{path}:{socket_of(address)}")


def socket_of(address: str) -> str:
    """Return the engine's socket on the machine of an address."""
    path = urlsplit(address).path
    return path if path.strip("/") else _SOCKET


def from_port(port: int, *, there: int = 0) -> Sequence[str]:
    """Return the words that make a port of the other machine's loopback lead to one here; by default a free one."""
    return ("-R", f"127.0.0.1:{there}:127.0.0.1:{port}")
