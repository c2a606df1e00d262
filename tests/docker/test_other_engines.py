"""Replicas run on the engine of another machine, reached over TLS or SSH, and connect back to the emulator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.backends.docker.engine import connect
from clarifai_emulator.backends.docker.labels import INSTANCE
from clarifai_emulator.backends.docker.way_back import CERTIFICATE_PATH
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError, ModelError
from docker import DockerClient
from docker_containers import containers, look, write_looks
from docker_engine import BASE_IMAGE, SETTINGS, Unavailable, import_base
from flow.driver import MODELS, Client, inference_request, live_replicas, logged, running, text_of, wait_for
from flow.processes import children_of, environment
from other_engines import HERE, THERE, OtherMachine, know_host, other_machine

POOL = """
  - {{id: {name}, compute_cluster: {{id: local}}, docker_host: "{address}", instance_types: [{{id: {kind}}}],
     node_capacity_type: {{capacity_types: [1]}}, max_instances: 4}}
"""
PRINTS = "print('seen in the log', flush=True) or 42"
NVIDIA_SMI = """#!/bin/sh
echo "0, GPU-there, NVIDIA A10G, 23028"
"""


def say(line: str) -> None:
    """Show what setting up comes to."""
    print(line)


@pytest.fixture(scope="module")
def other() -> Generator[OtherMachine]:
    """Yield the second machine; its engine has the base image."""
    with ExitStack() as stack:
        try:
            machine = stack.enter_context(other_machine(say))
        except Unavailable as error:
            pytest.skip(str(error))
        client, _ = connect(machine.engine.address)
        import_base(client, say)
        client.close()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PATH", f"{machine.ssh}:{os.environ['PATH']}")
        patch.setenv("DOCKER_TLS_VERIFY", "1")
        patch.setenv("DOCKER_CERT_PATH", str(machine.certificates))
        yield machine


@pytest.fixture
def there(other: OtherMachine) -> Generator[DockerClient]:
    """Yield a client of the engine there, past the network."""
    client, _ = connect(other.engine.address)
    yield client
    client.close()


def topology(folder: Path, **engines: str) -> Path:
    """Write a topology with a nodepool for each of these engines."""
    file = folder / "topology.yaml"
    pools = "".join(POOL.format(name=name, address=address, kind="t3a.medium") for name, address in engines.items())
    file.write_text(f"nodepools:{pools}")
    return file


@pytest.fixture(scope="module")
def boxes(other: OtherMachine, tmp_path_factory: pytest.TempPathFactory) -> Generator[EmulatorThread]:
    """Yield an emulator of processes, with a nodepool on the second machine over TLS and one over SSH."""
    folder = tmp_path_factory.mktemp("boxes")
    file = topology(folder, tls=other.tls_address, ssh=other.ssh_address)
    with running(docker=SETTINGS, topology=(file,), stop_seconds=3.0) as emulator:
        yield emulator


@pytest.fixture
def client(boxes: EmulatorThread) -> Generator[Client]:
    with closing(Client(boxes.url)) as client:
        yield client


@pytest.fixture(autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Take away what a test has deployed."""
    yield
    if "boxes" in request.fixturenames:
        emulator = request.getfixturevalue("boxes")
        for each in emulator.status()["deployments"]:
            emulator.undeploy(each["deployment_id"])


def machines(emulator: EmulatorThread, deployment: str) -> list[str]:
    """Return the machine of each of a deployment's replicas."""
    return [each["machine"] for each in live_replicas(emulator, deployment)]


def environ_of(container: Any) -> dict[str, str]:
    return dict(each.split("=", 1) for each in container.attrs["Config"]["Env"])


def test_nodepools_of_other_machines_serve_beside_this_one(
    boxes: EmulatorThread, client: Client, other: OtherMachine, there: DockerClient, tmp_path: Path
) -> None:
    looks = write_looks(tmp_path)
    boxes.deploy(MODELS / "hello")
    boxes.deploy(looks, nodepool_id="tls", compute_cluster_id="local", deployment_id="over-tls")
    boxes.deploy(looks, nodepool_id="ssh", compute_cluster_id="local", deployment_id="over-ssh")

    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))) == "Hello, you!"
    assert machines(boxes, "deploy-hello") == ["local"]
    assert machines(boxes, "over-tls") == [other.tls_address]
    assert machines(boxes, "over-ssh") == [other.ssh_address]
    for deployment in ("over-tls", "over-ssh"):
        request = inference_request("looks", deployment=deployment, expression="6 * 7")
        assert text_of(client.call("PostModelOutputs", request)) == "42"
    bases = {environ_of(each)["CLARIFAI_API_BASE"] for each in containers(there)}
    assert len(bases) == 2
    assert all(each.startswith(f"https://{HERE}:") for each in bases)
    told = {each.fields["machine"] for each in boxes.events("replica.live")}
    assert {"local", other.tls_address, other.ssh_address} <= told
    cpus = {each["id"]: each["cpus"] for each in boxes.status()["machines"]}
    assert cpus == dict.fromkeys((other.tls_address, other.ssh_address), float(os.cpu_count() or 1))


def test_streams_logs_and_secrets_cross_the_network(
    boxes: EmulatorThread, client: Client, there: DockerClient, tmp_path: Path
) -> None:
    wanted = "secrets:\n  - {id: hf-token, type: env, env_var: HF_TOKEN}\n"
    user = {"user_id": "me"}
    client.call("PostSecrets", user_app_id=user, secrets=[{"id": "hf-token", "value": "planted"}])
    boxes.deploy(write_looks(tmp_path, config=wanted), nodepool_id="tls", compute_cluster_id="local")
    boxes.deploy(MODELS / "hello", nodepool_id="tls", compute_cluster_id="local")

    answers = client.generate(inference_request("hello", "generate", prompt="you"))
    assert [text_of(each) for each in answers if each.outputs and each.outputs[0].data.parts] == ["Hello,", "you!"]
    assert look(client, "os.environ['HF_TOKEN']") == "planted"
    assert look(client, PRINTS) == 42
    wait_for(lambda: any("seen in the log" in line for line in logged(boxes)))


def test_a_deployment_grows_there_from_nothing(
    boxes: EmulatorThread, client: Client, there: DockerClient, tmp_path: Path
) -> None:
    boxes.deploy(
        write_looks(tmp_path), nodepool_id="tls", compute_cluster_id="local", min_replicas=0, max_replicas=2
    )
    assert containers(there) == []
    assert look(client, "6 * 7") == 42
    boxes.deploy(tmp_path / "looks", nodepool_id="tls", compute_cluster_id="local", min_replicas=2, max_replicas=2)
    wait_for(lambda: len(live_replicas(boxes, "deploy-looks")) == 2, seconds=30)
    assert len(containers(there)) == 2


def test_what_listens_for_them_takes_their_credentials_only_and_changes_nothing(
    boxes: EmulatorThread, client: Client, there: DockerClient, tmp_path: Path
) -> None:
    boxes.deploy(write_looks(tmp_path), nodepool_id="tls", compute_cluster_id="local")
    environ = environ_of(containers(there)[0])
    certificate = look(client, f"Path({CERTIFICATE_PATH!r}).read_text()")
    address = environ["CLARIFAI_API_BASE"].removeprefix("https://")
    trusting = grpc.ssl_channel_credentials(certificate.encode())

    def ask(name: str, pat: str, **fields: Any) -> str:
        rpc = rpc_table()[name]
        with grpc.secure_channel(address, trusting) as channel:
            method = channel.unary_unary(
                rpc.path,
                request_serializer=rpc.request_type.SerializeToString,
                response_deserializer=rpc.response_type.FromString,
            )
            request = rpc.request_type(user_app_id={"user_id": "me", "app_id": "demo"}, **fields)
            try:
                answer: Any = method(request, metadata=(("authorization", f"Key {pat}"),), timeout=10)
            except grpc.RpcError as error:
                return str(error.code())  # pyright: ignore[reportAttributeAccessIssue]
            return str(answer.status.code)

    assert ask("ListModels", environ["CLARIFAI_PAT"]) == "10000"
    assert ask("ListModels", "any-token") == "StatusCode.PERMISSION_DENIED"
    assert ask("PostApps", environ["CLARIFAI_PAT"], apps=[{"id": "new"}]) != "10000"
    with pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(_connected(address), server_hostname=HERE)
    # A model's own HTTP clients reach it, too, and trust it for nothing else.
    body = look(
        client,
        "__import__('urllib.request').request.urlopen(__import__('urllib.request').request.Request("
        "os.environ['CLARIFAI_API_BASE'] + '/v2/users/me/apps/demo/models', headers={'Authorization': "
        "'Key ' + os.environ['CLARIFAI_PAT']})).read().decode()",
    )
    assert json.loads(body)["status"]["code"] == 10000


def _connected(address: str) -> Any:
    import socket

    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_its_gpus_are_found_and_given_to_one_replica_each(
    other: OtherMachine, there: DockerClient, tmp_path: Path
) -> None:
    assert other.engine.hook is not None
    script = other.engine.hook / "nvidia-smi"
    script.write_text(NVIDIA_SMI)
    script.chmod(0o755)
    try:
        with (
            running(backend="docker", docker=replace(SETTINGS, engine=other.tls_address)) as emulator,
            closing(Client(emulator.url)) as client,
        ):
            emulator.deploy(write_looks(tmp_path, "wants-gpu", gpus=1), instance="g5.xlarge")
            assert look(client, "os.environ['NVIDIA_VISIBLE_DEVICES']", "wants-gpu") == "GPU-there"
            (replica,) = live_replicas(emulator, "deploy-wants-gpu")
            assert replica["devices"] == ["GPU-there"]
            with pytest.raises(CallerError, match=f"The machine of {other.tls_address} has"):
                emulator.deploy(write_looks(tmp_path / "two", "wants-two", gpus=2))
    finally:
        script.unlink()


def test_a_machine_without_gpus_says_so_and_nothing_runs_without_them(
    boxes: EmulatorThread, other: OtherMachine, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path, "wants-gpu", gpus=1)
    with pytest.raises(CallerError, match="there is no nvidia-smi"):
        boxes.deploy(directory, nodepool_id="tls", compute_cluster_id="local")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("loose_ends")
def test_an_engine_that_ends_fails_its_requests_alone_and_its_replicas_come_back(
    boxes: EmulatorThread, client: Client, other: OtherMachine, there: DockerClient, tmp_path: Path
) -> None:
    boxes.deploy(MODELS / "hello")
    boxes.deploy(write_looks(tmp_path), nodepool_id="tls", compute_cluster_id="local")
    (before,) = live_replicas(boxes, "deploy-looks")
    other.engine.end()
    wait_for(lambda: not live_replicas(boxes, "deploy-looks"), seconds=30)
    assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))) == "Hello, you!"
    other.engine.launch()
    (after,) = wait_for(lambda: live_replicas(boxes, "deploy-looks"), seconds=60)
    assert after["replica_id"] != before["replica_id"]
    assert look(client, "6 * 7") == 42
    assert other.tls_address in str(boxes.events("replica.crashed")[-1].fields)


def test_a_machine_that_vanishes_fails_its_requests_alone(
    boxes: EmulatorThread, client: Client, other: OtherMachine, tmp_path: Path
) -> None:
    boxes.deploy(MODELS / "hello")
    boxes.deploy(write_looks(tmp_path), nodepool_id="tls", compute_cluster_id="local")
    (before,) = live_replicas(boxes, "deploy-looks")
    with other.unreachable():
        assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="you"))) == "Hello, you!"
        wait_for(lambda: not live_replicas(boxes, "deploy-looks"), seconds=60)
        assert text_of(client.call("PostModelOutputs", inference_request("hello", prompt="me"))) == "Hello, me!"
    (after,) = wait_for(lambda: live_replicas(boxes, "deploy-looks"), seconds=60)
    assert after["replica_id"] != before["replica_id"]
    assert look(client, "6 * 7") == 42


def test_where_nothing_gets_back_in_a_tunnel_over_ssh_does_and_is_started_again(
    other: OtherMachine, there: DockerClient, tmp_path: Path
) -> None:
    with (
        other.no_way_back(),
        running(backend="docker", docker=replace(SETTINGS, engine=other.ssh_address)) as emulator,
        closing(Client(emulator.url)) as client,
    ):
        emulator.deploy(write_looks(tmp_path))
        assert look(client, "6 * 7") == 42
        (before,) = live_replicas(emulator, "deploy-looks")
        (tunnel,) = processes("-R 127.0.0.1:0:")
        os.kill(tunnel, signal.SIGKILL)
        wait_for(lambda: emulator.events("replica.crashed"), seconds=20)
        assert "the tunnel over SSH broke" in str(emulator.events("replica.crashed")[-1].fields)
        (after,) = wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=60)
        assert after["replica_id"] != before["replica_id"]
        assert look(client, "6 * 7") == 42
    assert processes(str(THERE)) == []


def networks(there: DockerClient) -> set[str]:
    """Return the networks of emulators on the second machine."""
    return {str(each.id) for each in there.networks.list(filters={"label": INSTANCE})}


def processes(words: str) -> list[int]:
    """Return the processes of ``ssh`` of this emulator with these words in their command line."""
    found: list[int] = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if " -T -o BatchMode" in line and words in line:
            found.append(int(each.parent.name))
    return found


@pytest.mark.parametrize(
    ("advertise", "said"),
    [("10.213.77.99", "no route to host|no answer"), ("192.0.2.1", "no answer|refused|no route|unreachable")],
)
def test_an_address_that_leads_nowhere_is_refused_with_what_to_do(
    other: OtherMachine, tmp_path: Path, advertise: str, said: str
) -> None:
    docker = replace(SETTINGS, engine=other.ssh_address, advertise=(advertise,))
    with running(backend="docker", docker=docker) as emulator, pytest.raises((CallerError, ModelError)) as raised:
        emulator.deploy(write_looks(tmp_path))
    assert "The address that --advertise names" in str(raised.value)
    assert "--advertise ADDRESS" in str(raised.value)


def test_an_unknown_host_key_is_refused_before_anything_is_sent(other: OtherMachine, tmp_path: Path) -> None:
    other_key = tmp_path / "another_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other_key], check=True)
    know_host(other.folder, other_key.with_suffix(".pub").read_text())
    try:
        done = doctor("--docker-host", other.ssh_address)
    finally:
        know_host(other.folder, (other.folder / "host_key.pub").read_text())
    assert done.returncode == 1
    assert "its host key is not the one that is known" in " ".join(done.stdout.split())


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clarifai_emulator", "doctor", f"--docker-base-image={BASE_IMAGE}", *words]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def test_doctor_tries_the_way_there_and_back(other: OtherMachine, there: DockerClient, tmp_path: Path) -> None:
    file = topology(tmp_path, tls=other.tls_address, ssh=other.ssh_address)
    before = networks(there)  # of an emulator of other tests
    done = doctor("--topology", str(file))
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, said
    assert said.count(f"straight to {HERE}, over TLS") == 2
    with other.no_way_back():
        done = doctor("--docker-host", other.ssh_address, "--docker-host", other.tls_address, "--json")
    checks = json.loads(done.stdout)["checks"]
    ways = [each for each in checks if each["name"] == "way back"]
    assert [each["level"] for each in ways] == ["ok", "fail"]
    assert "through a tunnel over SSH" in ways[0]["found"]
    assert f"{HERE}: no answer within 5 s" in ways[1]["found"]
    assert "--advertise ADDRESS" in ways[1]["advice"]
    assert networks(there) == before


def test_what_a_killed_emulator_left_there_is_removed_by_the_next(
    other: OtherMachine, there: DockerClient, tmp_path: Path
) -> None:
    file = topology(tmp_path, box=other.ssh_address)
    text = f"models:\n  - path: {write_looks(tmp_path)}\n    deploy: {{nodepool: box, min_replicas: 1}}\n"
    file.write_text(file.read_text() + text)
    up = ["up", "--port", "0", "--topology", str(file), f"--docker-base-image={BASE_IMAGE}", "--no-docker-limits"]
    up += [f"--docker-ca={SETTINGS.ca_file}"] if SETTINGS.ca_file else []
    others = {each.id for each in containers(there)}  # of an emulator of other tests

    def own() -> list[Any]:
        return [each for each in containers(there) if each.id not in others]

    process = subprocess.Popen(
        [sys.executable, "-m", "clarifai_emulator", *up],
        env=environment(XDG_STATE_HOME=str(tmp_path / "state")),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: [each for each in own() if each.status == "running"], seconds=100)
        connections = set(processes(THERE)) & set(children_of(process.pid))
        assert connections
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # At the latest when the replica, which misses its emulator, says something: `ssh` listens to that still.
    wait_for(lambda: not connections & set(processes(THERE)), seconds=90)
    left = {each.id for each in own()}
    assert left
    with running(backend="docker", docker=replace(SETTINGS, engine=other.tls_address)) as emulator:
        emulator.deploy(write_looks(tmp_path / "next"))
        assert not left & {each.id for each in containers(there)}


def test_the_five_commands_of_the_story_work(other: OtherMachine, there: DockerClient, tmp_path: Path) -> None:
    """Run the first block of docs/machines.md as it stands there, with the address of the second machine."""
    page = (MODELS.parents[1] / "docs" / "machines.md").read_text()
    block = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    assert len(block.splitlines()) == 5
    shutil.copytree(MODELS / "hello", tmp_path / "my-model")
    environ = environment(
        XDG_STATE_HOME=str(tmp_path / "state"),
        CLARIFAI_EMULATOR_DOCKER_BASE_IMAGE=BASE_IMAGE,
        CLARIFAI_EMULATOR_DOCKER_CA=str(SETTINGS.ca_file or ""),
        CLARIFAI_EMULATOR_DOCKER_LIMITS="false",
        CLARIFAI_EMULATOR_PORT="17878",
    )
    program = f'clarifai-emulator() {{ {sys.executable} -m clarifai_emulator "$@"; }}\nset -e\n'
    script = program + block.replace("ssh://me@gpu-box", other.ssh_address).replace(
        "predict my-model", "predict hello"
    )
    try:
        done = subprocess.run(
            ["bash", "-c", script], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        said = " ".join(done.stdout.split())
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Hello, you!" in said
        assert f"a container at {other.ssh_address}" in said
    finally:
        subprocess.run(["bash", "-c", f"{program}clarifai-emulator down"], env=environ, cwd=tmp_path, check=False)
    assert containers(there) == []
