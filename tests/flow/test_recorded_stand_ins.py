"""A hosted model is recorded once, and a cassette stands in for it from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client import Model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.playback import Mode, Player
from clarifai_emulator.cassettes import Cassette
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, running, write_model
from flow.hosted import require_served_by_a_stand_in

GPT = "https://clarifai.com/openai/chat-completion/models/gpt-4o"
SHOUTING = """
from collections.abc import Iterator

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import Image


class Shouting(ModelClass):
    def load_model(self):
        self.said = 0

    @ModelClass.method
    def predict(self, prompt: str, image: Image = None, n: int = 1) -> str:
        self.said += 1
        if prompt == "fail":
            raise ValueError("I will not say that.")
        return f"{self.said}: {prompt.upper()}{'!' * n}"

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        yield from prompt.upper().split()

    @ModelClass.method
    def converse(self, prompts: Iterator[str], name: str = "") -> Iterator[str]:
        for prompt in prompts:
            yield f"{name}{prompt.upper()}"
"""


def model_of(emulator: EmulatorThread) -> Any:
    return Model(url=GPT, base_url=emulator.url, pat="any-token")


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record calls of a hosted model while its code is there; return the cassette."""
    folder = tmp_path_factory.mktemp("platform")
    write_model(folder, "shouting", SHOUTING)
    (folder / "topology.yaml").write_text(f"stand_ins: [{{model: {GPT}, path: shouting}}]\n")
    cassette = Cassette()
    player = Player(cassette, Mode.RECORD, name="gpt.yaml")
    with running(topology=(folder / "topology.yaml",), cache_dir=folder / "cache") as platform:
        platform.run(lambda emulator: emulator.interceptors.append(player.intercept))
        model = model_of(platform)
        assert model.predict(prompt="hi") == "1: HI!"
        assert model.predict(prompt="hi") == "2: HI!"
        assert model.predict(prompt="bye", n=2) == "3: BYE!!"
        with pytest.raises(Exception, match="I will not say that"):
            model.predict(prompt="fail")
        assert list(model.generate(prompt="one two three")) == ["ONE", "TWO", "THREE"]
        assert list(model.converse(iter(["a", "b"]), name="x")) == ["xA", "xB"]
    cassette.write(folder / "gpt.yaml")
    return folder / "gpt.yaml"


@pytest.fixture(scope="module")
def hosting(cassette: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """Return an emulator where the cassette, and nothing else, serves the hosted model."""
    folder = tmp_path_factory.mktemp("hosting")
    (folder / "calls").mkdir()
    (folder / "calls" / "gpt.yaml").write_text(cassette.read_text())
    (folder / "topology.yaml").write_text(f"stand_ins: [{{model: {GPT}, cassette: calls/gpt.yaml}}]\n")
    with running(topology=(folder / "topology.yaml",), cache_dir=folder / "cache") as emulator:
        yield emulator


def test_every_kind_of_call_is_answered_as_it_was(hosting: EmulatorThread) -> None:
    model = model_of(hosting)
    assert model.predict(prompt="bye", n=2) == "3: BYE!!"
    assert list(model.generate(prompt="one two three")) == ["ONE", "TWO", "THREE"]
    assert list(model.converse(iter(["a", "b"]), name="x")) == ["xA", "xB"]
    with pytest.raises(Exception, match="I will not say that"):
        model.predict(prompt="fail")


def test_a_call_recorded_twice_is_answered_in_turn_and_then_from_the_first_again(hosting: EmulatorThread) -> None:
    model = model_of(hosting)
    assert [model.predict(prompt="hi") for _ in range(4)] == ["1: HI!", "2: HI!", "1: HI!", "2: HI!"]


def test_clients_see_the_methods_of_then(hosting: EmulatorThread) -> None:
    model = model_of(hosting)
    assert set(model.available_methods()) == {"predict", "generate", "converse"}
    assert "def predict(prompt: str, image: " in model.method_signature("predict")


def test_it_is_routed_to_shared_compute(hosting: EmulatorThread) -> None:
    require_served_by_a_stand_in(hosting, prompt="bye", n=2)


def test_what_was_not_recorded_is_refused_with_the_nearest(hosting: EmulatorThread) -> None:
    client = Client(hosting.url)
    request = inference_request("gpt-4o", user="openai", app="chat-completion", prompt="good bye", n=2)
    status = client.call("PostModelOutputs", request).status
    assert (status.code, status.description) == (StatusCode.FAILURE, "Not recorded")
    first, *lines, last = status.details.splitlines()
    assert first == "This call of predict was not recorded. The nearest is predict(prompt='bye', n=2):"
    assert [each.strip(" ") for each in lines if "bye" in each] == [
        "-      string_value: bye",
        "+      string_value: good bye",
    ]
    assert last == "gpt.yaml stands in for this model: record this call too, or give the model a path."
    client.close()


def test_a_stream_must_go_on_as_it_was_recorded(hosting: EmulatorThread) -> None:
    model = model_of(hosting)
    with pytest.raises(Exception, match=r"The stream of converse\(.*\) goes on differently\."):
        list(model.converse(iter(["a", "c"]), name="x"))
    with pytest.raises(Exception, match=r"The stream of converse\(.*\) ends earlier than it was recorded\."):
        list(model.converse(iter(["a"]), name="x"))
    assert list(model.converse(iter(["a", "b"]), name="x")) == ["xA", "xB"]


def test_addresses_are_what_counts_not_what_is_there(cassette: Path, tmp_path: Path) -> None:
    """A runner fetches what an input points to, if it can, before the model sees it. Nobody asked for signatures
    while this was recorded, so the model has none."""
    content = yaml.safe_load(cassette.read_text())
    calls = [each for each in content["calls"] if each["rpc"] == "PostModelOutputs"][:1]
    image = {"id": "image", "data": {"image": {"url": "http://127.0.0.1:1/cat.png"}}}
    calls[0]["requests"][0]["inputs"][0]["data"]["parts"].append(image)
    (tmp_path / "calls.yaml").write_text(yaml.safe_dump({**content, "calls": calls}))
    (tmp_path / "topology.yaml").write_text(f"stand_ins: [{{model: {GPT}, cassette: calls.yaml}}]\n")
    with running(topology=(tmp_path / "topology.yaml",), cache_dir=tmp_path / "cache") as emulator:
        client = Client(emulator.url)
        request = inference_request("gpt-4o", user="openai", app="chat-completion", prompt="hi")
        part = request.inputs[0].data.parts.add(id="image")
        part.data.image.url = "http://127.0.0.1:1/cat.png"
        answer = client.call("PostModelOutputs", request)
        assert answer.outputs[0].data.parts[0].data.string_value == "1: HI!", answer
        client.close()


def test_a_call_that_ended_with_a_status_of_grpc_fails_and_tells_it(cassette: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(cassette.read_text())
    call = next(each for each in content["calls"] if each["rpc"] == "GenerateModelOutputs")
    call.update(answers=call["answers"][:1], order="><", error=["UNAVAILABLE", "gone away"])
    (tmp_path / "calls.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "topology.yaml").write_text(f"stand_ins: [{{model: {GPT}, cassette: calls.yaml}}]\n")
    with running(topology=(tmp_path / "topology.yaml",), cache_dir=tmp_path / "cache") as emulator:
        answers = model_of(emulator).generate(prompt="one two three")
        assert next(answers) == "ONE"
        with pytest.raises(Exception, match="The recorded call ended with the gRPC status UNAVAILABLE: gone away"):
            next(answers)
