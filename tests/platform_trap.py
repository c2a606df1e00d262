"""Notices every look-up of the real platform's names that a test session, or anything it starts, makes.

    a mount namespace of the session's own ─► /etc/resolv.conf there names a resolver in this process
    the engine that the tests start        ─► tells its containers of the same resolver

So it holds for Python's sockets, for gRPC's own resolver, for any interpreter, any container.
The resolver notes names of ``clarifai.com`` and says that they do not exist; it passes all others on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clarifai_emulator.backends.docker.engine import outward_address

_RESOLV, _NSSWITCH = Path("/etc/resolv.conf"), Path("/etc/nsswitch.conf")
_PORT = 53
_DOMAIN = "clarifai.com"
_CHECK = f"is-the-trap-set.{_DOMAIN}"
_UPSTREAM_SECONDS = 5.0
_SERVER_FAILURE, _NO_SUCH_NAME = 2, 3
# linux/sched.h, sys/mount.h
_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


class Unavailable(Exception):
    """Says why there can be no trap here."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Holds a look-up of one of the platform's names. ``who``: a command line, or the address of a container."""

    name: str
    who: str

    def __str__(self) -> str:
        return f"{self.name}, by {self.who}"


class PlatformTrap:
    """Traps look-ups of one session. ``for_containers``: the resolver's address as containers see it, or empty."""

    def __init__(self) -> None:
        self.for_containers = ""
        self._seen: list[LookUp] = []
        self._upstreams: list[str] = []
        self._servers: list[socketserver.BaseServer] = []
        self._folder = tempfile.TemporaryDirectory(prefix="clarifai-trap-")

    def set(self) -> None:
        """Set the trap for this thread and all that it starts from now on. Raises ``Unavailable``."""
        try:
            self._upstreams = re.findall(r"^\s*nameserver\s+(\S+)", _RESOLV.read_text(encoding="utf-8"), re.M)
            address = self._serve_on_loopback()
            outward = outward_address()
            if not outward.startswith("127."):
                with contextlib.suppress(OSError):  # somebody serves names there
                    self._serve(outward)
                    self.for_containers = outward
            self._show_to_all(address)
            with contextlib.suppress(OSError):
                socket.getaddrinfo(_CHECK, 443)
        except OSError as error:
            self.close()
            raise Unavailable(f"{error.strerror or error} (it needs root, and the right to mount)") from None
        if _CHECK not in [each.name for each in self.taken()]:
            self.close()
            raise Unavailable("names are looked up in another way here than /etc/resolv.conf says")

    def taken(self) -> list[LookUp]:
        """Return the look-ups since this was last asked, and forget them."""
        count = len(self._seen)
        found, self._seen[:count] = self._seen[:count], []
        return found

    def close(self) -> None:
        """Answer no more. The mounts end with the session's process."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
        self._folder.cleanup()

    def answer(self, question: bytes, client: tuple[str, int], kind: int) -> bytes:
        """Return the answer to a DNS message that came over UDP or TCP."""
        name = name_in(question)
        if is_platform(name):
            self._seen.append(LookUp(name, _who(*client, kind)))
            return _without_records(question, _NO_SUCH_NAME)
        for upstream in self._upstreams:
            with contextlib.suppress(OSError):
                return _ask(upstream, question, kind)
        return _without_records(question, _SERVER_FAILURE)

    def _serve_on_loopback(self) -> str:
        """Serve at an address that no other session has, and return it."""
        for last in range(1, 255):
            address = f"127.53.{os.getpid() % 250 + 1}.{last}"
            with contextlib.suppress(PermissionError if os.geteuid() else OSError):
                self._serve(address)
                return address
        raise OSError("no loopback address has a free port for names")

    def _serve(self, address: str) -> None:
        for kind in (_UdpServer, _TcpServer):
            server = kind((address, _PORT), self)
            self._servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.05,), name="platform trap", daemon=True).start()

    def _show_to_all(self, address: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        _done(libc.unshare(_CLONE_NEWNS))
        _done(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
        given = _RESOLV.read_text(encoding="utf-8")
        others = [line for line in given.splitlines() if not line.lstrip().startswith("nameserver")]
        texts = {_RESOLV: "\n".join([f"nameserver {address}", *others, ""])}
        if _NSSWITCH.exists():
            named = _NSSWITCH.read_text(encoding="utf-8")
            texts[_NSSWITCH] = re.sub(r"^hosts:.*$", "hosts: files dns", named, flags=re.M)
        for file, text in texts.items():
            ours = Path(self._folder.name) / file.name
            ours.write_text(text, encoding="utf-8")
            ours.chmod(0o644)
            _done(libc.mount(bytes(ours), bytes(file), None, _MS_BIND, None))


def is_platform(name: str) -> bool:
    """Return whether a name is the real platform's."""
    return name == _DOMAIN or name.endswith(f".{_DOMAIN}")


def name_in(question: bytes) -> str:
    """Return the name that a DNS message asks about, in lower case; empty for one that asks nothing."""
    labels: list[str] = []
    at = 12  # after the header
    while at < len(question) and question[at]:
        end = at + 1 + question[at]
        labels.append(question[at + 1 : end].decode("latin-1").lower())
        at = end
    return ".".join(labels)


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535

    def __init__(self, address: tuple[str, int], trap: PlatformTrap) -> None:
        self.trap = trap
        super().__init__(address, _OverUdp)


class _OverUdp(socketserver.BaseRequestHandler):
    server: _UdpServer

    def handle(self) -> None:
        question, sock = self.request
        with contextlib.suppress(OSError):
            sock.sendto(
                self.server.trap.answer(question, self.client_address, socket.SOCK_DGRAM), self.client_address
            )


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], trap: PlatformTrap) -> None:
        self.trap = trap
        super().__init__(address, _OverTcp)


class _OverTcp(socketserver.BaseRequestHandler):
    server: _TcpServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            question = _read(self.request)
            answer = self.server.trap.answer(question, self.client_address, socket.SOCK_STREAM)
            self.request.sendall(len(answer).to_bytes(2) + answer)


def _ask(upstream: str, question: bytes, kind: int) -> bytes:
    family = socket.AF_INET6 if ":" in upstream else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.settimeout(_UPSTREAM_SECONDS)
        sock.connect((upstream, _PORT))
        if kind == socket.SOCK_DGRAM:
            sock.send(question)
            return sock.recv(65535)
        sock.sendall(len(question).to_bytes(2) + question)
        return _read(sock)


def _read(sock: socket.socket) -> bytes:
    """Read one DNS message over TCP: its length comes first."""
    with sock.makefile("rb") as file:
        return file.read(int.from_bytes(file.read(2)))


def _without_records(question: bytes, code: int) -> bytes:
    """Make an answer that has only the question, and the code that says why there is no more."""
    flags = bytes([0x80 | question[2] & 0x79, 0x80 | code])
    name = name_in(question)
    end = 12 + len(name) + (2 if name else 1) + 4
    return question[:2] + flags + question[4:6] + bytes(6) + question[12:end]


def _done(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _who(address: str, port: int, kind: int) -> str:
    """Return the command line of the process whose socket this is; the address if it is on another machine."""
    table = "tcp" if kind == socket.SOCK_STREAM else "udp"
    local = f"{socket.inet_aton(address)[::-1].hex().upper()}:{port:04X}"
    for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] == local:
            return next(_commands_with(f"socket:[{fields[9]}]"), address)
    return address


def _commands_with(target: str) -> Iterator[str]:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if os.readlink(link) == target:
                words = (link.parents[1] / "cmdline").read_bytes().split(b"\0")
                yield f"process {link.parts[2]} ({_shortened(words)})"


def _shortened(words: Sequence[bytes]) -> str:
    text = " ".join(b" ".join(words).decode("utf-8", "replace").split())
    return text if len(text) <= 300 else f"{text[:300]}…"


_current: PlatformTrap | None = None


def current() -> PlatformTrap | None:
    """Return the trap of this session, if there is one."""
    return _current


def begin() -> PlatformTrap:
    """Set the trap of this session. Raises ``Unavailable``."""
    global _current
    trap = PlatformTrap()
    trap.set()
    _current = trap
    return trap


def end() -> None:
    """Close the trap of this session, which is over."""
    global _current
    if _current is not None:
        _current.close()
        _current = None
