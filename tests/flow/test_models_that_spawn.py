"""A model may start processes; those that do not find model.py are explained, and what is said helps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flow.driver import MODELS, Client, inference_request, running, text_of, wait_for

FINDS = """
import os, sys
sys.path.insert(0, os.path.dirname(__file__))
"""
MODEL = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from clarifai.runners.models.model_class import ModelClass

def double(number):
    return 2 * number

class Spawns(ModelClass):
    @ModelClass.method
    def predict(self, how: str) -> str:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(how)) as pool:
            return str(pool.submit(double, 21).result())
"""

pytestmark = pytest.mark.of_processes("in a container the SDK's own server starts processes")


def test_a_process_that_is_spawned_is_explained_and_runs_once_model_py_does_what_is_said(tmp_path: Path) -> None:
    directory = Path(shutil.copytree(MODELS / "hello", tmp_path / "hello"))
    (directory / "1" / "model.py").write_text(MODEL)
    with running() as emulator:
        emulator.deploy(directory)
        client = Client(emulator.url)
        assert text_of(client.call("PostModelOutputs", inference_request("hello", how="fork"))) == "42"
        failed = client.call("PostModelOutputs", inference_request("hello", how="spawn"))
        assert failed.status.code != 10000

        def explained() -> bool:
            lines = emulator.run(lambda each: [line.message for line in each.logbook.lines("runner")])
            return any("does not find model.py, here and on the platform" in line for line in lines)

        wait_for(explained, seconds=30)
        (directory / "1" / "model.py").write_text(FINDS + MODEL)
        emulator.deploy(directory)
        for how in ("spawn", "forkserver"):
            answer = client.call("PostModelOutputs", inference_request("hello", how=how))
            assert text_of(answer) == "42", how
        client.close()
