"""Leftovers of a killed emulator are removed, other containers stay, and an engine may go away and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.labels import INSTANCE, REPLICA
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.thread import EmulatorThread
from docker import DockerClient
from docker_containers import containers, look, write_looks
from docker_engine import BASE_IMAGE, SETTINGS, TestEngine
from flow.driver import Client, live_replicas, wait_for
from flow.processes import environment

UP = ["up", "--port", "0", "--backend", "docker", f"--docker-base-image={BASE_IMAGE}", "--no-docker-limits"]
UP += [f"--docker-ca={SETTINGS.ca_file}"] if SETTINGS.ca_file else []


def ours(docker: DockerClient) -> list[str]:
    """Name all containers and networks that emulators made."""
    found = docker.containers.list(all=True, filters={"label": INSTANCE}, ignore_removed=True)
    return sorted(each.name for each in (*found, *docker.networks.list(filters={"label": INSTANCE})))


def kill_an_emulator(folder: Path, docker: DockerClient) -> list[str]:
    """Start an emulator with a replica, kill it; return what it left."""
    before = ours(docker)
    topology = folder / "topology.yaml"
    topology.write_text(f"models:\n  - {{path: {write_looks(folder)}, deploy: {{min_replicas: 1}}}}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", *UP, "--topology", str(topology)],
        env=environment(XDG_STATE_HOME=str(folder / "state")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any("looks" in name for name in set(ours(docker)) - set(before)), seconds=60)
        wait_for(lambda: [each for each in containers(docker) if each.status == "running"], seconds=30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = sorted(set(ours(docker)) - set(before))
    assert len(left) == 2, left
    return left


@pytest.fixture
def bystander(docker: DockerClient) -> object:
    """Yield a container of somebody else, named like one of ours."""
    made = docker.containers.create(BASE_IMAGE, "sleep 60", name="clarifai-emulator-not-ours")
    yield made
    made.remove(force=True)


def test_the_next_emulator_removes_what_a_killed_one_left_and_nothing_else(
    docker: DockerClient, tmp_path: Path, bystander: object
) -> None:
    left = kill_an_emulator(tmp_path, docker)
    with EmulatorThread(EmulatorConfig(port=0, backend="docker", docker=SETTINGS)) as emulator:
        emulator.deploy(write_looks(tmp_path / "next"))
        assert not set(left) & set(ours(docker))
    assert not [name for name in ours(docker) if name in left]
    assert docker.containers.get("clarifai-emulator-not-ours").status == "created"


def test_down_all_removes_what_a_killed_emulator_left(docker: DockerClient, tmp_path: Path) -> None:
    left = kill_an_emulator(tmp_path, docker)
    done = subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", "down", "--all"],
        env=environment(XDG_STATE_HOME=str(tmp_path / "state")),
        capture_output=True,
        text=True,
        check=True,
    )
    for name in left:
        assert name in done.stdout, done.stdout
    assert not set(left) & set(ours(docker))


def test_an_emulator_that_ends_leaves_nothing_but_images(docker: DockerClient, tmp_path: Path) -> None:
    before = ours(docker)
    with EmulatorThread(EmulatorConfig(port=0, backend="docker", docker=SETTINGS)) as emulator:
        emulator.deploy(write_looks(tmp_path), min_replicas=2)
        assert len(ours(docker)) >= len(before) + 2
    assert ours(docker) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("loose_ends")
def test_replicas_come_back_when_the_engine_was_restarted_and_their_containers_do_not_pile_up(
    emulator: EmulatorThread, client: Client, engine: TestEngine, docker: DockerClient, tmp_path: Path
) -> None:
    if engine.process is None:
        pytest.skip("the engine that runs here is not ours: it is not restarted")
    emulator.deploy(write_looks(tmp_path))
    (before,) = live_replicas(emulator, "deploy-looks")
    engine.end()
    wait_for(lambda: not live_replicas(emulator, "deploy-looks"), seconds=30)
    engine.launch()
    (after,) = wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=60)
    assert after["replica_id"] != before["replica_id"]
    assert look(client, "6 * 7") == 42
    assert [each.labels[REPLICA] for each in containers(docker)] == [after["replica_id"]]


def test_doctor_says_which_engine_it_found(engine: TestEngine) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", "doctor"], env=dict(os.environ), capture_output=True, text=True
    )
    assert "docker 20.10" in done.stdout or f"{engine.address}" in done.stdout
    assert "DOCKER_HOST" in done.stdout


def test_a_deployment_that_is_deleted_while_its_container_starts_leaves_none(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path), min_replicas=1, wait=False)
    wait_for(lambda: emulator.events("replica.starting"))
    client.call("DeleteDeployments", user_app_id={"user_id": "me"}, ids=["deploy-looks"])
    wait_for(lambda: emulator.events("replica.stopped"), seconds=30)
    wait_for(lambda: not containers(docker), seconds=15)


def test_a_network_that_somebody_removed_is_made_again(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))
    network = next(iter(containers(docker)[0].attrs["NetworkSettings"]["Networks"]))
    emulator.reset()
    wait_for(lambda: not containers(docker), seconds=15)
    docker.networks.get(network).remove()
    emulator.deploy(write_looks(tmp_path / "again"))
    assert look(client, "'there'") == "there"
