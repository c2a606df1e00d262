"""The in-process backend runs the model in the process of the test, within reach of it."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError, ModelError
from flow.driver import MODELS, Client, inference_request, running, wait_for

MODEL = """
import os
import sys
from clarifai.runners.models.model_class import ModelClass
sys.path.insert(0, os.path.dirname(__file__))
from helper import SUFFIX

CALLS = []

class Reachable(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        CALLS.append(text)
        return f"{text}{SUFFIX} in {os.getpid()}"
"""


@pytest.fixture
def inprocess() -> Iterator[EmulatorThread]:
    with running(backend="inprocess") as emulator:
        yield emulator


@pytest.fixture
def caller(inprocess: EmulatorThread) -> Iterator[Client]:
    client = Client(inprocess.url)
    yield client
    client.close()


def model(folder: Path, name: str, suffix: str) -> Path:
    """Write a model directory whose ``predict`` adds ``suffix``, which a module of its own has."""
    path = folder / name
    shutil.copytree(MODELS / "hello", path)
    config = path / "config.yaml"
    config.write_text(config.read_text().replace("id: hello", f"id: {name}"))
    (path / "1" / "model.py").write_text(MODEL)
    (path / "1" / "helper.py").write_text(f"SUFFIX = {suffix!r}\n")
    return path


def predict(caller: Client, name: str, text: str) -> Any:
    response = caller.call("PostModelOutputs", inference_request(name, text=text))
    assert response.status.code == StatusCode.SUCCESS, response.status
    return response.outputs[0].data.parts[0].data.string_value or response.outputs[0].data.string_value


def test_a_test_can_reach_into_the_model(inprocess: EmulatorThread, caller: Client, tmp_path: Path) -> None:
    inprocess.deploy(model(tmp_path, "reachable", "!"))
    assert predict(caller, "reachable", "you") == f"you! in {os.getpid()}"
    file = str(tmp_path / "reachable" / "1" / "model.py")
    (module,) = (each for each in tuple(sys.modules.values()) if getattr(each, "__file__", None) == file)
    assert module.CALLS == ["you"]


def test_two_models_with_modules_of_the_same_name_keep_their_own(
    inprocess: EmulatorThread, caller: Client, tmp_path: Path
) -> None:
    inprocess.deploy(model(tmp_path, "one", "?"))
    inprocess.deploy(model(tmp_path, "two", "!"))
    assert predict(caller, "one", "a").startswith("a? ")
    assert predict(caller, "two", "a").startswith("a! ")


def test_an_edited_model_and_its_edited_modules_take_over(
    inprocess: EmulatorThread, caller: Client, tmp_path: Path
) -> None:
    path = model(tmp_path, "edited", "?")
    inprocess.deploy(path)
    assert predict(caller, "edited", "a").startswith("a? ")
    (path / "1" / "helper.py").write_text("SUFFIX = ' anew'\n")
    inprocess.deploy(path)
    assert predict(caller, "edited", "a").startswith("a anew ")


def test_a_model_that_needs_other_packages_is_refused_with_what_they_are(
    inprocess: EmulatorThread, tmp_path: Path
) -> None:
    path = model(tmp_path, "picky", "?")
    (path / "requirements.txt").write_text("clarifai\nnobody-has-this==1.0\n")
    with pytest.raises(ModelError) as raised:
        inprocess.deploy(path)
    assert raised.value.summary == (
        "picky cannot run in the emulator's own process: nobody-has-this is not installed."
    )
    assert raised.value.hint == (
        "Install what it needs beside the emulator, or use the process backend: it builds environments."
    )


def test_a_model_that_cannot_be_imported_is_refused_with_its_own_traceback(inprocess: EmulatorThread) -> None:
    with pytest.raises(ModelError) as raised:
        inprocess.deploy(MODELS / "crash_import")
    assert raised.value.summary.startswith("model.py cannot be used: ")
    assert raised.value.log.splitlines()[1].strip().startswith(f'File "{MODELS / "crash_import"}')


def test_a_model_that_cannot_load_fails_its_deployment_with_its_own_traceback(inprocess: EmulatorThread) -> None:
    with pytest.raises(CallerError) as raised:
        inprocess.deploy(MODELS / "crash_load")
    assert "3 starts in a row failed, the last because it ended while it was being loaded" in raised.value.message
    assert "RuntimeError: cannot load the model: no weights" in raised.value.message


def test_what_the_runner_logs_is_in_the_log(inprocess: EmulatorThread, caller: Client) -> None:
    inprocess.deploy(MODELS / "hello")
    response = caller.call("PostModelOutputs", inference_request("hello", prompt="x"))

    def named() -> bool:
        entries = caller.call("ListLogEntries", log_type="runner", page=1, per_page=1000).log_entries
        return any(response.status.req_id in entry.message for entry in entries)

    wait_for(named)


def test_a_model_is_loaded_without_asking_the_platform_that_this_process_names(
    inprocess: EmulatorThread, caller: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that embeds an emulator may have variables for the real platform, and a config.yaml need not say
    whose model it is."""
    path = model(tmp_path, "hello", suffix="!")
    config = path / "config.yaml"
    config.write_text("".join(each for each in config.read_text().splitlines(True) if "user_id:" not in each))
    asked: list[str] = []
    monkeypatch.setattr("clarifai.utils.config.resolve_user_id", lambda **_: asked.append("whose token it is"))
    inprocess.deploy(path, model="me/demo/models/hello")
    assert predict(caller, "hello", "x").startswith("x! in ")
    assert not asked


def test_stopping_ends_its_threads(tmp_path: Path) -> None:
    others = set(threading.enumerate())

    def of_replicas() -> list[str]:
        return [thread.name for thread in set(threading.enumerate()) - others if thread.name.startswith("replica ")]

    with running(backend="inprocess") as emulator:
        emulator.deploy(MODELS / "hello", min_replicas=1)
        assert of_replicas()
    wait_for(lambda: not of_replicas())


def test_the_model_of_a_replica_that_has_ended_is_not_kept(inprocess: EmulatorThread, tmp_path: Path) -> None:
    inprocess.deploy(model(tmp_path, "first", "!"))
    kept = weakref.ref(sys.modules["model"].Reachable)
    inprocess.deploy(model(tmp_path, "second", "?"))
    inprocess.undeploy("first")
    wait_for(lambda: gc.collect() >= 0 and kept() is None)
