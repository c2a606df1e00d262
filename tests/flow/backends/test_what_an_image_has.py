"""A replica sees what the platform's image would have of its model directory, in a process and in this one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures.read_signatures import read_signatures
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from flow.driver import Client, inference_request, running, text_of, write_model

LOOKING = """
import os
from pathlib import Path
from clarifai.runners.models.model_class import ModelClass

HERE = Path(__file__).parent.parent

class Looking(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        try:
            import words
            found = words.WORD
        except ModuleNotFoundError as error:
            found = str(error)
        inside = (Path(__file__).parent / "inside.txt").read_text()
        return f"{inside} {found} {(HERE / 'words.py').exists()} {sorted(os.listdir(HERE))}"
"""
WITHOUT = "inside No module named 'words' False ['1', 'config.yaml', 'requirements.txt']"


@pytest.fixture(scope="module", params=["process", "inprocess"])
def emulated(request: pytest.FixtureRequest) -> Iterator[EmulatorThread]:
    with running(backend=request.param) as emulator:
        yield emulator


@pytest.fixture
def looking(tmp_path: Path) -> Path:
    directory = write_model(tmp_path, "looking", LOOKING)
    (directory / "words.py").write_text("WORD = 'beside'\n")
    (directory / "1" / "inside.txt").write_text("inside")
    return directory


def said(emulator: EmulatorThread) -> str:
    client = Client(emulator.url)
    try:
        return text_of(client.call("PostModelOutputs", inference_request("looking", text="x")))
    finally:
        client.close()


def test_what_lies_beside_the_folder_1_is_not_there(emulated: EmulatorThread, looking: Path) -> None:
    deployed = emulated.deploy(looking)
    assert any("not in the platform's image" in each and "words.py" in each for each in deployed.warnings)
    assert said(emulated) == WITHOUT


def test_a_dockerfile_of_the_users_brings_it(looking: Path) -> None:
    (looking / "Dockerfile").write_text("FROM python:3.12\nCOPY . /home/nonroot/main\n")
    with running() as emulator:
        emulator.deploy(looking)
        assert said(emulator).startswith("inside beside True")


def test_a_model_that_imports_it_is_refused_with_the_authors_own_path(looking: Path) -> None:
    model = looking / "1" / "model.py"
    model.write_text("import words\n" + LOOKING)
    with running() as emulator, pytest.raises(ModelError) as raised:
        emulator.deploy(looking)
    assert raised.value.summary == "model.py cannot be used: ModuleNotFoundError: No module named 'words'"
    assert f'File "{model}", line 1, in <module>' in raised.value.log


def test_the_contract_says_what_the_image_lacks(looking: Path) -> None:
    (looking / "1" / "model.py").write_text("from words import WORD\nimport more.parts\n" + LOOKING)
    (looking / "more").mkdir()
    (looking / "words.json").write_text("{}")
    (looking / "extra.txt").write_text("")
    with (looking / "1" / "model.py").open("a") as file:
        file.write("\nWORDS = '../words.json'\n")
    (looking / "requirements.txt").write_text("clarifai==12.5.0\n-r extra.txt\n")
    for static in (False, True):
        contract = read_signatures(looking, static=static)
        told = [(each.message, str(each.severity)) for each in contract.findings if each.rule == "not-in-image"]
        assert told[0] == (
            "'-r extra.txt' needs extra.txt, which is not there when the platform installs requirements.txt: it is "
            "given that file alone.",
            "error",
        )
        assert told[1] == (
            "Module 'words' is words.py beside the folder 1: it is not in the platform's image, and cannot be "
            "imported there.",
            "error",
        )
        assert told[2][0].startswith("Module 'more' is more/ beside the folder 1: ")
        assert told[3] == (
            "'../words.json' lies beside the folder 1: it is not in the platform's image.",
            "warning",
        )
        assert "stubbed-module" not in {each.rule for each in contract.findings}


def test_what_an_ended_model_put_on_the_path_is_not_found_by_the_next_one(tmp_path: Path, looking: Path) -> None:
    inserts = "import os, sys\nsys.path.insert(0, os.path.dirname(__file__))\nimport words\n"
    ended = write_model(tmp_path, "ended", inserts + LOOKING)
    (ended / "1" / "words.py").write_text("WORD = 'of the one that has ended'\n")
    (ended / "1" / "inside.txt").write_text("inside")
    with running(backend="inprocess") as emulator:
        emulator.deploy(ended)
        emulator.undeploy("deploy-ended")
        emulator.deploy(looking)
        assert said(emulator) == WITHOUT
