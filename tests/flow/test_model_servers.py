"""Models that bring a server of their own, all at one port: each answers with its own, however they meet."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.reload.plan import ReloadKind
from clarifai_emulator.reload.project import Options
from flow.driver import (
    Client,
    free_port,
    inference_request,
    live_replicas,
    logged,
    running,
    text_of,
    wait_for,
    write_model,
)
from flow.test_cli import Shell
from models_with_servers import MODEL, REFUSED_CALL, SERVER

pytestmark = pytest.mark.of_processes("a container has a network of its own")


def model_with_server(folder: Path, name: str, port: int, host: str = "127.0.0.1") -> Path:
    """Write a model that answers with its name and process, by way of its server."""
    directory = write_model(folder, name, MODEL.format(name=name, port=port, host=host))
    (directory / "1" / "server.py").write_text(SERVER)
    return directory


def answer(client: Client, name: str, method: str = "predict", **parts: Any) -> str:
    return text_of(client.call("PostModelOutputs", inference_request(name, method, **(parts or {"prompt": "x"}))))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def watching() -> Iterator[EmulatorThread]:
    with running(backend="process", replica_network="watched", hold_seconds=60) as emulator:
        yield emulator


@pytest.fixture
def watching_client(watching: EmulatorThread) -> Iterator[Client]:
    client = Client(watching.url)
    yield client
    client.close()


def networks(emulator: EmulatorThread, deployment: str) -> list[dict[str, str]]:
    return [each["network"] for each in live_replicas(emulator, deployment)]


# ── where ports are watched ────────────────────────────────────────────────────────────────────────────────────


def test_the_second_model_at_a_watched_port_is_refused_by_name_before_it_answers(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    watching.deploy(model_with_server(tmp_path, "llama", port))
    with pytest.raises(EmulatorError, match=f"port {port} of this machine, which the model connects to") as refusal:
        watching.deploy(model_with_server(tmp_path, "qwen", port))
    (llama,) = live_replicas(watching, "deploy-llama")
    told = str(refusal.value)
    assert f"belongs to replica {llama['replica_id'][:8]}" in told
    assert "run them in containers (--backend docker).\n" in told
    assert answer(watching_client, "llama").startswith("llama ")
    because = "the settings ask for it (--replica-network watched)"
    assert networks(watching, "deploy-llama") == [{"kind": "watched", "address": "", "because": because}]


def test_a_request_that_goes_to_the_server_of_another_model_fails_and_says_whose_it_is(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    watching.deploy(model_with_server(tmp_path, "llama", port))
    watching.deploy(model_with_server(tmp_path, "qwen", free_port()))
    response = watching_client.call("PostModelOutputs", inference_request("qwen", "other", port=port))
    assert f"port {port} of this machine, which the model connects to, belongs to replica" in str(response)
    assert answer(watching_client, "qwen").startswith("qwen ")


def test_a_second_replica_that_cannot_have_its_server_never_answers(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    watching.deploy(model_with_server(tmp_path, "llama", port), min_replicas=2, max_replicas=2, wait=False)
    wait_for(lambda: any("[emulator] refused: port" in line for line in logged(watching)), seconds=60)
    (only,) = wait_for(lambda: live_replicas(watching, "deploy-llama"))
    assert {answer(watching_client, "llama") for _ in range(5)} == {f"llama {only['pid']}"}


def test_a_new_version_at_a_watched_port_starts_once_the_old_one_has_ended(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    directory = model_with_server(tmp_path, "llama", port)
    watching.deploy(directory)
    before = answer(watching_client, "llama")
    model = directory / "1" / "model.py"
    model.write_text(model.read_text().replace("NAME = 'llama'", "NAME = 'llama2'"))
    watching.deploy(directory)
    after = answer(watching_client, "llama")
    assert before.startswith("llama ")
    assert after.startswith("llama2 ")
    (event,) = watching.events("deployment.stops_first")
    assert f"listens at port {port} of this machine, which the new one's may want" in event.fields["reason"]


def test_an_edit_that_is_a_fork_ends_the_old_server_first(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    directory = model_with_server(tmp_path, "llama", port)
    watching.dev(directory, options=Options())
    assert answer(watching_client, "llama").startswith("llama ")
    model = directory / "1" / "model.py"
    model.write_text(model.read_text().replace("NAME = 'llama'", "NAME = 'llama2'"))
    outcome = watching.reload(directory)
    assert (outcome.state, outcome.plan.kind) == ("ready", ReloadKind.FORK)
    assert answer(watching_client, "llama").startswith("llama2 ")
    draining = [event.fields["message"] for event in watching.events("replica.draining")]
    assert any(f"it listens at port {port} of this machine" in each for each in draining)


def test_a_fork_that_cannot_be_loaded_gives_way_to_the_next_one(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    directory = model_with_server(tmp_path, "llama", port)
    watching.dev(directory, options=Options())
    model = directory / "1" / "model.py"
    whole = model.read_text()
    model.write_text(whole.replace("NAME = 'llama'", "NAME = 1 / 0"))
    assert watching.reload(directory).state == "failed"
    model.write_text(whole.replace("NAME = 'llama'", "NAME = 'llama2'"))
    outcome = watching.reload(directory)
    assert outcome.state == "ready", outcome
    assert answer(watching_client, "llama").startswith("llama2 ")


def test_a_replica_whose_server_holds_a_port_is_not_kept_warm(
    watching: EmulatorThread, watching_client: Client, tmp_path: Path, port: int
) -> None:
    watching.deploy(model_with_server(tmp_path, "llama", port))
    watching.reset(keep_warm=True)
    watching.deploy(model_with_server(tmp_path, "qwen", port))
    assert answer(watching_client, "qwen").startswith("qwen ")


def test_replicas_that_are_spawned_have_their_ports_watched_and_status_says_why(tmp_path: Path, port: int) -> None:
    with running(backend="process", start_method="spawn", hold_seconds=60) as emulator:
        emulator.deploy(model_with_server(tmp_path, "llama", port))
        with pytest.raises(
            EmulatorError, match=f"port {port} of this machine, which the model connects to, belongs to"
        ):
            emulator.deploy(model_with_server(tmp_path, "qwen", port))
        assert networks(emulator, "deploy-llama") == [
            {
                "kind": "watched",
                "address": "",
                "because": "only replicas that are forked, on Linux, can have a loopback of their own",
            }
        ]


# ── where each replica has a loopback of its own ───────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def _parting() -> Iterator[EmulatorThread]:
    with running(backend="process", hold_seconds=60) as emulator:
        yield emulator


@pytest.fixture
def parting(_parting: EmulatorThread) -> EmulatorThread:
    """Return an empty emulator whose replicas have loopbacks of their own."""
    _parting.reset()
    return _parting


@pytest.fixture
def caller(parting: EmulatorThread) -> Iterator[Client]:
    client = Client(parting.url)
    yield client
    client.close()


def test_two_models_with_a_server_at_one_port_answer_each_for_itself(
    parting: EmulatorThread, caller: Client, tmp_path: Path, port: int
) -> None:
    parting.deploy(model_with_server(tmp_path, "llama", port))
    parting.deploy(model_with_server(tmp_path, "qwen", port))
    (llama,), (qwen,) = live_replicas(parting, "deploy-llama"), live_replicas(parting, "deploy-qwen")
    assert answer(caller, "llama") == f"llama {llama['pid']}"
    assert answer(caller, "qwen") == f"qwen {qwen['pid']}"
    assert llama["network"]["kind"] == qwen["network"]["kind"] == "own"
    assert llama["network"]["address"] != qwen["network"]["address"]


def test_two_replicas_of_a_model_have_a_server_each(
    parting: EmulatorThread, caller: Client, tmp_path: Path, port: int
) -> None:
    parting.deploy(model_with_server(tmp_path, "llama", port), min_replicas=2, max_replicas=2)
    wait_for(lambda: len(live_replicas(parting, "deploy-llama")) == 2, seconds=60)
    both = {f"llama {each['pid']}" for each in live_replicas(parting, "deploy-llama")}
    wait_for(lambda: {answer(caller, "llama") for _ in range(10)} == both)


def test_the_server_of_edited_code_answers_and_nobody_waits(
    parting: EmulatorThread, caller: Client, tmp_path: Path, port: int
) -> None:
    directory = model_with_server(tmp_path, "llama", port)
    parting.dev(directory, options=Options())
    assert answer(caller, "llama").startswith("llama ")
    model = directory / "1" / "model.py"
    model.write_text(model.read_text().replace("NAME = 'llama'", "NAME = 'llama2'"))
    outcome = parting.reload(directory)
    assert (outcome.state, outcome.plan.kind) == ("ready", ReloadKind.FORK)
    (fresh,) = live_replicas(parting, "deploy-llama")
    assert [answer(caller, "llama") for _ in range(5)] == [f"llama2 {fresh['pid']}"] * 5


def test_a_warm_replica_keeps_its_server_and_the_next_model_has_its_own(
    parting: EmulatorThread, caller: Client, tmp_path: Path, port: int
) -> None:
    llama = model_with_server(tmp_path, "llama", port)
    parting.deploy(llama)
    first = answer(caller, "llama")
    parting.reset(keep_warm=True)
    parting.deploy(model_with_server(tmp_path, "qwen", port))
    assert answer(caller, "qwen").startswith("qwen ")
    parting.deploy(llama)
    assert answer(caller, "llama") == first


def test_what_listens_on_this_machine_is_reached_from_a_model(
    parting: EmulatorThread, caller: Client, tmp_path: Path, port: int
) -> None:
    parting.deploy(model_with_server(tmp_path, "llama", port))
    with someones_server() as theirs:
        assert answer(caller, "llama", "other", port=theirs) == "the user's own"
    assert answer(caller, "llama").startswith("llama ")


def test_the_server_of_a_model_is_found_at_the_address_that_its_log_tells(
    parting: EmulatorThread, tmp_path: Path, port: int
) -> None:
    parting.deploy(model_with_server(tmp_path, "llama", port))
    (llama,) = live_replicas(parting, "deploy-llama")
    address = f"{llama['network']['address']}:{port}"
    told = f"[emulator] the model's server at port {port} is at {address} for others"
    wait_for(lambda: told in logged(parting))
    with urllib.request.urlopen(f"http://{address}/") as response:
        assert response.read().decode() == f"llama {llama['pid']}"
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()


@contextmanager
def someones_server() -> Generator[int]:
    """Serve, at a port of this machine, as a program of its user does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the user's own")

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Shell]:
    """Run an emulator where the system refuses what a loopback of its own takes."""
    shell = Shell(tmp_path / "home")
    run = "from clarifai_emulator.__main__ import main; main()"
    command = [sys.executable, "-c", REFUSED_CALL + run, "up", "--port", "0", "--detach"]
    subprocess.run(command, env=shell.environ, check=True, capture_output=True)
    yield shell
    shell.ok("down")


def test_where_the_system_refuses_loopbacks_ports_are_watched_and_status_says_why(
    refusing: Shell, tmp_path: Path, port: int
) -> None:
    refusing.ok("deploy", model_with_server(tmp_path, "llama", port))
    second = refusing.run("deploy", model_with_server(tmp_path, "qwen", port))
    assert second.returncode == 1
    said = " ".join(second.stderr.split())
    assert f"port {port} of this machine, which the model connects to, belongs to replica" in said
    because = "the sockets of a replica cannot be reached (pidfd_getfd: Operation not permitted)"
    assert f"; its ports are watched: {because})" in " ".join(refusing.ok("status").split())
