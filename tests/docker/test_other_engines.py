"""Replicas run on the engine of another machine, reached over TLS or SSH, and connect back to the emulator."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.engine import connect
from docker import DockerClient
from docker_containers import containers, look, write_looks
from docker_engine import SETTINGS, Unavailable, import_base
from flow.driver import Client, live_replicas, running
from other_engines import HERE, OtherMachine, other_machine

POOL = """
compute_clusters:
  - id: home
    nodepools:
      - {{id: box, docker_host: "{address}", instance_types: [{{id: t3a.medium}}],
         node_capacity_type: {{capacity_types: [1]}}, max_instances: 3}}
"""


def say(line: str) -> None:
    """Show what setting up comes to."""
    print(line)


@pytest.fixture(scope="module")
def other() -> Generator[OtherMachine]:
    """Yield the second machine; its engine has the base image."""
    try:
        with other_machine(say) as machine:
            client, _ = connect(machine.engine.address)
            import_base(client, say)
            client.close()
            yield machine
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def way_there(other: OtherMachine, monkeypatch: pytest.MonkeyPatch) -> OtherMachine:
    """Let this process reach the second machine as a user would: by its keys and certificates."""
    monkeypatch.setenv("PATH", f"{other.ssh}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(other.certificates))
    return other


@pytest.fixture
def there(other: OtherMachine) -> Generator[DockerClient]:
    """Yield a client of the engine there, past the network."""
    client, _ = connect(other.engine.address)
    yield client
    client.close()


@pytest.mark.parametrize("how", ["tls", "ssh"])
def test_a_model_answers_from_another_machine(
    way_there: OtherMachine, there: DockerClient, tmp_path: Path, how: str
) -> None:
    address = way_there.ssh_address if how == "ssh" else way_there.tls_address
    with running(backend="docker", docker=replace(SETTINGS, engine=address)) as emulator:
        emulator.deploy(write_looks(tmp_path))
        with closing(Client(emulator.url)) as client:
            assert look(client, "6 * 7") == 42
        (container,) = containers(there)
        environ = dict(each.split("=", 1) for each in container.attrs["Config"]["Env"])
        assert environ["CLARIFAI_API_BASE"].startswith(f"https://{HERE}:")
        (replica,) = live_replicas(emulator, "deploy-looks")
        assert replica["machine"] == address
