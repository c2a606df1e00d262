"""No interpreter that an emulator starts asks the real platform anything: all tests run under a trap for its names.

The trap itself is tested here, and models do here what used to be caught in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import platform_trap
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import (
    IN_CONTAINERS,
    RUNNER,
    RUNNERS,
    Client,
    inference_request,
    running,
    text_of,
    write_model,
)
from flow.test_cli import Shell

TESTS = Path(__file__).parents[1]
DIAL = """
import grpc
channel = grpc.secure_channel("api.clarifai.com:443", grpc.ssl_channel_credentials())
try:
    channel.unary_unary("/clarifai.api.V2/ListModels")(b"", timeout=30)
except grpc.RpcError as error:
    assert error.code() is grpc.StatusCode.UNAVAILABLE, error
"""


@pytest.fixture
def trap() -> Iterator[platform_trap.PlatformTrap]:
    found = platform_trap.current()
    if found is None:
        pytest.skip("there is no trap here: see the end of this run")
    yield found
    found.taken()  # what a test of the trap itself has put there is not to fail it


def test_a_look_up_by_a_python_socket_is_caught(trap: platform_trap.PlatformTrap) -> None:
    for name in ("api.clarifai.com", "CLARIFAI.com", "new.Name.clarifai.com."):
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo(name, 443)
        assert {each.name for each in trap.taken()} == {name.lower().rstrip(".")}


@pytest.mark.parametrize("resolver", ["ares", "native"])
def test_a_look_up_by_grpc_in_a_process_of_its_own_is_caught_and_told_by_its_command_line(
    trap: platform_trap.PlatformTrap, resolver: str, tmp_path: Path
) -> None:
    script = tmp_path / "who-dials.py"
    script.write_text(DIAL)
    subprocess.run([sys.executable, script], check=True, env={**os.environ, "GRPC_DNS_RESOLVER": resolver})
    seen = trap.taken()
    assert {each.name for each in seen} == {"api.clarifai.com"}
    assert all("who-dials" in each.who for each in seen), seen


def test_other_names_are_none_of_its_business(trap: platform_trap.PlatformTrap) -> None:
    assert socket.getaddrinfo("localhost", 443)
    for name in ("notclarifai.com", "clarifai.com.example", "example.invalid"):
        with contextlib.suppress(socket.gaierror):  # as it is without a network
            socket.getaddrinfo(name, 443)
    assert trap.taken() == []


def test_the_test_that_looks_a_name_up_fails_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    (tmp_path / "test_two.py").write_text(
        "import socket\n"
        "def test_asks():\n"
        "    try: socket.getaddrinfo('api.clarifai.com', 443)\n"
        "    except OSError: pass\n"
        "def test_does_not():\n"
        "    pass\n"
    )
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:clarifai_emulator",
            "-p",
            "no:schemathesis",
            str(tmp_path),
        ],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "2 passed, 1 error" in run.stdout, run.stdout + run.stderr
    assert "ERROR test_two.py::test_asks" in run.stdout
    assert "Names of the real platform were looked up:\n  api.clarifai.com, by process" in run.stdout


# ── what models see ────────────────────────────────────────────────────────────────────────────────────────

# As people write them: no user_id, compute by instance. Importing it fails where the SDK kept another address than
# the one that is told.
CALLER = """
import json, os, threading
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass
from clarifai.utils.constants import DEFAULT_BASE, DEFAULT_CONFIG

assert DEFAULT_BASE == os.environ["CLARIFAI_API_BASE"], DEFAULT_BASE

class Caller(ModelClass):
    @ModelClass.method
    def predict(self, pat: str) -> str:
        try:
            given = {} if pat == "its own" else {"pat": pat}
            model = Model(url="https://clarifai.com/me/main/models/caller", **given)
            return "answered " + model.look(expression="'you'")
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    @ModelClass.method
    def in_a_thread(self, pat: str) -> str:
        said = []
        thread = threading.Thread(target=lambda: said.append(self.predict(pat)))
        thread.start()
        thread.join()
        return said[0]

    @ModelClass.method
    def look(self, expression: str) -> str:
        return json.dumps(eval(expression))
"""
CONFIG = """
model:
  id: caller
  model_type_id: text-to-text
compute:
  instance: t3a.medium
"""
OWN_ACCOUNT = """
current_context: mine
contexts:
  mine: {CLARIFAI_PAT: the-users-own, CLARIFAI_APP_ID: the-users-own, CLARIFAI_API_BASE: "https://api.clarifai.com"}
"""
# In process the SDK has one address, which the session's emulator has.
IN_PROCESS = RUNNER.get("backend") == "inprocess"
WAYS = ["docker"] if IN_CONTAINERS else ["inprocess"] if IN_PROCESS else ["fork", "spawn", "lean"]
SETTINGS = {"fork": {}, "spawn": {"start_method": "spawn"}, **RUNNERS}


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[EmulatorThread]:
    """Provide an emulator for each way to run a model."""
    if request.param == "inprocess":
        yield request.getfixturevalue("_emulator")
        return
    with running(**{"runner": "genuine", "backend": "process", **SETTINGS[request.param]}) as emulator:
        yield emulator


@pytest.fixture
def platform(way: EmulatorThread) -> EmulatorThread:
    way.reset()
    return way


@pytest.fixture
def caller(tmp_path: Path) -> Path:
    directory = write_model(tmp_path, "caller", CALLER)
    (directory / "config.yaml").write_text(CONFIG)
    return directory


def ask(emulator: EmulatorThread, method: str = "predict", **parts: str) -> str:
    client = Client(emulator.url)
    try:
        response = client.call(
            "PostModelOutputs", inference_request("caller", method, app="main", **parts), timeout=60
        )
    finally:
        client.close()
    assert response.status.code == 10000, response.status
    return text_of(response)


@pytest.mark.parametrize("verb", ["deploy", "dev"])
def test_a_model_without_a_user_id_starts_serves_and_calls_others_as_on_the_platform(
    platform: EmulatorThread, caller: Path, verb: str
) -> None:
    getattr(platform, verb)(caller)
    assert ask(platform, pat="any-token") == 'answered "you"'
    assert ask(platform, pat="its own") == 'answered "you"'


def test_an_edit_of_what_it_imports_is_another_replica_that_asks_nobody_either(
    platform: EmulatorThread, caller: Path
) -> None:
    platform.dev(caller)
    model = caller / "1" / "model.py"
    model.write_text(f"import string\n{CALLER.replace('json.dumps(', 'string.digits + json.dumps(')}")
    assert platform.reload(caller).state == "ready"
    assert ask(platform, "look", expression="1") == "01234567891"


def test_nothing_of_the_users_own_account_reaches_a_model(
    platform: EmulatorThread, caller: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if platform.config.backend == "inprocess":
        pytest.skip("its variables are those of this process: test_up_in_process_keeps_the_account_from_models")
    settings = Path(os.environ["HOME"]) / ".config" / "clarifai" / "config"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(OWN_ACCOUNT)
    for name in ("CLARIFAI_PAT", "CLARIFAI_SESSION_TOKEN", "CLARIFAI_APP_ID", "CLARIFAI_SECRET_OF_MINE"):
        monkeypatch.setenv(name, "the-users-own")
    platform.deploy(caller)
    try:
        current = "__import__('clarifai.utils.config', fromlist=['_']).Config.from_yaml().current"
        assert json.loads(ask(platform, "look", expression=f"{current}.get('app_id')")) is None
        variables = ask(platform, "look", expression="dict(os.environ)")
        assert "the-users-own" not in variables
        home = json.loads(ask(platform, "look", expression="os.path.expanduser('~')"))
        assert home == ("/tmp" if IN_CONTAINERS else os.environ["HOME"])
    finally:
        settings.unlink()


@pytest.mark.of_processes("the process of `up` itself")
def test_up_in_process_keeps_the_account_from_models_and_gives_them_its_address(
    caller: Path, tmp_path: Path
) -> None:
    shell = Shell(tmp_path / "shell")
    shell.environ.update(CLARIFAI_PAT="the-users-own", CLARIFAI_API_BASE="https://api.clarifai.com")
    shell.ok("up", "--backend", "inprocess", "--detach", "--port", "0")
    try:
        shell.ok("deploy", caller)
        said = shell.ok("predict", "caller", "look", "expression=dict(os.environ)")
        assert "CLARIFAI_API_BASE" in said
        assert "the-users-own" not in said
        assert "api.clarifai.com" not in said
        assert 'answered \\"you\\"' in shell.ok("predict", "caller", "predict", "pat=its own", "--json")
        assert 'answered \\"you\\"' in shell.ok("predict", "caller", "in_a_thread", "pat=its own", "--json")
    finally:
        shell.ok("down")
