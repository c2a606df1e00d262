"""A model in a container runs with the SDK that it names, as one in a process does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from docker import DockerClient
from flow.driver import Client, inference_request
from old_sdks import METHODS, OWN_RUNNER, write_old

pytestmark = pytest.mark.timeout(600)


def test_it_serves_with_what_its_sdk_forgot_to_ask_for(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    directory = write_old(tmp_path, "clarifai==11.5.6\n", METHODS)
    config = directory / "config.yaml"
    config.write_text(config.read_text() + "num_threads: 2\n")  # an option that its server does not have
    emulator.deploy(directory)

    def call(method: str, prompt: str) -> str:
        response = client.call("PostModelOutputs", inference_request("old", method, prompt=prompt))
        assert response.outputs, response
        return response.outputs[0].data.parts[0].data.string_value

    assert call("predict", "you") == "Hello, you!"
    seen = json.loads(call("look", "x"))
    assert seen["sdk"] == "11.5.6"
    assert int(seen["protobuf"].partition(".")[0]) < 7
    assert [
        each.outputs[0].data.parts[0].data.string_value
        for each in client.generate(inference_request("old", "generate", prompt="n"))
    ] == ["n 0", "n 1", "n 2"]


def test_an_sdk_with_the_platforms_address_in_its_code_asks_the_emulator(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_old(tmp_path, "clarifai==10.11.1\n", OWN_RUNNER))
    request = inference_request("old")
    request.inputs[0].data.Clear()
    request.inputs[0].data.text.raw = "look"
    response = client.call("PostModelOutputs", request)
    assert response.outputs, response
    seen = json.loads(response.outputs[0].data.text.raw)
    assert seen["sdk"] == "10.11.1"
    assert "clarifai.com" not in seen["base"]


def test_code_of_another_version_is_refused_by_name(emulator: EmulatorThread, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as refused:
        emulator.deploy(write_old(tmp_path, "clarifai==10.11.1\n", METHODS))
    assert refused.value.summary == (
        "model.py cannot be used: clarifai 10.11.1 has no @ModelClass.method: that came with 11.3.0."
    )


def test_an_sdk_that_its_own_dockerfile_breaks_is_named_with_what_does_not_fit(
    emulator: EmulatorThread, docker: DockerClient, tmp_path: Path
) -> None:
    emulator.deploy(write_old(tmp_path, "clarifai==11.5.6\n", METHODS, model_id="whole"))
    [image, *_] = docker.images.list(name="clarifai-emulator/whole")
    directory = write_old(tmp_path, "clarifai==11.5.6\n", METHODS, model_id="broken")
    (directory / "Dockerfile").write_text(
        f"FROM {image.tags[0]}\nUSER root\nRUN pip install --no-deps 'protobuf>=7'\n"
        "COPY . /home/nonroot/main\nUSER 65532:65532\n"
    )
    with pytest.raises(ModelError) as refused:
        emulator.deploy(directory)
    assert refused.value.summary.startswith("clarifai 11.5.6 cannot be imported by the model's environment beside ")
    assert refused.value.hint == (
        "clarifai 11.5.6 needs `protobuf<7`: name that in requirements.txt, or a newer `clarifai`."
    )
