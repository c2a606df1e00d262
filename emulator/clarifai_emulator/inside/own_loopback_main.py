"""Gives a replica a loopback of its own, so that two models may have a server at one port.

    replica, and all it starts ── bind, connect ──► kernel (seccomp) ──► keeper: goes on as asked, or
                                                                           bind 127.0.0.1:P, 0.0.0.0:P     ─► OWN:P
                                                                           connect 127.0.0.1:P, once bound ─► OWN:P

OWN is an address of 127.0.0.0/8 that nobody else has, for it is made of the replica's process id. Where a replica
listens nowhere itself, its 127.0.0.1 is the machine's: a database there, a debugger and the emulator are reached as
ever. Only these two calls wait for the keeper; everything else runs at full speed.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library only.
"""

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import platform
import select
import socket
import struct
import sys
import traceback

_SET_FILTER, _PR_SET_NO_NEW_PRIVS = 1, 38
_LOAD_SPEC, _NEW_LISTENER, _WAIT_KILLABLE = 1 << 2, 1 << 3, 1 << 5
_RECEIVE, _SEND, _STILL_WAITS = 0xC0502100, 0xC0182101, 0x40082102
_CONTINUE = 1
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
# Machine → its name in a filter, and the numbers of seccomp, bind and connect.
_MACHINES = {"x86_64": (0xC000003E, 317, 49, 42), "aarch64": (0xC00000B7, 277, 200, 203)}
_CALL = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_OWN, _SAMPLE = "own", b"a sample"
_V4, _V6 = 64, 128  # where the addresses for sockets of IPv4, and of IPv6, begin: 127.64…127.127, 127.128…127.191
_MAPPED = b"\0" * 10 + b"\xff\xff"
_ANY6, _LOOP6 = b"\0" * 16, b"\0" * 15 + b"\1"


class NotHere(Exception):
    """Tells why a loopback of its own cannot be had."""


def address_of(pid, beginning=_V4):
    """Return the address that belongs to the replica with this process id."""
    return f"127.{beginning + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"


# ── in the replica ─────────────────────────────────────────────────────────────────────────────────────────


def enter(keeper):
    """Ask for a loopback of one's own, over a socket to the keeper; return why there is none, or nothing."""
    with keeper:
        try:
            listener = _listener()
        except (NotHere, OSError, AttributeError) as error:
            keeper.send(str(error).encode())
            return str(error)
        try:
            sample = ctypes.create_string_buffer(_SAMPLE)
            socket.send_fds(keeper, [str(ctypes.addressof(sample)).encode()], [listener])
            os.close(listener)
            said = keeper.recv(4096).decode()
        except OSError as error:
            said = str(error)
    return "" if said == _OWN else said or "the keeper has ended"


def _listener():
    """Let the kernel ask before this process, or one that it starts, binds or connects a socket; return who is
    asked."""
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES or sys.maxsize < 2**32:
        raise NotHere("there is none for this system")
    arch, seccomp, bind, connect = _MACHINES[platform.machine()]
    load, jump, give = 0x20, 0x15, 0x06
    ask, allow = 0x7FC00000, 0x7FFF0000
    program = [
        (load, 0, 0, 4),
        (jump, 0, 3, arch),
        (load, 0, 0, 0),
        (jump, 2, 0, bind),
        (jump, 1, 0, connect),
        (give, 0, 0, allow),
        (give, 0, 0, ask),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    table = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (_NEW_LISTENER | _LOAD_SPEC | _WAIT_KILLABLE, _NEW_LISTENER | _LOAD_SPEC):
        listener = libc.syscall(seccomp, _SET_FILTER, flags, table)
        if listener < 0 and ctypes.get_errno() == errno.EACCES:
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # without privileges, it must not gain any
            listener = libc.syscall(seccomp, _SET_FILTER, flags, table)
        if listener >= 0:
            return listener
    raise NotHere(f"the kernel refuses to ask (seccomp: {os.strerror(ctypes.get_errno())})")


# ── in the keeper ─────────────────────────────────────────────────────────────────────────────────────


class OwnLoopbacks:
    """The loopbacks of a keeper's replicas. ``tell`` is called with what is to be told of a job."""

    def __init__(self, tell):
        self.tell = tell
        self.waiting = {}  # by what is waited for: sockets of replicas that may get one, and listeners

    def expect(self, sock, pid, job_id):
        """Wait for what a replica that was just forked can get."""
        self.waiting[sock.fileno()] = Coming(sock, pid, job_id)

    def handle(self, fd):
        """Do what is to be done where something has come."""
        found = self.waiting[fd]
        if isinstance(found, Coming):
            del self.waiting[fd]
            self.welcome(found)
        elif not found.answer():
            self.close(fd)

    def welcome(self, coming):
        """Serve a replica from now on, if it got as far as that and its sockets can be reached."""
        with coming.sock as sock:
            try:
                data, fds, _, _ = socket.recv_fds(sock, 4096, 1)
                because = data.decode() if not fds else why_not(coming.pid, int(data))
                if fds:
                    # Also where it is not used: what waits must be answered.
                    told = functools.partial(self.tell_port, coming.job_id)
                    self.waiting[fds[0]] = OwnLoopback(coming.pid, fds[0], told, is_used=not because)
                self.tell_network(coming, because)
                sock.send((because or _OWN).encode())
            except OSError:
                return  # it has ended

    def tell_network(self, coming, because):
        kind, address = ("watched", "") if because else (_OWN, address_of(coming.pid))
        self.tell({"event": "network", "id": coming.job_id, "kind": kind, "address": address, "because": because})

    def tell_port(self, job_id, port, was_mistaken):
        self.tell({"event": "listens", "id": job_id, "port": port, "was_mistaken": was_mistaken})

    def close(self, fd):
        os.close(fd)
        del self.waiting[fd]

    def forget(self):
        """In a fork: these are the keeper's."""
        for fd, found in self.waiting.items():
            if isinstance(found, Coming):
                found.sock.detach()
            os.close(fd)
        self.waiting.clear()


class Coming:
    """A replica that is about to say what it could get."""

    def __init__(self, sock, pid, job_id):
        self.sock = sock
        self.pid = pid
        self.job_id = job_id


def why_not(pid, sample):
    """Say why the calls of this process cannot be answered; empty where they can. ``sample``: where it has some
    memory to try that with."""
    try:
        os.close(descriptor_of(pid, 1))
    except OSError as error:
        return f"the sockets of a replica cannot be reached (pidfd_getfd: {error.strerror})"
    try:
        write_memory(pid, sample, memory_of(pid, sample, len(_SAMPLE)))
    except OSError as error:
        return f"what a replica asks for cannot be read (/proc/{pid}/mem: {error.strerror})"
    return ""


class OwnLoopback:
    """Answers for one replica and all it starts. ``told``: is called with a port that it listens at, and whether it
    has taken another program's server there for its own before."""

    def __init__(self, pid, listener, told, *, is_used=True):
        self.own = {_V4: address_of(pid, _V4), _V6: address_of(pid, _V6)}
        self.listener = listener
        self.told = told
        self.ports = {}  # port -> the addresses, of both, at which a socket was bound to it
        self.reached = set()  # ports of this machine that it connected to when it had no socket there
        self.is_used = is_used
        self.poll = select.poll()
        self.poll.register(listener, select.POLLIN)
        _, _, self.bind_number, _ = _MACHINES[platform.machine()]

    def answer(self):
        """Answer one call; tell whether there may be more: nobody is left who could ask when all have ended."""
        if not any(events & select.POLLIN for _, events in self.poll.poll(0)):
            return False
        call = bytearray(_CALL.size)
        try:
            fcntl.ioctl(self.listener, _RECEIVE, call)
        except OSError as error:
            return error.errno in (errno.EINTR, errno.ENOENT)  # it has ended, or was interrupted, since it asked
        number, pid, _, what, _, _, fd, pointer, length, *_ = _CALL.unpack(call)
        result = None
        try:
            if self.is_used:
                result = self.act(pid, what, fd, pointer, min(length & 0xFFFFFFFF, 28), number)
        except OSError:
            pass  # it has ended, or hides itself: it goes on as it asked
        except Exception:
            traceback.print_exc()
        with contextlib.suppress(OSError):
            flags = _CONTINUE if result is None else 0
            fcntl.ioctl(self.listener, _SEND, bytearray(_ANSWER.pack(number, 0, -(result or 0), flags)))
        return True

    def act(self, pid, what, fd, pointer, length, number):
        """Do what was asked in another way: 0 or the number of an error; None where it goes on as asked."""
        asked = SocketAddress.of(memory_of(pid, pointer, length))
        if asked is None or not asked.port:
            return None
        if what == self.bind_number:
            return self.bind(pid, fd, asked) if asked.is_here() else None
        if asked.port in self.ports:
            if asked.is_here():
                self.redirect(pid, fd, pointer, asked, number)
        elif asked.is_loopback():
            self.reached.add(asked.port)
        return None

    def bind(self, pid, fd, asked):
        """Bind a socket of another process at the replica's own address."""
        with socket.socket(fileno=descriptor_of(pid, fd)) as sock:
            if sock.type != socket.SOCK_STREAM:
                return None
            try:
                if sock.family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                    sock.bind(("::ffff:" + self.own[_V6], asked.port))
                else:
                    sock.bind((self.own[_V4], asked.port))
            except OSError as error:
                return error.errno
        found = self.ports.setdefault(asked.port, set())
        found.add(_V6 if asked.is_v6 else _V4)
        if len(found) == 1:
            self.told(asked.port, asked.port in self.reached and is_taken(asked.port))
        return 0

    def redirect(self, pid, fd, pointer, asked, number):
        """Let the call that waits go to the replica's own server: what it reads is changed before it goes on."""
        with socket.socket(fileno=descriptor_of(pid, fd)) as sock:
            if sock.type != socket.SOCK_STREAM:
                return
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        mine = self.ports[asked.port]
        wanted = _V6 if asked.is_v6 and not asked.is_mapped else _V4
        own = socket.inet_aton(self.own[wanted if wanted in mine else next(iter(mine))])
        fcntl.ioctl(self.listener, _STILL_WAITS, struct.pack("Q", number))  # the process is the one that asked
        write_memory(pid, pointer + (8 if asked.is_v6 else 4), _MAPPED + own if asked.is_v6 else own)


class SocketAddress:
    """An internet address and port, at which a socket is to be bound, or to which it is to be connected."""

    def __init__(self, is_v6, port, host):
        self.is_v6 = is_v6
        self.port = port
        self.host = host

    @classmethod
    def of(cls, data):
        """Read a ``sockaddr``; None for one of another family."""
        family = int.from_bytes(data[:2], sys.byteorder)
        if family == socket.AF_INET and len(data) >= 8:
            return cls(False, int.from_bytes(data[2:4], "big"), data[4:8])
        if family == socket.AF_INET6 and len(data) >= 24:
            return cls(True, int.from_bytes(data[2:4], "big"), data[8:24])
        return None

    @property
    def is_mapped(self):
        return self.is_v6 and self.host.startswith(_MAPPED)

    def is_loopback(self):
        """Tell whether it is an address that other machines cannot mean."""
        return self.host == _LOOP6 if self.is_v6 and not self.is_mapped else self.host[-4] == 127

    def is_here(self):
        """Tell whether it is this machine: any of its addresses, or the one that means all of them."""
        if self.is_v6 and not self.is_mapped:
            return self.host in (_ANY6, _LOOP6) or is_local(socket.AF_INET6, self.host)
        host = self.host[-4:]
        if host[0] == 127:
            return host[1] not in range(_V4, _V6 + 64)  # one of ours is meant as it is
        return host == b"\0" * 4 or is_local(socket.AF_INET, host)


def is_taken(port):
    """Tell whether a program listens at this port of the machine's own loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else what is left of connections counts, too
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def is_local(family, host):
    """Tell whether it is an address of this machine."""
    with socket.socket(family) as probe:
        try:
            probe.bind((socket.inet_ntop(family, host), 0))
        except OSError:
            return False
    return True


def descriptor_of(pid, fd):
    """Return a descriptor of what a process (one of its threads) has open under this number."""
    libc = ctypes.CDLL(None, use_errno=True)
    process = libc.syscall(_PIDFD_OPEN, pid, 0)
    if process < 0:
        process = libc.syscall(_PIDFD_OPEN, process_of(pid), 0)  # of a thread
    if process < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        found = libc.syscall(_PIDFD_GETFD, process, ctypes.c_int(fd & 0xFFFFFFFF), 0)
        if found < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return found
    finally:
        os.close(process)


def process_of(thread):
    """Return the id of a thread's process."""
    with open(f"/proc/{thread}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))


def memory_of(pid, pointer, length):
    """Read what a process has there."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, length, pointer)
    finally:
        os.close(memory)


def write_memory(pid, pointer, data):
    """Change what a process has there."""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(memory, data, pointer)
    finally:
        os.close(memory)


# ── to try it ──────────────────────────────────────────────────────────────────────────────────────────────


def trial():
    """Say why a fork of this process can have no loopback of its own; empty where it can."""
    told = []
    keeper = OwnLoopbacks(told.append)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        enter(theirs)
        os._exit(0)
    theirs.close()
    keeper.expect(ours, pid, 0)
    keeper.handle(ours.fileno())
    os.waitpid(pid, 0)
    keeper.forget()
    return told[0]["because"] if told else "the system did not say"


if __name__ == "__main__":
    print(trial())
