"""The configuration: defaults, and every problem of it at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.config import EmulatorConfig, default_cache_dir, default_run_dir
from clarifai_emulator.errors import ConfigError


def test_the_defaults_can_be_used_and_are_for_this_machine_only() -> None:
    config = EmulatorConfig()
    assert (config.host, config.port, config.user_id) == ("127.0.0.1", 7878, "me")
    assert config.is_loopback


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"port": -1}, "port must be between 0 and 65535, got -1"),
        ({"port": 65536}, "port must be between 0 and 65535, got 65536"),
        ({"user_id": ""}, "user_id must not be empty"),
        ({"host": "::1"}, "host must be an IPv4 address or a name, got '::1'"),
        ({"pats": {"": "ada"}}, "pats must map non-empty tokens to non-empty user ids"),
        ({"pats": {"token": ""}}, "pats must map non-empty tokens to non-empty user ids"),
        ({"hold_seconds": -0.1}, "hold_seconds must not be negative, got -0.1"),
        ({"request_seconds": -1}, "request_seconds must not be negative, got -1"),
        ({"reclaim_seconds": -1}, "reclaim_seconds must not be negative, got -1"),
        ({"stop_seconds": -1}, "stop_seconds must not be negative, got -1"),
        ({"queue_size": 0}, "queue_size must be at least 1, got 0"),
        ({"num_threads": 0}, "num_threads must be at least 1, got 0"),
        (
            {"allow_hosts": ("http://models.example.com",)},
            "allow_hosts must hold names like models.example.com, without scheme and port, got "
            "'http://models.example.com'",
        ),
        (
            {"cors": ("localhost:3000",)},
            "cors must hold origins like http://localhost:3000, localhost for every port of this machine, "
            "null for pages opened from files, or *, got 'localhost:3000'",
        ),
        ({"topology": (Path("/nowhere/team.yaml"),)}, "topology file /nowhere/team.yaml does not exist"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        EmulatorConfig(**settings)
    assert raised.value.problems == (problem,)
    assert str(raised.value) == f"The emulator's configuration cannot be used:\n  - {problem}"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        EmulatorConfig(port=-1, queue_size=0, user_id="")
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize(
    ("settings"), [{"port": 0}, {"port": 65535}, {"hold_seconds": 0}, {"num_threads": 1}, {"queue_size": 1}]
)
def test_the_ends_of_every_range_can_be_used(settings: dict[str, Any]) -> None:
    EmulatorConfig(**settings)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("box.lan", False),
        ("127.0.0.1.evil.org", False),
        ("", False),
    ],
)
def test_loopback_means_that_only_this_machine_can_connect(host: str, is_loopback: bool) -> None:
    assert EmulatorConfig(host=host).is_loopback is is_loopback


def test_what_reaches_an_address_that_is_not_loopback_is_said(tmp_path: Path) -> None:
    assert EmulatorConfig().exposure == ""
    text = EmulatorConfig(host="10.0.0.7").exposure
    assert text == (
        "10.0.0.7 is not a loopback address: the emulator listens on 10.0.0.7, and other machines can reach every "
        "RPC. Every token is accepted, so anybody is user 'me' and can run, change and delete the models and "
        "deployments here and read what they answer. There is no encryption: whoever sees the traffic reads the "
        "tokens and the data. Name the accepted tokens with --pats FILE. Without --host, only this machine "
        "reaches it."
    )
    pats = tmp_path / "pats.yaml"
    pats.touch()
    text = EmulatorConfig(host="0.0.0.0", pats_file=pats).exposure
    assert "listens on every network address of this machine" in text
    assert "Whoever has one of the accepted tokens can run" in text
    assert "anybody" not in text


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EmulatorConfig().port = 1  # type: ignore[misc]


def test_directories_follow_the_xdg_variables_else_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"XDG_CACHE_HOME": "/cache", "XDG_STATE_HOME": "/state"}
    assert default_cache_dir(environ) == Path("/cache/clarifai-emulator")
    assert default_run_dir(environ) == Path("/state/clarifai-emulator")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_cache_dir({}) == Path("/home/ada/.cache/clarifai-emulator")
    assert default_run_dir({"XDG_STATE_HOME": ""}) == Path("/home/ada/.local/state/clarifai-emulator")
