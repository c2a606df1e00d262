"""The network that a replica is to have, by what its user asks for and what the system can do."""

from __future__ import annotations

import sys

import pytest

from clarifai_emulator.backends.replica_network import ReplicaNetwork, asked_for


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")


def can(answer: bool) -> ReplicaNetwork:
    return asked_for("own", forks=False, can_watch=lambda: answer)


def test_a_forked_replica_is_to_have_a_loopback_of_its_own() -> None:
    assert asked_for("own", forks=True, can_watch=lambda: True).kind == "own"


def test_a_spawned_replica_has_its_ports_watched() -> None:
    assert can(True).as_dict() == {
        "kind": "watched",
        "address": "",
        "because": "only replicas that are forked, on Linux, can have a loopback of their own",
    }


def test_where_the_system_tells_nothing_of_ports_nobody_watches_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert asked_for("own", forks=True, can_watch=lambda: False).kind == "shared"
    watched = asked_for("watched", forks=True, can_watch=lambda: False)
    assert (watched.kind, watched.because) == (
        "shared",
        "this system does not say which process listens at a port",
    )


def test_what_the_settings_ask_for_is_the_reason() -> None:
    shared = asked_for("shared", forks=True, can_watch=lambda: True)
    assert (shared.kind, shared.because) == ("shared", "the settings ask for it (--replica-network shared)")
    watched = asked_for("watched", forks=True, can_watch=lambda: True)
    assert watched.because == "the settings ask for it (--replica-network watched)"


def test_only_a_replica_whose_ports_are_watched_holds_them() -> None:
    network = ReplicaNetwork("own", held=lambda: [23333])
    assert network.ports() == ()
    network.take("watched", "", "the kernel refuses to ask (seccomp: Operation not permitted)")
    assert network.ports() == [23333]


def test_the_address_of_a_models_server_is_told() -> None:
    told: list[str] = []
    network = ReplicaNetwork("own", tell=told.append)
    network.take("own", "127.64.18.103", "")
    network.listens(23333, was_mistaken=False)
    assert told == ["[emulator] the model's server at port 23333 is at 127.64.18.103:23333 for others"]


def test_a_model_that_took_anothers_server_for_its_own_is_told() -> None:
    told: list[str] = []
    network = ReplicaNetwork("own", tell=told.append)
    network.listens(11434, was_mistaken=True)
    assert told[1] == (
        "[emulator] another program of this machine listens at port 11434, too, and the model has connected to it "
        "before its own server was there: what it waited for may not be ready yet. End that program, or give the "
        "model's server another port"
    )
