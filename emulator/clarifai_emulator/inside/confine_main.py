"""Keeps code that is only being looked at from the network, and from writing outside one scratch folder.

Runs in the *model's* Python environment, with the standard library only. What the kernel enforces (seccomp for the
network, Landlock for files) holds for native code and for everything the code starts. Where the kernel has neither,
an audit hook of Python is left: it stops what is written in Python and means no harm, no more. What is in force is
told, so that it can be said.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_IO_URING_SETUP = 425
# Machine → (its name in a filter, the number of socket()).
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}

_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
# Everything that changes a folder: remove, make, link and rename.
_CHANGES = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13
_DEVICES = ("/dev/null", "/dev/zero", "/dev/tty")


def confine(scratch):
    """From now on, for this process and all it starts. Gives what enforces it: ``{"network": …, "writes": …}``."""
    os.environ.update({"HOME": scratch, "TMPDIR": scratch, "XDG_CACHE_HOME": scratch})
    libc = None
    if sys.platform.startswith("linux"):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    writes = "landlock" if libc is not None and _landlock(libc, scratch) else "audit hook"
    network = "seccomp" if libc is not None and _seccomp(libc) else "audit hook"
    sys.addaudithook(_hook(scratch))
    return {"network": network, "writes": writes}


def _seccomp(libc):
    """No internet socket can be made, and no ring that could make one behind the filter's back."""
    if platform.machine() not in _MACHINES or sys.maxsize < 2**32:
        return False
    arch, socket_number = _MACHINES[platform.machine()]
    load, jump, answer = 0x20, 0x15, 0x06
    refuse, allow = 0x00050000 | 13, 0x7FFF0000  # errno EACCES
    program = [
        (load, 0, 0, 4),
        (jump, 0, 6, arch),
        (load, 0, 0, 0),
        (jump, 5, 0, _IO_URING_SETUP),
        (jump, 0, 3, socket_number),
        (load, 0, 0, 16),
        (jump, 2, 0, 2),  # AF_INET
        (jump, 1, 0, 10),  # AF_INET6
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    table = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(table), 0, 0) == 0


def _landlock(libc, scratch):
    """Files can be written, made and removed below ``scratch`` only."""
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    on_files = _WRITE_FILE | (_TRUNCATE if version >= 3 else 0)
    handled = on_files | _CHANGES | (_REFER if version >= 2 else 0)
    rules = libc.syscall(_LANDLOCK_CREATE, struct.pack("Q", handled), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    try:
        allowed = [(scratch, handled), *((device, on_files) for device in _DEVICES)]
        for path, access in allowed:
            with contextlib.suppress(OSError):
                below = os.open(path, os.O_PATH | os.O_CLOEXEC)
                libc.syscall(_LANDLOCK_ADD, rules, 1, struct.pack("=Qi", access, below), 0)
                os.close(below)
        return libc.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _hook(scratch):
    """Says in words what the kernel refuses with a number, and refuses where the kernel cannot."""
    inside = os.path.join(os.path.realpath(scratch), "")

    def hook(event, arguments):
        if event in ("socket.connect", "socket.bind", "socket.sendto") and isinstance(arguments[1], tuple):
            raise PermissionError(f"no network while model.py is looked at: {event} {arguments[1]}")
        if event == "socket.getaddrinfo":
            raise PermissionError(f"no network while model.py is looked at: the address of {arguments[0]}")
        if event == "open" and _writes(arguments) and not _is_inside(arguments[0], inside):
            raise PermissionError(
                f"nothing is written outside a scratch folder while model.py is looked at: {arguments[0]}"
            )

    return hook


def _writes(arguments):
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))


def _is_inside(path, inside):
    if not isinstance(path, (str, bytes)):
        return True  # a descriptor that is open already
    path = os.path.realpath(os.fsdecode(path))
    # A file without a name is opened by its folder.
    return os.path.join(path, "").startswith(inside) or path in _DEVICES
