"""Other users of the machine: an emulator that takes any token takes it from its own user and root only. A client
runs as user `nobody` here, which needs root."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.machine import peer_users
from flow.driver import MODELS, Client, inference_request, running, text_of, wait_for

# Everything is imported before the process becomes another user's, who cannot read this one's files.
AS_NOBODY = """
import encodings.idna, http.client, json, os, socket, sys
import grpc
from clarifai_grpc.grpc.api import service_pb2
port, token, way = int(sys.argv[1]), sys.argv[2], sys.argv[3]
user = int(sys.argv[4])
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
get_user = channel.unary_unary(
    "/clarifai.api.V2/GetUser",
    service_pb2.GetUserRequest.SerializeToString,
    service_pb2.SingleUserResponse.FromString,
)
os.setgroups([]); os.setgid(user); os.setuid(user)
headers = {"authorization": f"Key {token}"}
if way == "rest":
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v2/users/me", headers=headers)
    status = json.loads(connection.getresponse().read())["status"]
    print(status["code"], status.get("details", ""))
elif way == "grpc":
    answer = get_user(service_pb2.GetUserRequest(), metadata=list(headers.items()), timeout=30)
    print(answer.status.code, answer.status.details)
elif way == "left":
    body = json.dumps({"apps": [{"id": "planted"}]}).encode()
    fields = ["POST /v2/users/me/apps HTTP/1.1", "host: localhost", "authorization: Key x"]
    fields += [f"content-length: {len(body)}", "content-type: application/json", "\\r\\n"]
    request = "\\r\\n".join(fields)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(request.encode() + body)
"""
NOBODY = 65534
Ask = Callable[..., str]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a client of another user")


@pytest.fixture
def ask() -> Ask:
    """Return what asks an emulator as another user: its answer's status and details."""

    def asked(emulator: EmulatorThread, way: str = "grpc", token: str = "any-token", user: int = NOBODY) -> str:
        port = emulator.url.rpartition(":")[2]
        command = [sys.executable, "-c", AS_NOBODY, port, token, way, str(user)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return asked


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a system that does not tell whose a connection is."""
    monkeypatch.setattr(peer_users, "is_told", lambda: False)


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    with running() as emulator:
        yield emulator


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_another_user_of_the_machine_needs_a_token_that_the_emulator_knows(
    emulator: EmulatorThread, ask: Ask, way: str
) -> None:
    nobody = pwd.getpwuid(NOBODY).pw_name
    assert ask(emulator, way) == (
        f"{StatusCode.CONN_KEY_NOT_FOUND} This connection comes from user {nobody!r}, and the emulator belongs to "
        "user 'root': of the users of this machine, only that one and root may bring any token. Ask that user for "
        "a token: --pats FILE (or --pat) names those that the emulator takes, and a key made with PostKeys is one, "
        "too. A container of that user's own may bring the one of this run, which "
        '`eval "$(clarifai-emulator env)"` sets (CLARIFAI_PAT).'
    )


def test_another_user_gets_in_with_a_key_that_was_made(emulator: EmulatorThread, ask: Ask) -> None:
    with closing(Client(emulator.url)) as client:
        made = client.call(
            "PostKeys", user_app_id={"user_id": "me"}, keys=[{"id": "given", "type": "personal_access_token"}]
        )
    assert made.status.code == StatusCode.SUCCESS, made
    assert ask(emulator, token=made.keys[0].id).startswith(f"{StatusCode.SUCCESS}")


def test_another_user_gets_in_with_a_token_that_is_named(ask: Ask) -> None:
    with running(pats={"ada-token": "me"}) as emulator:
        assert ask(emulator, token="ada-token").startswith(f"{StatusCode.SUCCESS}")
        assert ask(emulator, token="any-token").startswith(f"{StatusCode.CONN_KEY_NOT_FOUND} invalid key")


def test_the_emulators_own_user_and_root_bring_any_token(emulator: EmulatorThread, ask: Ask) -> None:
    assert ask(emulator, user=0).startswith(f"{StatusCode.SUCCESS}")


def test_a_connection_that_its_user_has_left_is_not_taken_for_roots(emulator: EmulatorThread, ask: Ask) -> None:
    ask(emulator, "left")
    with closing(Client(emulator.url)) as client:
        listed = client.call("ListApps", user_app_id={"user_id": "me"})
    assert [app.id for app in listed.apps if app.id == "planted"] == []
    refused = [event.as_dict() for event in wait_for(emulator.events) if event.as_dict().get("rpc") == "PostApps"]
    assert all(each["status"] == StatusCode.CONN_KEY_NOT_FOUND for each in refused), refused


@pytest.mark.usefixtures("untold")
def test_where_nobody_tells_whose_a_connection_is_code_needs_the_token_of_the_run() -> None:
    with running() as emulator:
        emulator.deploy(MODELS / "hello")
        with closing(Client(emulator.url)) as anyone, closing(Client(emulator.url, emulator.pat)) as owner:
            hello = inference_request("hello", prompt="you")
            assert text_of(anyone.call("PostModelOutputs", hello)) == "Hello, you!"
            fields = {"user_app_id": {"user_id": "me"}, "keys": [{"type": "personal_access_token"}]}
            refused = anyone.call("PostKeys", **fields).status
            assert owner.call("PostKeys", **fields).status.code == StatusCode.SUCCESS
    assert refused.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert refused.details == (
        "PostKeys leads to code that runs as the emulator's user, and this system does not tell whose connection "
        'this is: it needs the token of this run of the emulator, not any. `eval "$(clarifai-emulator env)"` sets '
        "it (CLARIFAI_PAT); --pats FILE names tokens that stay."
    )


@pytest.mark.usefixtures("untold")
def test_each_run_has_a_token_of_its_own() -> None:
    with running() as one, running() as another:
        assert one.pat != another.pat
        with closing(Client(another.url, one.pat)) as client:
            answer = client.call(
                "PostKeys", user_app_id={"user_id": "me"}, keys=[{"type": "personal_access_token"}]
            )
    assert answer.status.code == StatusCode.CONN_INSUFFICIENT_SCOPES
