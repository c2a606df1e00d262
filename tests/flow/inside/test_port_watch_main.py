"""The watch over ports: which a replica keeps from others, and whose a port is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from clarifai_emulator.inside.port_watch_main import MARK, PortWatch, is_here, listeners, looking_after, ports_of
from flow.driver import free_port

LISTENING = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
sys.stdin.read()
"""


def refusal(watch: PortWatch, port: int) -> str:
    return watch.refusal(port, frozenset(listeners().get(port, ())))


class Listening:
    """A program that listens at a port, started by the replica of this id."""

    def __init__(self, port: int, replica_id: str) -> None:
        command = [sys.executable, "-c", LISTENING, str(port)]
        environ = {**os.environ, MARK: replica_id}
        self.process = subprocess.Popen(
            command, env=environ, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> int:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"listens\n"
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def test_a_replica_keeps_the_ports_that_it_and_its_programs_have_chosen() -> None:
    mine, theirs, others = sorted(free_port() for _ in range(3))
    with socket.create_server(("127.0.0.1", mine)), socket.create_server(("127.0.0.1", 0)) as any_one:
        any_port = any_one.getsockname()[1]
        with Listening(theirs, "r1"), Listening(others, "r2"):
            assert ports_of(-1, "r1") == [theirs]
            held = ports_of(os.getpid(), "r1")  # with what this process has started, as of a replica's leader
    assert {mine, theirs, others} <= set(held)
    assert any_port not in held


def test_the_port_of_another_replica_is_refused_and_named() -> None:
    port = free_port()
    watch = PortWatch(-1, "r1")
    assert refusal(watch, port) == ""
    with Listening(port, "another-replica") as pid:
        said = refusal(watch, port)
        assert said == refusal(watch, port)
    assert said == (
        f"port {port} of this machine, which the model connects to, belongs to replica another- (working in "
        f"{os.getcwd()}): process {pid} listens there, and its answers would be taken for this model's. Replicas "
        "share the machine's ports here (`clarifai-emulator status` says why). Let the model's server take a free "
        "port, run one replica of the two at a time, or run them in containers (--backend docker)."
    )
    assert refusal(watch, port) == ""


def test_its_own_port_and_those_of_its_user_are_not_refused() -> None:
    port = free_port()
    with Listening(port, "r1"):
        assert refusal(PortWatch(-1, "r1"), port) == ""
        assert refusal(PortWatch(os.getpid(), "r2"), port) == ""
    with socket.create_server(("127.0.0.1", port)):
        assert refusal(PortWatch(-1, "r1"), port) == ""


def test_a_server_that_begins_between_the_look_and_the_connection_is_refused() -> None:
    port, watch = free_port(), PortWatch(-1, "r1")
    with ExitStack() as servers:

        def connect(client: socket.socket, address: tuple[str, int]) -> int:
            watch.hook("socket.connect", (client, address))  # as Python tells of it: nobody listens yet
            servers.enter_context(Listening(port, "another-replica"))
            client.connect(address)
            return 0

        with socket.socket() as client, pytest.raises(ConnectionRefusedError, match="belongs to replica another-"):
            looking_after(connect, watch)(client, ("127.0.0.1", port))


def test_a_connection_that_fails_is_not_looked_at_again() -> None:
    port, watch = free_port(), PortWatch(-1, "r1")

    def connect(_client: socket.socket, address: tuple[str, int]) -> int:
        watch.unseen.address = address
        raise TimeoutError("too late")

    with socket.socket() as client, Listening(port, "another-replica"):
        with pytest.raises(TimeoutError, match="too late"):
            looking_after(connect, watch)(client, ("127.0.0.1", port))


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 80), ("localhost", 80), ("::1", 80, 0, 0), (b"127.0.0.1", 80), ("127.0.1.1", 80)]
)
def test_what_means_this_machine_is_looked_at(address: tuple[object, ...]) -> None:
    assert is_here(address)


@pytest.mark.parametrize("address", [("10.0.0.1", 80), ("clarifai.com", 443), "/run/socket", ("127.0.0.1", 0)])
def test_other_addresses_are_not_looked_at(address: object) -> None:
    assert not is_here(address)
