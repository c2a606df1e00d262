"""The user at the other end of a connection, by the kernel's answer about it and by its tables."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from clarifai_emulator.machine import peer_users
from clarifai_emulator.machine.peer_users import NOBODYS, NOT_TOLD, Address, user_at
from flow.driver import wait_for

Ends = tuple[Address, Address]


@pytest.fixture(params=["asked", "listed"])
def user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Ends], int]:
    """Return what looks a user up, in either way."""
    if request.param == "listed":

        def unanswered(here: Address, there: Address) -> int:
            raise OSError("no such socket family")

        monkeypatch.setattr(peer_users, "_asked", unanswered)
    return lambda ends: user_at(*ends)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def ends_of(accepted: socket.socket) -> Ends:
    return accepted.getsockname()[:2], accepted.getpeername()[:2]


def test_a_client_is_its_users(listening: socket.socket, user: Callable[[Ends], int]) -> None:
    with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert user(ends_of(accepted)) == os.geteuid()


def test_a_client_that_has_said_all_is_still_its_users(
    listening: socket.socket, user: Callable[[Ends], int]
) -> None:
    with socket.create_connection(listening.getsockname()) as client, listening.accept()[0] as accepted:
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(1) == b""
        assert user(ends_of(accepted)) == os.geteuid()


def test_a_client_that_has_gone_is_nobodys(listening: socket.socket, user: Callable[[Ends], int]) -> None:
    with closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.connect(listening.getsockname())
        accepted = listening.accept()[0]
        ends = ends_of(accepted)
    with accepted, closing(socket.socket()) as another:
        wait_for(lambda: user(ends) == NOBODYS)
        another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another.bind(ends[1])  # the port is another one's now
        another.listen()
        assert user(ends) == NOBODYS


def test_a_client_that_writes_the_address_as_one_of_ipv6_is_found(
    listening: socket.socket, user: Callable[[Ends], int]
) -> None:
    with socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", listening.getsockname()[1]))
        with listening.accept()[0] as accepted:
            assert user(ends_of(accepted)) == os.geteuid()


def test_a_system_that_does_not_tell_says_so(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_users, "is_told", lambda: False)
    with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        assert user_at(*ends_of(accepted)) == NOT_TOLD
