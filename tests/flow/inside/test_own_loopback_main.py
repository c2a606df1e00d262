"""A loopback of one's own: a keeper in a process, and in its forks programs that bind and connect sockets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.cli.doctor_checks import check_network
from clarifai_emulator.inside import own_loopback_main
from flow.driver import free_port
from models_with_servers import REFUSED_CALL

# Forks a process for each argument, which runs it as a program; prints what the keeper was told of them.
KEEPER = """
import json, os, select, socket, subprocess, sys, threading, traceback
sys.path.insert(0, os.path.dirname(sys.argv[1]))
import own_loopback_main as own

def begin(number, program):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        keeper.forget()
        ours.close()
        why = own.enter(theirs)
        status = 1
        try:
            exec(HEAD + program, {"WHY": why})
            status = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    theirs.close()
    keeper.expect(ours, pid, number)
    return pid

HEAD = '''
import json, os, socket, subprocess, sys, threading
def listen(host, port, family=socket.AF_INET, only_v6=None, kind=socket.SOCK_STREAM):
    sock = socket.socket(family, kind)
    if only_v6 is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock
def connect(host, port, family=socket.AF_INET, timeout=None):
    with socket.socket(family) as sock:
        sock.settimeout(timeout)
        sock.connect((host, port))
        return sock.getpeername()[0]
'''
# BEFORE
told = []
keeper = own.OwnLoopbacks(told.append)
running = {begin(number, program) for number, program in enumerate(sys.argv[2:])}
while running or keeper.waiting:
    ready = select.select(list(keeper.waiting), [], [], 0.02)[0]
    for fd in ready:
        keeper.handle(fd)
    running -= {pid for pid in running if os.waitpid(pid, os.WNOHANG)[0]}
print(json.dumps({"told": told}))
"""


class Kept:
    """The programs that a keeper kept: what they printed, and what it was told of them."""

    def __init__(self, *programs: str, before: str = "") -> None:
        script = str(Path(own_loopback_main.__file__))
        command = [sys.executable, "-c", KEEPER.replace("# BEFORE", before), script, *programs]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert not done.stderr, done.stderr
        *self.printed, last = [json.loads(line) for line in done.stdout.splitlines()]
        self.told: list[dict[str, Any]] = last["told"]

    @property
    def addresses(self) -> list[str]:
        return [each["address"] for each in self.told if each["event"] == "network"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "127.0.0.5"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_what_listens_in_a_replica_is_reached_in_it_by_every_name(host: str, name: str) -> None:
    port = free_port()
    kept = Kept(
        f"server = listen('{host}', {port}); print(json.dumps([connect('{name}', {port}),"
        f" connect('{name}', {port}, timeout=5), server.getsockname()[0]]))"
    )
    (address,) = kept.addresses
    assert kept.printed == [[address] * 3]
    assert {"event": "listens", "id": 0, "port": port, "was_mistaken": False} in kept.told


@pytest.mark.parametrize(("host", "only_v6"), [("::1", 1), ("::", 0), ("::", 1)])
def test_a_server_of_ipv6_is_reached_over_both(host: str, only_v6: int) -> None:
    port = free_port()
    kept = Kept(
        f"server = listen('{host}', {port}, socket.AF_INET6, {only_v6}); print(json.dumps("
        f"[connect('127.0.0.1', {port}), connect('::1', {port}, socket.AF_INET6)]))"
    )
    own = kept.addresses[0].replace("127.64.", "127.128.")
    assert kept.printed == [[own, f"::ffff:{own}"]]


def test_servers_for_ipv4_and_ipv6_share_a_port_as_ever() -> None:
    port = free_port()
    kept = Kept(
        f"both = listen('0.0.0.0', {port}), listen('::', {port}, socket.AF_INET6, 1); print(json.dumps("
        f"[connect('127.0.0.1', {port}) == both[0].getsockname()[0],"
        f" connect('::1', {port}, socket.AF_INET6) == both[1].getsockname()[0]]))"
    )
    assert kept.printed == [[True, True]]


def test_a_port_that_is_taken_in_a_replica_is_taken() -> None:
    port = free_port()
    kept = Kept(
        f"server = listen('127.0.0.1', {port})\n"
        f"try: listen('0.0.0.0', {port})\n"
        "except OSError as error: print(json.dumps(error.strerror))"
    )
    assert kept.printed == ["Address already in use"]


def test_two_replicas_listen_at_one_port_and_reach_their_own_server_from_threads_and_other_programs() -> None:
    port = free_port()
    ask = f"exec 3<>/dev/tcp/127.0.0.1/{port} && head -c 20 <&3"
    program = f"""
server = listen('0.0.0.0', {port})
def serve():
    while True:
        sock = server.accept()[0]
        sock.sendall(str(os.getpid()).ljust(20).encode())
        sock.close()
threading.Thread(target=serve, daemon=True).start()
said = []
asking = threading.Thread(target=lambda: said.append(subprocess.check_output(['bash', '-c', {ask!r}])))
asking.start()
asking.join()
print(json.dumps(int(said[0]) == os.getpid()))
"""
    kept = Kept(program, program)
    assert kept.printed == [True, True]
    assert len(set(kept.addresses)) == 2


def test_what_others_listen_at_is_reached_and_nothing_else_is_changed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        kept = Kept(
            f"print(json.dumps([connect('127.0.0.1', {port}), listen('127.0.0.1', 0).getsockname()[0],"
            " listen('127.0.0.1', 0, kind=socket.SOCK_DGRAM).getsockname()[0]]))"
        )
    assert kept.printed == [["127.0.0.1"] * 3]


def test_it_is_told_when_a_replica_took_the_server_of_others_for_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        port = theirs.getsockname()[1]
        kept = Kept(f"connect('127.0.0.1', {port}); server = listen('127.0.0.1', {port})")
    assert {"event": "listens", "id": 0, "port": port, "was_mistaken": True} in kept.told


def test_a_user_without_privileges_has_it_too() -> None:
    port = free_port()
    program = f"server = listen('127.0.0.1', {port}); print(json.dumps(connect('127.0.0.1', {port})))"
    kept = Kept(program, before=AS_NOBODY)
    assert kept.printed == kept.addresses


AS_NOBODY = """
import ctypes, os
if os.getuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, as a process is that was started by this user
"""


def test_where_the_system_refuses_it_the_reason_is_told_and_ports_are_the_machines() -> None:
    port = free_port()
    kept = Kept(
        f"server = listen('127.0.0.1', {port}); print(json.dumps([connect('127.0.0.1', {port}), WHY]))",
        before=REFUSED_CALL,
    )
    because = "the sockets of a replica cannot be reached (pidfd_getfd: Operation not permitted)"
    assert kept.printed == [["127.0.0.1", because]]
    assert kept.told == [{"event": "network", "id": 0, "kind": "watched", "address": "", "because": because}]


def test_doctor_says_whether_it_can_be_had_and_else_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = check_network()
    assert (found.level, found.found) == (
        "ok",
        "each replica has a loopback of its own: a model's server may have any port",
    )
    refusing = tmp_path / "refusing.py"
    refusing.write_text(REFUSED_CALL + f"exec(open({own_loopback_main.__file__!r}).read())")
    monkeypatch.setattr(own_loopback_main, "__file__", str(refusing))
    found = check_network()
    assert (found.level, found.found) == (
        "warn",
        "replicas share this machine's ports: the sockets of a replica cannot be reached (pidfd_getfd: Operation "
        "not permitted)",
    )
    assert found.advice == (
        "Two models with a server at one port cannot run at once (docs/backends.md); in containers they can."
    )
