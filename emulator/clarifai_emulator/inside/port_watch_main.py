"""Keeps a model from taking the answers of another replica's server for its own, where replicas share their ports.

Models that bring a server (vLLM, Ollama) listen at a port that their code names. The second that wants it cannot
listen there, and would talk to the first one's server instead. Here each connection that the model's Python makes
to this machine is looked at first: a port at which another replica listens is refused, by name.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library only, and Linux's ``/proc``.
"""

import contextlib
import errno
import functools
import os
import re
import socket
import sys
import threading

# Set for each replica, and inherited by every program that it starts.
MARK = "CLARIFAI_RUNNER_REPLICA_ID"
REFUSED = "[emulator] refused: "
_SCRIPT = b"zygote_main.py"
_LISTENS = "0A"
_HERE = ("localhost", "::1", "::", "0.0.0.0", "", "::ffff:127.0.0.1")  # noqa: S104 - compared, not bound
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def can_watch():
    """Tell whether this system says which process listens at a port."""
    return os.path.exists("/proc/self/net/tcp") and os.path.exists("/proc/self/fd")


def watch():
    """From now on, in this process and its forks, refuse connections to the servers of other replicas."""
    watching = PortWatch(os.getpid(), os.environ.get(MARK, ""))
    sys.addaudithook(watching.hook)
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, looking_after(getattr(socket.socket, name), watching))


def looking_after(connect, watching):
    """Return a way to connect that looks again where nobody had listened yet: a server may have begun since."""

    @functools.wraps(connect)
    def looked_after(self, address):
        watching.unseen.address = None
        try:
            return connect(self, address)
        except BlockingIOError:
            raise  # and it may have connected already
        except OSError:
            watching.unseen.address = None
            raise
        finally:
            watching.look_again()

    return looked_after


class PortWatch:
    """The connections of the replica with this leader and this id."""

    def __init__(self, leader, replica_id):
        self.leader = leader
        self.replica_id = replica_id
        self.known = {}  # port -> who listened there when it was asked last, and what was found of them
        self.told = set()
        self.unseen = threading.local()  # .address: where this thread connects to, and nobody listened before

    def hook(self, event, arguments):
        if event == "socket.connect" and is_here(arguments[1]):
            sockets = frozenset(listeners().get(arguments[1][1], ()))
            if not sockets:
                self.unseen.address = arguments[1]
            self.judge(arguments[1][1], sockets)

    def look_again(self):
        """Refuse the server that has begun to listen between the look and the connection."""
        address = self.unseen.address
        if address is not None:
            self.judge(address[1], frozenset(listeners().get(address[1], ())))

    def judge(self, port, sockets):
        """Refuse the port if one of these sockets, which listen there, is another replica's."""
        refusal = self.refusal(port, sockets) if sockets else ""
        if refusal:
            self.refuse(refusal)

    def refuse(self, refusal):
        """Say it, and let nothing go on as if the server were the model's own: helpers that wait for a server take
        a failed connection for one that is still to come."""
        if refusal not in self.told:
            self.told.add(refusal)
            print(REFUSED + refusal, file=sys.stderr, flush=True)
        if os.getpid() == self.leader and threading.current_thread() is threading.main_thread():
            os._exit(1)  # it loads its model: requests are served by other threads
        raise ConnectionRefusedError(errno.ECONNREFUSED, refusal)

    def refusal(self, port, sockets):
        """Say why the model must not talk to whom it would find at this port; empty where it may."""
        known = self.known.get(port)
        if known is None or known[0] != sockets:
            known = self.known[port] = sockets, self.found(port, sockets)
        return known[1]

    def found(self, port, sockets):
        for pid in owners(sockets):
            other = self.other_replica(pid)
            if other:
                return (
                    f"port {port} of this machine, which the model connects to, belongs to {other}: process {pid} "
                    "listens there, and its answers would be taken for this model's. Replicas share the machine's "
                    "ports here (`clarifai-emulator status` says why). Let the model's server take a free port, "
                    "run one replica of the two at a time, or run them in containers (--backend docker)."
                )
        return ""

    def other_replica(self, pid):
        """Name the replica that has started this process; empty where none has, or this one."""
        line = ancestors(pid)
        if self.leader in line:
            return ""
        marked = environ_of(pid).get(MARK)
        if marked is not None:
            return "" if marked == self.replica_id else f"replica {marked[:8]}{directory_of(pid)}"
        forked = [each for each in line if _SCRIPT in command_of(each)]
        # The last of them is the keeper of replicas, which listens nowhere.
        return f"another replica{directory_of(forked[-2])}" if len(forked) > 1 else ""


def is_here(address):
    """Tell whether a socket's address means this machine, by one of the names that servers are called by."""
    if not isinstance(address, tuple) or len(address) < 2 or not address[1]:
        return False
    host = address[0]
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("latin-1")
    return str(host).startswith("127.") or host in _HERE


def ports_of(leader, replica_id):
    """Return the ports of this machine that a replica keeps from others, in order: those at which its processes
    listen, and all that they have started, in whatever session. Ports that the system has chosen are none that
    another would ask for."""
    chosen = chosen_by_system()
    inodes = {each: port for port, found in listeners().items() if port not in chosen for each in found}
    if not inodes:
        return []
    held = set()
    for pid in processes():
        sockets = sockets_of(pid) & inodes.keys()
        if sockets and (leader in ancestors(pid) or environ_of(pid).get(MARK) == replica_id):
            held.update(inodes[each] for each in sockets)
    return sorted(held)


def chosen_by_system():
    """Return the ports that the system gives to who asks for any."""
    with contextlib.suppress(OSError, ValueError), open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
        return range(first, last + 1)
    return range(0)


def listeners():
    """Return the listening sockets (inodes) of this machine by their port."""
    found = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{name}") as table:
            next(table, None)
            for line in table:
                fields = line.split()
                if fields[3] == _LISTENS:
                    found.setdefault(int(fields[1].rpartition(":")[2], 16), set()).add(fields[9])
    return found


def owners(inodes):
    """Return the processes that hold one of these sockets, as far as this user may look."""
    return [pid for pid in processes() if sockets_of(pid) & inodes]


def processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def sockets_of(pid):
    """Return the sockets (inodes) that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                match = _SOCKET.match(os.readlink(f"/proc/{pid}/fd/{name}"))
                if match:
                    found.add(match.group(1))
    return found


def ancestors(pid):
    """Return the process and its ancestors, upwards."""
    line = []
    while pid > 1 and pid not in line:
        line.append(pid)
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return line


def environ_of(pid):
    """Return the variables that a program was started with; of a fork, those of its parent's program."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        pairs = (each.partition(b"=") for each in file.read().split(b"\0"))
        return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    return {}


def command_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
    return b""


def directory_of(pid):
    """Say where a process works, which for most is the directory of its model."""
    with contextlib.suppress(OSError):
        return f" (working in {os.readlink(f'/proc/{pid}/cwd')})"
    return ""
