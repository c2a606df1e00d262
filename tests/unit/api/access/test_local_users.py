"""Tests from whom an emulator that takes any token takes it."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Authenticator, Caller
from clarifai_emulator.api.access.local_users import RUNS_CODE, LocalUsers
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.peer import NO_PEER, Address, Peer
from clarifai_emulator.errors import CallerError
from clarifai_emulator.machine.peer_users import NOBODYS, NOT_TOLD

HERE, THERE = ("127.0.0.1", 7878), ("127.0.0.1", 40_000)
ANY = {"authorization": "Key any"}
OWN, OTHER = 4711, 4712


def authenticator(user: int, callers: dict[str, Caller] | None = None) -> Authenticator:
    """Return one where every connection is this user's."""
    local_users = LocalUsers(lambda here, there: user, own=OWN)
    return Authenticator(user_id="me", callers=callers or {}, local_users=local_users, run_token="of-the-run")


@pytest.mark.parametrize("user", [OWN, 0])
def test_its_own_user_and_root_bring_any_token(user: int) -> None:
    assert authenticator(user).authenticate(ANY, Peer(HERE, THERE)) == Caller("me")


@pytest.mark.parametrize(
    ("user", "told"),
    [
        (
            OTHER,
            "This connection comes from the user with id 4712, and the emulator belongs to the user with id 4711",
        ),
        (NOBODYS, "The client closed its connection before it could be told whose it is. Keep it open"),
    ],
)
def test_others_bring_a_token_that_is_known(user: int, told: str) -> None:
    with pytest.raises(CallerError, match=told) as raised:
        authenticator(user).authenticate(ANY, Peer(HERE, THERE))
    assert raised.value.code == StatusCode.CONN_KEY_NOT_FOUND
    known = authenticator(user, {"known": Caller("ada")})
    assert known.authenticate({"authorization": "Key known"}, Peer(HERE, THERE)) == Caller("ada")


@pytest.mark.parametrize(
    "peer",
    [NO_PEER, Peer(("172.17.0.1", 7878), ("172.17.0.2", 4000)), Peer(("10.0.0.1", 7878), ("10.0.0.2", 4000))],
)
def test_other_machines_containers_and_calls_without_a_connection_are_no_other_users(peer: Peer) -> None:
    assert authenticator(OTHER).authenticate(ANY, peer) == Caller("me")


def test_a_process_that_takes_another_address_of_this_machine_is_looked_up_too() -> None:
    with pytest.raises(CallerError):
        authenticator(OTHER).authenticate(ANY, Peer(("10.0.0.1", 7878), ("10.0.0.1", 4000)))


def test_a_token_that_tests_share_is_no_secret() -> None:
    shared = authenticator(OTHER)
    shared.admit("guessable", "me-gw0")
    with pytest.raises(CallerError):
        shared.authenticate({"authorization": "Key guessable"}, Peer(HERE, THERE))
    assert shared.authenticate({"authorization": "Key guessable"}).user_id == "me-gw0"


def test_a_connection_is_looked_up_once() -> None:
    asked: list[Address] = []

    def look_up(here: Address, there: Address) -> int:
        asked.append(there)
        return OWN

    taking = Authenticator(user_id="me", callers={}, local_users=LocalUsers(look_up, own=OWN))
    peer = Peer(HERE, THERE)
    for _ in range(3):
        taking.authenticate(ANY, peer)
    assert asked == [THERE]


def test_where_nobody_tells_only_the_token_of_the_run_leads_to_code() -> None:
    untold, peer = authenticator(NOT_TOLD), Peer(HERE, THERE)
    anyone = untold.authenticate(ANY, peer)
    anyone.require(rpc_table()["PostModelOutputs"])
    for name in RUNS_CODE:
        with pytest.raises(CallerError) as raised:
            anyone.require(rpc_table()[name])
        assert raised.value.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    of_the_run = untold.authenticate({"authorization": "Key of-the-run"}, peer)
    assert of_the_run == Caller("me")
    assert of_the_run.covers(anyone)
    assert not anyone.covers(of_the_run)


def test_what_leads_to_code_is_a_list_of_rpcs_of_the_platform() -> None:
    assert rpc_table().keys() >= RUNS_CODE
