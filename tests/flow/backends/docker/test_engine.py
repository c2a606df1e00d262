"""Tests addresses of this machine, and looking for an engine where there is none."""

from __future__ import annotations

import gc
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.backends.docker.engine import (
    Engine,
    NoEngine,
    connect,
    describe,
    meeting_point,
    outward_address,
)

LOCAL = "unix:///var/run/docker.sock"


def engine(address: str = LOCAL, *, components: tuple[str, ...] = ("Engine",), **info: Any) -> Engine:
    version = {"Version": "27.0", "Arch": "amd64", "Components": [{"Name": name} for name in components]}
    return describe(address, "here", version, info)


def test_rootless_engines_reach_this_machine_by_its_own_address() -> None:
    rootless = engine(SecurityOptions=["name=rootless"])
    assert meeting_point(rootless, "172.18.0.1").listen == outward_address()


def test_an_engine_at_a_loopback_address_has_its_bridges_here() -> None:
    assert meeting_point(engine("tcp://127.0.0.2:2376"), "172.18.0.1").listen == "172.18.0.1"


def test_an_engine_that_does_not_speak_http_leaves_no_connection_open(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        ending = threading.Thread(target=_hang_up, args=(server,))
        ending.start()
        with pytest.raises(NoEngine, match="No container engine answers"):
            connect(f"unix://{path}")
        ending.join()
    gc.collect()  # a socket that was left open is a warning, and warnings are errors


def _hang_up(server: socket.socket) -> None:
    for _ in range(2):  # whether somebody listens, and the question
        server.accept()[0].close()


def test_without_an_engine_it_is_said_where_it_was_looked_for_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoEngine) as caught:
        connect(f"unix://{tmp_path}/none.sock")
    assert str(caught.value) == (
        "No container engine answers. Looked at:\n"
        f"  - unix://{tmp_path}/none.sock (as configured): there is no such socket\n"
        "Start Docker or Podman, set DOCKER_HOST, or run replicas as processes (--backend process)."
    )
