"""A replica's container: what it runs, as whom, what it may, what it is told, and whom it reaches."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

import platform_trap
from clarifai_emulator.backends.docker.engine import outward_address
from clarifai_emulator.control.thread import EmulatorThread
from docker import DockerClient
from docker_containers import container_of, containers, log, look, write_looks
from docker_engine import SETTINGS, TestEngine
from flow.driver import MODELS, RUNNERS, Client, inference_request, live_replicas, running, text_of, wait_for

DIALS = """
def dial(url, rpc, token):
    import grpc
    from clarifai_grpc.grpc.api import service_pb2, service_pb2_grpc
    stub = service_pb2_grpc.V2Stub(grpc.insecure_channel(url.removeprefix("http://")))
    method = service_pb2.DESCRIPTOR.services_by_name["V2"].methods_by_name[rpc]
    request = getattr(service_pb2, method.input_type.name)()
    metadata = [("authorization", "Key " + token)] if token else []
    try:
        sent = iter([request]) if method.client_streaming else request
        answer = getattr(stub, rpc)(sent, metadata=metadata, timeout=5)
        status = (list(answer)[-1] if method.server_streaming else answer).status
        return [status.code, status.details if status.code != 10000 else ""]
    except grpc.RpcError as error:
        return error.code().name
"""
FETCHES = """
def fetch(path, host=None, token="any-token"):
    import os, urllib.error, urllib.request
    headers = {"Authorization": "Key " + token, **({"Host": host} if host else {})}
    try:
        request = urllib.request.Request(os.environ["CLARIFAI_API_BASE"] + path, headers=headers)
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
"""


def test_it_runs_the_genuine_entrypoint_as_the_platforms_user_with_its_variables(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))

    environ = look(client, "dict(os.environ)")
    runner = client.call(
        "ListRunners", user_app_id={"user_id": "me"}, nodepool_id="cpu", compute_cluster_id="local"
    )
    assert environ["CLARIFAI_USER_ID"] == "me"
    assert environ["CLARIFAI_COMPUTE_CLUSTER_ID"] == "local"
    assert environ["CLARIFAI_NODEPOOL_ID"] == "cpu"
    assert environ["CLARIFAI_RUNNER_ID"] == runner.runners[0].id
    assert environ["CLARIFAI_PAT"]
    assert environ["CLARIFAI_API_BASE"].startswith("http://")
    assert look(client, "[os.getuid(), os.getgid(), os.getcwd(), os.environ['HOME']]") == [
        65532,
        65532,
        "/home/nonroot/main",
        "/tmp",
    ]
    container = container_of(docker, emulator)
    assert container.attrs["Path"] == "python"
    # Which runs the module that the image names, once the model's calls name their request.
    server, *arguments = container.attrs["Args"]
    assert (server, arguments) == (
        "/tmp/clarifai-emulator/container_server_main.py",
        ["--model_path", "/home/nonroot/main"],
    )
    assert look(client, "__import__('sys').argv")[0].endswith("/clarifai/runners/server.py")


def test_it_has_no_capability_and_can_gain_none(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))
    status = look(client, "Path('/proc/self/status').read_text()")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {facts[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {""}
    assert facts["NoNewPrivs"] == "1"
    host = container_of(docker, emulator).attrs["HostConfig"]
    assert (host["Privileged"], host["Init"], host["Binds"]) == (False, True, None)


def test_it_reaches_the_api_as_a_process_does_and_changes_nothing_there(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    model = directory / "1" / "model.py"
    model.write_text(DIALS + model.read_text())
    emulator.deploy(directory)
    base = "os.environ['CLARIFAI_API_BASE']"

    def dial(rpc: str, token: str = "'any-token'") -> Any:
        return look(client, f"dial({base}, {rpc!r}, {token})")

    assert dial("GetUser") == [10000, ""]
    assert dial("GetUser", "os.environ['CLARIFAI_PAT']")[0] == StatusCode.CONN_INSUFFICIENT_SCOPES
    for rpc in ("PostNodepools", "PatchDeployments", "DeleteModels", "PostSecrets", "PostModelVersionsUpload"):
        code, details = dial(rpc)
        assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
        assert details == (
            f"{rpc} changes something on the platform, and this request comes from a container: what runs in one "
            "can look things up and ask models, and changes nothing outside of it. Make the change from outside, "
            "or run this model in a process (--backend process)."
        )
    assert dial("GetUser", "''")[0] == StatusCode.CONN_INVALID_REQUEST
    public = f"'http://' + {base}.removeprefix('http://').split(':')[0] + ':{emulator.url.rpartition(':')[2]}'"
    assert look(client, f"dial({public}, 'GetUser', 'any-token')") == "UNAVAILABLE"


def test_it_reaches_rest_there_too_by_that_address_alone(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    model = directory / "1" / "model.py"
    model.write_text(FETCHES + model.read_text())
    emulator.deploy(directory)
    assert look(client, "fetch('/v2/users/me')") == 200
    assert look(client, "fetch('/v2/users/me', host='localhost.example.org')") == 403


def test_a_look_up_of_the_real_platform_in_a_container_is_caught_by_the_trap_of_the_tests(
    emulator: EmulatorThread, client: Client, tmp_path: Path, engine: TestEngine
) -> None:
    trap = platform_trap.current()
    if trap is None or not trap.for_containers or engine.process is None:
        pytest.skip("there is no trap for containers here")
    emulator.deploy(write_looks(tmp_path))
    look(client, "__import__('subprocess').call(['getent', 'hosts', 'api.clarifai.com'])")
    assert {each.name for each in trap.taken()} == {"api.clarifai.com"}


def test_replicas_do_not_see_each_other(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))
    emulator.deploy(MODELS / "hello")
    other = container_of(docker, emulator, "deploy-hello")
    (network,) = other.attrs["NetworkSettings"]["Networks"].values()

    def knock(address: str) -> str:
        expression = f"(lambda s: (s.settimeout(1.5), s.connect_ex(('{address}', 8080)))[1])(socket.socket())"
        return str(look(client, expression))

    assert knock("127.0.0.1") == "0", "the runner's own health server"
    assert knock(network["IPAddress"]) != "0"


def test_cpu_and_memory_are_those_of_the_compute_info(tmp_path: Path, docker: DockerClient, engine: object) -> None:
    with running(backend="docker", docker=replace(SETTINGS, limits=True)) as emulator:
        emulator.deploy(write_looks(tmp_path))
        host = container_of(docker, emulator).attrs["HostConfig"]
        assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 256 * 1024**2, 256 * 1024**2)


def test_a_model_that_asks_for_more_than_any_machine_has_runs_in_a_container(
    tmp_path: Path, engine: object
) -> None:
    directory = write_looks(tmp_path, "huge")
    config = (directory / "config.yaml").read_text()
    config = re.sub(r'cpu_limit: ".*"', 'cpu_limit: "1000"', config)
    (directory / "config.yaml").write_text(re.sub(r'cpu_memory: ".*"', 'cpu_memory: "900Ti"', config))
    with running(backend="docker", docker=replace(SETTINGS, limits=True)) as emulator:
        emulator.deploy(directory)
        client = Client(emulator.url)
        assert look(client, "6 * 7", "huge") == 42
        client.close()


def test_a_model_that_takes_more_memory_than_it_asked_for_is_killed_and_comes_back_and_both_are_said(
    tmp_path: Path, engine: object
) -> None:
    with running(backend="docker", docker=replace(SETTINGS, limits=True)) as emulator:
        emulator.deploy(write_looks(tmp_path))
        client = Client(emulator.url)
        (before,) = live_replicas(emulator, "deploy-looks")
        response = client.call(
            "PostModelOutputs", inference_request("looks", expression="len(bytearray(600_000_000))")
        )
        said = (
            "its container used more memory than its limit of 256Mi and was killed (out of memory): "
            "let config.yaml ask for more (inference_compute_info.cpu_memory, or a larger compute.instance), up to "
            "what the nodepool's instance type has"
        )
        assert response.status.code == StatusCode.RUNNER_PROCESSING_FAILED
        assert f"ended while it worked on this request: {said}" in response.status.details
        (crashed,) = wait_for(lambda: emulator.events("replica.crashed"))
        assert said in str(crashed.fields)
        assert said in log(emulator, "runner.events")
        (version,) = emulator.status()["deployments"][0]["versions"]
        assert version["last_crash"]["reason"] == said
        wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=30)
        assert live_replicas(emulator, "deploy-looks")[0]["replica_id"] != before["replica_id"]
        assert look(client, "1 + 1") == 2
        client.close()


def test_a_container_whose_runner_does_not_answer_its_probe_any_more_is_replaced_and_it_is_said(
    tmp_path: Path, docker: DockerClient, engine: object
) -> None:
    with running(backend="docker", probe_seconds=0.5, docker=SETTINGS) as emulator:
        emulator.deploy(write_looks(tmp_path))
        client = Client(emulator.url)
        before = container_of(docker, emulator)
        # Stopped, not ended: its connections stay open, and nothing answers any more.
        request = inference_request("looks", expression="__import__('time').sleep(1.5) or os.kill(os.getpid(), 19)")
        response = client.call("PostModelOutputs", request)
        said = "its liveness probe failed 3 times in a row (no answer within 0.5 s)"
        assert response.status.code == StatusCode.RUNNER_PROCESSING_FAILED
        assert f"ended while it worked on this request: {said}" in response.status.details
        assert f"[emulator] {said}" in log(emulator)
        assert said in log(emulator, "runner.events")
        wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=30)
        assert container_of(docker, emulator).id != before.id
        assert before.id not in [each.id for each in containers(docker)]
        assert look(client, "'back'") == "back"
        client.close()


WANTED_SECRETS = (
    "secrets:\n  - {id: hf-token, type: env, env_var: HF_TOKEN}\n  - {id: gone, type: env, env_var: GONE}\n"
)
PLANTED = {"user_app_id": {"user_id": "me"}, "secrets": [{"id": "hf-token", "value": "planted-secret"}]}
SEEN_SECRETS = "[os.environ.get('HF_TOKEN'), os.environ.get('GONE'), os.environ.get('CLARIFAI_SECRETS_PATH')]"


def test_secrets_come_as_environment_variables(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    client.call("PostSecrets", **PLANTED)  # pyright: ignore[reportArgumentType]
    emulator.deploy(write_looks(tmp_path, config=WANTED_SECRETS))

    assert look(client, SEEN_SECRETS) == ["planted-secret", None, None]
    assert "HF_TOKEN=planted-secret" in container_of(docker, emulator).attrs["Config"]["Env"]
    assert "config.yaml wants secret 'gone' as GONE: user 'me' has no such secret" in log(emulator)


def test_where_that_is_chosen_secrets_come_as_files_and_are_not_in_the_containers_settings(
    tmp_path: Path, docker: DockerClient, engine: object
) -> None:
    with running(backend="docker", docker=replace(SETTINGS, secrets="files")) as emulator:
        client = Client(emulator.url)
        client.call("PostSecrets", **PLANTED)  # pyright: ignore[reportArgumentType]
        emulator.deploy(write_looks(tmp_path, config=WANTED_SECRETS))
        assert look(client, SEEN_SECRETS) == ["planted-secret", None, "/etc/clarifai/secrets"]
        assert "planted-secret" not in str(container_of(docker, emulator).attrs)
        client.close()


def test_what_it_prints_is_its_runner_log_line_by_line(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))
    look(
        client, "[print(f'line {n}') for n in range(300)] and print('é' * 100_000) or sys.stderr.write('aside\\n')"
    )
    wait_for(lambda: "aside" in log(emulator))
    lines = [line for line in log(emulator).splitlines() if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(300)]


def test_a_container_that_somebody_kills_or_removes_is_replaced_and_its_request_told(
    emulator: EmulatorThread, client: Client, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_looks(tmp_path))
    for way, said in (
        (lambda each: each.kill(), "its process was ended by signal 9"),  # pyright: ignore[reportUnknownLambdaType]
        (lambda each: each.remove(force=True), ""),  # pyright: ignore[reportUnknownLambdaType]
    ):
        wait_for(lambda: live_replicas(emulator, "deploy-looks"), seconds=30)
        before = container_of(docker, emulator)
        way(before)
        crashed = wait_for(lambda: emulator.events("replica.crashed"), seconds=20)
        assert said in str(crashed[-1].fields)
        wait_for(lambda gone=before.id: gone not in [each.id for each in containers(docker)])
        response = client.call("PostModelOutputs", inference_request("looks", expression="'back'"))
        assert text_of(response) == '"back"'


def test_nodepools_on_processes_and_in_containers_stand_side_by_side(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    place = {"user_app_id": {"user_id": "me"}, "compute_cluster_id": "local"}
    copy = client.call("GetNodepool", nodepool_id="cpu", **place).nodepool  # pyright: ignore[reportArgumentType]
    copy.id = "bare"
    copy.metadata["emulator_backend"] = "process"
    posted = client.call("PostNodepools", nodepools=[copy], **place)  # pyright: ignore[reportArgumentType]
    assert posted.status.code == 10000, posted.status
    directory = write_looks(tmp_path)
    emulator.deploy(directory, deployment_id="contained")
    emulator.deploy(directory, deployment_id="bare", nodepool_id="bare")

    def where(deployment: str) -> str:
        request = inference_request("looks", deployment=deployment, expression="os.getcwd()")
        return text_of(client.call("PostModelOutputs", request)).strip('"')

    assert where("contained") == "/home/nonroot/main"
    assert where("bare") == str(directory)


def test_the_pat_of_its_replica_asks_and_changes_nothing(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    model = directory / "1" / "model.py"
    model.write_text(DIALS + model.read_text())
    emulator.deploy(directory)
    base, own = "os.environ['CLARIFAI_API_BASE']", "os.environ['CLARIFAI_PAT']"
    for rpc in ("ListApps", "ListModels", "ListDeployments", "MyScopes"):
        assert look(client, f"dial({base}, {rpc!r}, {own})") == [10000, ""], rpc
    for rpc in ("ListSecrets", "ListKeys", "GetUser", "PostApps", "DeleteModels", "PostModelVersionsUpload"):
        assert look(client, f"dial({base}, {rpc!r}, {own})")[0] == StatusCode.CONN_INSUFFICIENT_SCOPES, rpc


def test_at_an_address_that_others_reach_only_the_pat_of_a_replica_opens_the_api(
    engine: TestEngine, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    model = directory / "1" / "model.py"
    model.write_text(DIALS + FETCHES + model.read_text())
    address = outward_address()
    if address.startswith("127."):
        pytest.skip("this machine has no address that others reach")
    settings = {**RUNNERS["docker"], "docker": replace(SETTINGS, listen=address)}
    with running(**settings, hold_seconds=60) as emulator:
        emulator.deploy(directory)
        asking = Client(emulator.url)
        base, own = "os.environ['CLARIFAI_API_BASE']", "os.environ['CLARIFAI_PAT']"
        assert address in look(asking, base)
        assert look(asking, f"dial({base}, 'ListApps', {own})") == [10000, ""]
        assert look(asking, f"fetch('/v2/users/me/apps', token={own})") == 200
        ended = "This credential belonged to a replica that has ended."
        for token, said in (("'any-token'", ""), ("''", ""), ("'replica-' + '0' * 48", ended)):
            answer = look(asking, f"dial({base}, 'ListApps', {token})")
            assert answer[1].startswith(said) if said else answer == "PERMISSION_DENIED", token
            assert look(asking, f"fetch('/v2/users/me/apps', token={token})") == 403, token
        asking.close()


def test_a_secret_in_a_file_named_clarifai_pat_is_the_models_and_the_runner_keeps_its_own(
    engine: TestEngine, tmp_path: Path
) -> None:
    directory = write_looks(tmp_path)
    config = directory / "config.yaml"
    config.write_text(f"{config.read_text()}\nsecrets: [{{id: mine, env_var: CLARIFAI_PAT, type: env}}]\n")
    settings = {**RUNNERS["docker"], "docker": replace(SETTINGS, secrets="files")}
    with running(**settings, hold_seconds=60) as emulator:
        asking = Client(emulator.url)
        asking.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=[{"id": "mine", "value": "of-mine"}])
        emulator.deploy(directory)
        assert look(asking, "os.environ['CLARIFAI_PAT']") == "of-mine"
        assert look(asking, "[name for name in os.environ if name.startswith('CLARIFAI_EMULATOR')]") == []
        asking.close()


def test_under_tests_the_real_platform_is_not_reached(engine: TestEngine, tmp_path: Path) -> None:
    with running(**RUNNERS["docker"], refuse_platform=True, hold_seconds=60) as emulator:
        emulator.deploy(write_looks(tmp_path))
        asking = Client(emulator.url)
        for name in ("api.clarifai.com", "clarifai.com"):
            assert look(asking, f"__import__('socket').gethostbyname({name!r})") == "127.0.0.1"
        asking.close()
