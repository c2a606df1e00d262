"""Forwarding by ``ssh`` is told which socket, or which port, leads where."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.ssh_forward import from_port, socket_of, to_socket


@pytest.mark.parametrize(
    ("address", "socket"),
    [
        ("ssh://me@gpu-box", "/var/run/docker.sock"),
        ("ssh://me@gpu-box/", "/var/run/docker.sock"),
        ("ssh://me@gpu-box:2222/run/user/7/docker.sock", "/run/user/7/docker.sock"),
    ],
)
def test_a_socket_here_leads_to_the_engines_there(address: str, socket: str) -> None:
    assert socket_of(address) == socket
    assert to_socket(address, Path("/tmp/here.sock")) == ("-L", f"/tmp/here.sock:{socket}")


def test_a_port_of_the_loopback_there_leads_here() -> None:
    assert from_port(4567) == ("-R", "127.0.0.1:0:127.0.0.1:4567")
