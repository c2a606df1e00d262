"""The scenarios of the SDK's `test_model_predict.py`: a public model of the classical form, as Clarifai hosts them.

Upstream they call `clarifai/main/models/general-image-recognition`; here a stand-in with code of its own answers
under that address, and does what the request's output config asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clarifai.client import Model
from clarifai.client.input import Inputs
from clarifai.errors import UserError
from clarifai_grpc.grpc.api.resources_pb2 import Concept

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import running, write_model
from flow.served_files import serving_files

GENERAL = "https://clarifai.com/clarifai/main/models/general-image-recognition"
CODE = """
from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

SEEN = {"dog": 0.99, "pet": 0.985, "grass": 0.7, "cat": 0.2, "car": 0.1}


class General(ModelClass):
    def PostModelOutputs(self, request: service_pb2.PostModelOutputsRequest) -> service_pb2.MultiOutputResponse:
        wanted = request.model.model_version.output_info.output_config
        chosen = {each.name for each in wanted.select_concepts}
        found = [(n, v) for n, v in SEEN.items() if v >= wanted.min_value and (not chosen or n in chosen)]
        answer = service_pb2.MultiOutputResponse()
        answer.status.code = StatusCode.SUCCESS
        for each in request.inputs:
            output = answer.outputs.add()
            output.status.code = StatusCode.SUCCESS
            data = each.data
            if data.image.url and not data.image.base64:
                raise ValueError("nothing was found at " + data.image.url)
            for step in range(3) if data.HasField("video") else ():
                frame = output.data.frames.add()
                frame.frame_info.time = wanted.sample_ms // 2 + step * wanted.sample_ms
            for name, value in found[: wanted.max_concepts or None]:
                output.data.concepts.add(id=name, name=name, value=value)
        return answer
"""


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("general")
    directory = write_model(folder, "general", CODE)
    config = (directory / "config.yaml").read_text()
    (directory / "config.yaml").write_text(re.sub("model_type_id: .*", "model_type_id: visual-classifier", config))
    topology = folder / "topology.yaml"
    topology.write_text(f"stand_ins:\n  - model: {GENERAL}\n    path: {directory}\n")
    with running(topology=(topology,)) as emulator:
        yield emulator


@pytest.fixture
def model(hosting: EmulatorThread) -> Model:
    return Model(url=GENERAL, base_url=hosting.url, pat="any")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of sample files: the runner fetches what an input names by its address."""
    folder = tmp_path_factory.mktemp("samples")
    (folder / "dog.jpeg").write_bytes(b"\xff\xd8\xff")
    (folder / "beer.mp4").write_bytes(b"video")
    with serving_files(folder) as address:
        yield address


def names(response: object) -> list[str]:
    return [each.name for each in response.outputs[0].data.concepts]  # type: ignore[attr-defined]


def test_an_image_is_sent_by_address_by_path_and_as_bytes(model: Model, samples: str, tmp_path: Path) -> None:
    picture = tmp_path / "truck.png"
    picture.write_bytes(b"\x89PNG\r\n")
    for response in (
        model.predict_by_url(f"{samples}/dog.jpeg"),  # of what type, the SDK asks: GetModelType
        model.predict_by_filepath(str(picture)),
        model.predict_by_bytes(picture.read_bytes(), "image"),
    ):
        assert names(response) == ["dog", "pet", "grass", "cat", "car"]


@pytest.mark.parametrize(
    ("config", "answered"),
    [
        ({"select_concepts": [Concept(name="cat"), Concept(name="dog")]}, ["dog", "cat"]),
        ({"min_value": 0.98}, ["dog", "pet"]),
        ({"max_concepts": 3}, ["dog", "pet", "grass"]),
    ],
    ids=["select_concepts", "min_value", "max_concepts"],
)
def test_the_output_config_reaches_the_model(
    model: Model, samples: str, config: dict[str, object], answered: list[str]
) -> None:
    assert names(model.predict_by_url(f"{samples}/dog.jpeg", "image", output_config=config)) == answered


def test_a_video_is_sampled_as_asked(model: Model, samples: str) -> None:
    video = Inputs.get_input_from_url("", video_url=f"{samples}/beer.mp4")
    response = model.predict([video], output_config={"sample_ms": 2000})
    assert [frame.frame_info.time for frame in response.outputs[0].data.frames] == [1000, 3000, 5000]


def test_what_cannot_be_predicted_is_refused(model: Model, samples: str) -> None:
    with pytest.raises(UserError, match="filepath"):
        model.predict_by_filepath("false_filepath", "image")
    with pytest.raises(UserError, match=r"input_type|Got input type"):
        model.predict_by_url("http://127.0.0.1/dog.jpeg", "invalid_input_type")
    with pytest.raises(Exception, match="nothing was found at http"):
        model.predict_by_url(f"{samples}/non-existing.jpg", "image")
