"""An engine is found, described, and told where its containers meet the emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.backends.docker.engine import (
    Engine,
    candidates,
    describe,
    meeting_point,
)

LOCAL = "unix:///var/run/docker.sock"


def engine(address: str = LOCAL, *, components: tuple[str, ...] = ("Engine",), **info: Any) -> Engine:
    version = {"Version": "27.0", "Arch": "amd64", "Components": [{"Name": name} for name in components]}
    return describe(address, "here", version, info)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (engine(), "docker"),
        (engine(SecurityOptions=["name=seccomp", "name=rootless"]), "rootless docker"),
        (engine(OperatingSystem="Docker Desktop"), "docker desktop"),
        (engine(components=("Podman Engine", "Conmon")), "podman"),
        (engine(components=("Podman Engine",), SecurityOptions=["name=rootless"]), "rootless podman"),
    ],
)
def test_an_engine_is_named_by_what_it_says_of_itself(found: Engine, kind: str) -> None:
    assert found.kind == kind
    assert str(found) == f"{kind} 27.0 at {LOCAL} (here)"


def test_replicas_meet_the_emulator_on_their_bridge_where_this_machine_has_it() -> None:
    meeting = meeting_point(engine(), "172.18.0.1")
    assert (meeting.listen, meeting.may_come_later) == ("172.18.0.1", True)


def test_desktop_has_a_name_for_this_machine_and_needs_its_loopback_only() -> None:
    meeting = meeting_point(engine(OperatingSystem="Docker Desktop"), "172.18.0.1")
    assert (meeting.listen, meeting.advertised) == ("127.0.0.1", "host.docker.internal")


def test_what_the_user_says_wins() -> None:
    meeting = meeting_point(engine(), "172.18.0.1", "10.1.1.1")
    assert (meeting.advertised, meeting.may_come_later) == ("10.1.1.1", False), "a slip of the pen is told"


def test_engines_are_looked_for_where_they_usually_are_unless_one_is_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": "/run/user/7"}
    found = [address for address, _ in candidates("", environ)]
    assert found[0] == LOCAL
    assert "unix:///run/user/7/docker.sock" in found
    assert "unix:///run/user/7/podman/podman.sock" in found
    assert list(candidates("", {**environ, "DOCKER_HOST": "tcp://far:1"})) == [("tcp://far:1", "DOCKER_HOST")]
    assert list(candidates("unix:///x", {"DOCKER_HOST": "tcp://far:1"})) == [("unix:///x", "as configured")]
