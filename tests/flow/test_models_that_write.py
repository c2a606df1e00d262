"""Models may write into their own directory and fail with errors of any length and alphabet, under the dev loop."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, live_replicas, text_of, write_model

pytestmark = pytest.mark.of_processes("a container sees its model's directory read-only")

HEAD = "import os\nfrom clarifai.runners.models.model_class import ModelClass\n\nHERE = os.path.dirname(__file__)\n"
IN_LOAD = """
class Writes(ModelClass):
    def load_model(self):
        with open(os.path.join(HERE, "weights.bin"), "wb") as file:
            file.write(os.urandom(100))

    @ModelClass.method
    def predict(self, text: str) -> str:
        return f"one {text}"
"""
IN_PREDICT = """
class Writes(ModelClass):
    def load_model(self):
        self.calls = 0

    @ModelClass.method
    def predict(self, text: str) -> str:
        self.calls += 1
        with open(os.path.join(HERE, "history.json"), "a") as file:
            file.write(text)
        return f"call {self.calls}"
"""


def ask(client: Client, text: str = "x") -> str:
    return text_of(client.call("PostModelOutputs", inference_request("writes", text=text)))


def ignored(emulator: EmulatorThread) -> list[Any]:
    return [event.fields["files"] for event in emulator.events("dev.ignored")]


def test_a_file_that_load_model_writes_keeps_no_replica_from_serving(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "writes", HEAD + IN_LOAD)
    emulator.dev(directory)
    assert ask(client) == "one x"
    assert list(emulator.events("replica.crashed")) == []
    assert ignored(emulator) == [["1/weights.bin"]]
    (directory / "1" / "model.py").write_text(HEAD + IN_LOAD.replace("(100)", "(200)"))
    assert emulator.reload(directory).state == "ready"
    assert (directory / "1" / "weights.bin").stat().st_size == 200
    assert emulator.reload(directory).state == "unchanged"


def test_a_file_that_was_there_and_that_load_model_writes_again_costs_one_start(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "writes", HEAD + IN_LOAD)
    (directory / "1" / "weights.bin").write_bytes(b"of an earlier run")
    emulator.dev(directory)
    assert ask(client) == "one x"
    (crash,) = emulator.events("replica.crashed")
    assert "1/weights.bin changed while the model was being loaded" in crash.fields["message"]
    assert "--exclude" in crash.fields["message"]


def test_a_file_that_a_request_writes_is_no_edit(emulator: EmulatorThread, client: Client, tmp_path: Path) -> None:
    directory = write_model(tmp_path, "writes", HEAD + IN_PREDICT)
    emulator.dev(directory)
    for number in range(1, 4):
        assert ask(client) == f"call {number}"
        assert emulator.reload(directory).state == "unchanged"
    assert ignored(emulator) == [["1/history.json"]]
    (replica,) = live_replicas(emulator, "deploy-writes")
    time.sleep(0.2)  # a person needs longer than that for an edit after a request
    (directory / "notes.txt").write_text("an edit\n")
    assert emulator.reload(directory).state == "ready"
    assert live_replicas(emulator, "deploy-writes") != [replica]


def rest(url: str) -> tuple[str, dict[str, str]]:
    part = {"id": "text", "data": {"string_value": "x"}}
    body = {"inputs": [{"data": {"metadata": {"_method_name": "predict"}, "parts": [part]}}]}
    address = f"{url}/v2/users/me/apps/demo/models/writes/outputs"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Authorization": "Key any"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        outputs = json.load(answer)["outputs"]
        return outputs[0]["data"]["parts"][0]["data"]["string_value"], dict(answer.headers.items())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("'Größe passt nicht'", "Gr\\xf6\\xdfe passt nicht"),
        ("'Missing key(s): ' + ', '.join(f'layers.{n}.weight' for n in range(1500))", "Missing key(s): layers.0."),
        ("'bell \\x07, newline \\r\\n, zero \\x00'", "zero \\x00"),
    ],
)
def test_an_error_of_any_alphabet_and_length_leaves_the_last_good_code_answering(
    emulator: EmulatorThread, client: Client, tmp_path: Path, error: str, said: str
) -> None:
    directory = write_model(tmp_path, "writes", HEAD + IN_PREDICT)
    emulator.dev(directory)
    (directory / "1" / "model.py").write_text(f"{HEAD}{IN_PREDICT}\nraise RuntimeError({error})\n")
    assert emulator.reload(directory).state == "failed"
    _, trailers = client.call_with_trailers("PostModelOutputs", inference_request("writes", text="x"))
    assert said in trailers["x-clarifai-emulator-reload"]
    text, headers = rest(emulator.url)
    assert text == "call 2"
    assert said in headers["x-clarifai-emulator-reload"]
    assert len(headers["x-clarifai-emulator-reload"]) <= 500
