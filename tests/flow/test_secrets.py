"""Secrets are told to their owner alone: planted everywhere, then looked for in all that the emulator says.

Names that a request chooses never become paths, either.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.messages.descriptors import is_repeated
from flow.driver import MODELS, Client, inference_request, wait_for

PATS = """
users: [{id: ada}]
tokens:
  - {token: planted-file-pat, user: ada}
  - {token: planted-expired-pat, user: ada, expires_at: 2001-01-01}
  - {token: planted-limited-pat, user: ada, scopes: [Predict]}
"""

TELLS = """
import os

from clarifai.runners.models.model_class import ModelClass

class Tells(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        if prompt == "fail":
            raise ValueError("as it should")
        if prompt == "die":
            os._exit(3)
        return " ".join(os.environ[name] for name in ("CLARIFAI_PAT", "NAMED_SECRET", "DECLARED_SECRET"))
"""
DECLARED = """
secrets:
  - {id: declared, type: env, env_var: DECLARED_SECRET}
"""

ODD_NAMES = [
    "../../../../planted-path",
    "/tmp/planted-path",
    "planted-path/../..",
    "planted-path\x00.yaml",
    "~/planted-path",
    "planted-path" + "x" * 100_000,
    "planted-path\n\r\x1b[31m",
    "C:\\planted-path",
]


class Up:
    """Runs ``up --json`` as a process, with secrets in its file, its environment and its model's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pats.yaml").write_text(PATS)
        (folder / "tmp").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "XDG_"))}
        self.environ = {
            **kept,
            "HOME": str(folder),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TMPDIR": str(folder / "tmp"),
            "CLARIFAI_EMULATOR_PAT": "planted-environment-pat=ada",
            "NAMED_SECRET": "planted-named-secret",
        }
        words = ["up", "--port", "0", "--user-id", "ada", "--pats", str(folder / "pats.yaml"), "--json"]
        words += ["--env", "NAMED_SECRET"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "clarifai_emulator", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        started = wait_for(lambda: next((each for each in self.lines if '"emulator.started"' in each), None))
        self.url: str = json.loads(started)["url"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def command(self, *words: str | Path) -> str:
        """Return everything that a command prints, however it ends."""
        command = [sys.executable, "-m", "clarifai_emulator", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environ, timeout=60)
        return done.stdout + done.stderr

    def command_lines(self) -> str:
        """Return the command lines of the emulator and of every process below it."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.parent.name)] = int(fields[1])
        ours = {self.process.pid}
        while grown := {pid for pid, parent in parents.items() if parent in ours} - ours:
            ours |= grown
        assert len(ours) > 1
        return "\n".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in ours if Path(f"/proc/{pid}").exists())

    def files(self) -> str:
        """Return the names of all files the emulator wrote, and what is in them; the state file is its user's
        alone."""
        said: list[str] = []
        for path in (each for top in ("state", "tmp", "cache") for each in (self.folder / top).rglob("*")):
            said.append(str(path))
            if path.is_file() and path.suffix == ".json" and path.name.startswith("emulator-"):
                assert path.stat().st_mode & 0o077 == 0
            elif path.is_file() and path.stat().st_size < 1_000_000:
                said.append(path.read_text(errors="replace"))
        return "\n".join(said)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        self._reader.join(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path)
    yield up
    if up.process.poll() is None:
        up.stop()


def tells(folder: Path) -> Path:
    directory = folder / "tells"
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(TELLS)
    (directory / "config.yaml").write_text(
        (MODELS / "hello" / "config.yaml").read_text().replace("id: hello", "id: tells") + DECLARED
    )
    (directory / "requirements.txt").write_text((MODELS / "hello" / "requirements.txt").read_text())
    return directory


def attempts(client: Client) -> Iterator[Any]:
    """Send requests with a secret in them, good ones and bad ones; yield each answer."""
    pat = "personal_access_token"
    yield client.call("PostSecrets", secrets=[{"id": "S", "value": "planted-secret-value"}])
    yield client.call("PostSecrets", secrets=[{"id": "S", "value": "planted-secret-value"}])
    yield client.call("PostSecrets", secrets=[{"id": "a b", "value": "planted-secret-value"}])
    yield client.call("PatchSecrets", secret=[{"id": "S", "value": "planted-secret-value-2"}], action="overwrite")
    yield client.call("PatchSecrets", secret=[{"id": "T", "value": "planted-secret-value"}], action="overwrite")
    yield client.call("PatchSecrets", secret=[{"id": "S", "value": "planted-secret-value"}], action="bogus")
    yield client.call("GetSecret", id="S")
    yield client.call("ListSecrets")
    client.call("PostKeys", keys=[{"id": "planted-key", "type": pat, "scopes": ["Keys_Get"]}])
    yield client.call("PostKeys", keys=[{"id": "planted-key", "type": pat}])
    yield client.call("PostKeys", keys=[{"id": "planted-key!", "type": pat}])
    yield client.call("PostKeys", keys=[{"id": "planted-key-2"}, {"id": "planted-key-2"}])
    yield client.call("GetKey", key_id="planted-keyy")
    yield client.call("DeleteKey", key_id="planted-keyy")
    yield client.call("PatchKeys", keys=[{"id": "planted-keyy"}], action="overwrite")
    yield client.call("PatchKeys", keys=[{"id": "planted-keyy"}], action="bogus")
    cluster = {
        "id": "c", "cloud_provider": {"id": "aws"}, "region": "us-east-1", "cluster_type": "dedicated",
        "managed_by": "clarifai", "key": {"id": "planted-cluster-key"},
    }  # fmt: skip
    yield client.call("PostComputeClusters", compute_clusters=[cluster])
    yield client.call("PostComputeClusters", compute_clusters=[cluster])
    yield client.call("PostComputeClusters", compute_clusters=[{**cluster, "id": "d", "region": ""}])
    yield client.call("GetComputeCluster", compute_cluster_id="c")
    yield client.call("ListComputeClusters")
    for token in ("planted-wrong-pat", "planted wrong-pat", "planted-expired-pat", "planted-limited-pat"):
        for scheme in ("Key ", "key ", "Bearer ", "Basic ", ""):
            yield client.call("ListApps", metadata=[("authorization", scheme + token)])
        yield client.call("ListApps", metadata=[("x-clarifai-session-token", token)])


def without_own_values(answer: Any) -> Any:
    """Return an answer without the values of the secrets that its caller asked for."""
    if answer.status.code == StatusCode.SUCCESS:
        single = [answer.secret] if "secret" in answer.DESCRIPTOR.fields_by_name else []
        for secret in (*single, *getattr(answer, "secrets", ())):
            secret.ClearField("value")
    return answer


def unreadable(url: str) -> Iterator[Any]:
    """Send bytes that hold a secret and are no message."""
    rpc = rpc_table()["PostSecrets"]
    with grpc.insecure_channel(url.removeprefix("http://")) as channel:
        call = channel.unary_unary(rpc.path, response_deserializer=rpc.response_type.FromString)
        for data in (b"\x12\xffplanted-secret-value", b"planted-secret-value"):
            yield call(data, metadata=(("authorization", "Key planted-file-pat"),), timeout=5)


@pytest.mark.slow
def test_no_secret_comes_out_of_anything(up: Up, tmp_path: Path) -> None:
    client = Client(up.url, pat="planted-file-pat")
    client.call("PostSecrets", secrets=[{"id": "declared", "value": "planted-declared-secret"}])
    said: list[str] = [up.command("deploy", tells(tmp_path), "--model", "ada/demo/models/tells")]

    def ask(prompt: str) -> Any:
        return client.call("PostModelOutputs", inference_request("tells", user="ada", prompt=prompt), timeout=60)

    answer = ask("tell").outputs[0].data.parts[0].data.string_value
    credential, *secrets = answer.split()
    assert (credential[:8], secrets) == ("replica-", ["planted-named-secret", "planted-declared-secret"])
    said.append(str(ask("fail")))
    said.append(up.command_lines())
    said.append(up.files())
    said.append(str(ask("die")))
    said.extend(str(without_own_values(answer)) for answer in (*attempts(client), *unreadable(up.url)))
    said.extend(str(client.call("ListLogEntries", log_type=kind)) for kind in ("runner", "builder"))
    stolen = Client(up.url, pat=credential)
    said.append(str(stolen.call("GetUser")))
    stolen.close()
    header = {"Authorization": "Key planted-http-pat"}
    with pytest.raises(urllib.error.HTTPError, match="404") as answered:
        urllib.request.urlopen(urllib.request.Request(f"{up.url}/v2/nothing?key=planted-query", headers=header))
    answered.value.close()
    for words in (
        ["status", "--json"], ["status"], ["events", "--json"], ["events"], ["logs"], ["route", "tells"],
        ["route", "tells", "--json"], ["predict", "tells", "prompt=fail"], ["predict", "nothing"],
        ["deploy", str(tmp_path / "nowhere")], ["doctor"], ["up", "--port", up.url.rpartition(":")[2]],
    ):  # fmt: skip
        said.append(up.command(*words))
    client.close()
    up.stop()
    output = "".join(up.lines)
    assert '"request.finished"' in output
    for text in (*said, output, up.files()):
        for line in text.splitlines():
            assert "planted" not in line, line
            assert credential not in line, line


def test_names_of_requests_never_reach_the_file_system(up: Up, tmp_path: Path) -> None:
    """Every text field of every served RPC takes each odd name in turn; no name is on the disk after."""
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.emulator import Emulator

    client = Client(up.url, pat="planted-file-pat")
    streams = ("GenerateModelOutputs", "StreamModelOutputs", "ProcessRunnerItems")
    before = sorted(map(str, tmp_path.rglob("*")))
    for name in sorted(Emulator(EmulatorConfig(port=0)).rpcs - set(streams)):
        for odd in ODD_NAMES:
            request = rpc_table()[name].request_type()
            fill(request, odd)
            answer = client.call(name, request)
            assert answer.status.code != 98004, (name, odd[:20], answer.status)
    client.close()
    assert sorted(map(str, tmp_path.rglob("*"))) == before
    for place in (Path(tempfile.gettempdir()), Path("/"), Path.cwd(), Path.home(), tmp_path.parent):
        assert not [each for each in place.iterdir() if "planted-path" in each.name]


def fill(message: Any, text: str, depth: int = 0) -> None:
    """Set every text of a message, and of those in it, to ``text``."""
    for field in message.DESCRIPTOR.fields:
        if field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING:
            if is_repeated(field):
                getattr(message, field.name).append(text)
            elif field.containing_oneof is None:
                setattr(message, field.name, text)
        elif field.message_type is not None and depth < 3 and not field.message_type.GetOptions().map_entry:
            if field.message_type.full_name.startswith("google.protobuf."):
                continue
            inner = getattr(message, field.name)
            fill(inner.add() if is_repeated(field) else inner, text, depth + 1)
