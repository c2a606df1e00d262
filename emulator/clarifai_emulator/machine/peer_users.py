"""Looks up which user of this machine the other end of a TCP connection belongs to (Linux).

The kernel is asked about that one connection (``sock_diag``); where it does not answer such questions, its table of
all of them is read. A socket that nobody holds any more is nobody's: the kernel gives it to root then.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

Address = tuple[str, int]
# In place of a user's id.
NOT_TOLD, NOBODYS = -1, -2

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_NLMSG_ERROR, _NLM_F_REQUEST = 2, 1
_ENOENT = 2
_LISTEN = 10
_ANY_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_ENDS = struct.Struct("!HH16s16s")
_REST_OF_ENDS = struct.Struct("=III")
_ANSWER = struct.Struct("=BBBB")
_TAIL = struct.Struct("=IIIII")  # expires, rqueue, wqueue, uid, inode
_ANSWER_BYTES = 4096
_TABLES = {socket.AF_INET: ("tcp", "tcp6"), socket.AF_INET6: ("tcp6",)}


def is_told() -> bool:
    """Tell whether this system says whose a connection is."""
    return sys.platform.startswith("linux")


def user_at(here: Address, there: Address) -> int:
    """Return the id of the user whose socket is at ``there``, connected to ``here``; ``NOBODYS`` for one that its
    process has closed, ``NOT_TOLD`` where the system does not say."""
    if not is_told():
        return NOT_TOLD
    try:
        return _asked(here, there)
    except OSError:
        with contextlib.suppress(OSError):
            return _listed(here, there)
    return NOT_TOLD


def _asked(here: Address, there: Address) -> int:
    """Ask the kernel about the socket whose own end is ``there``. Raises ``OSError`` where it does not answer."""
    family = _family(there)
    ends = _ENDS.pack(there[1], here[1], _packed(family, there), _packed(family, here))
    question = (
        _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_COOKIE)
        + ends
        + _REST_OF_ENDS.pack(0, _ANY_COOKIE, _ANY_COOKIE)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        size = _HEADER.size + len(question)
        kernel.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + question)
        answer = kernel.recv(_ANSWER_BYTES)
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _NLMSG_ERROR:
        error = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if error == _ENOENT:
            return NOBODYS
        raise OSError(error, "the kernel does not tell")
    _, state, _, _ = _ANSWER.unpack_from(answer, _HEADER.size)
    at = _HEADER.size + _ANSWER.size
    *_, uid, inode = _TAIL.unpack_from(answer, at + _ENDS.size + _REST_OF_ENDS.size)
    # Where that socket is gone, the answer may be about one that listens at its port.
    is_it = answer[at : at + 4] == ends[:4] and state != _LISTEN
    return uid if is_it and inode else NOBODYS


def _listed(here: Address, there: Address) -> int:
    """Find the socket in the kernel's tables. Raises ``OSError`` where there are none."""
    wanted = (_written(there), _written(here))
    tables = [Path("/proc/self/net", name) for name in _TABLES[_family(there)]]
    if not any(table.exists() for table in tables):
        raise FileNotFoundError(tables[0])
    for table in tables:
        for fields in _rows(table):
            if (fields[1][-13:], fields[2][-13:]) == wanted and fields[9] != "0":
                return int(fields[7])
    return NOBODYS


def _rows(table: Path) -> Iterator[list[str]]:
    """Yield the fields of each socket; addresses end with the IPv4 address, also where they are IPv6 ones."""
    with contextlib.suppress(FileNotFoundError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A":  # one that listens
                yield fields


def _written(address: Address) -> str:
    """Write the end of an address as the tables have it: the last four bytes as a number of this machine, and the
    port."""
    packed = _packed(_family(address), address)
    packed = packed[:4] if _family(address) == socket.AF_INET else packed[12:]
    return f"{int.from_bytes(packed, sys.byteorder):08X}:{address[1]:04X}"


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _packed(family: socket.AddressFamily, address: Address) -> bytes:
    return socket.inet_pton(family, address[0]).ljust(16, b"\0")
