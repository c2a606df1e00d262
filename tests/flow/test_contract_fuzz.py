"""Fuzzing finds crashes, hangs and results that a model does not declare, and nothing in a model that is right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.values.fuzz import Fuzzed, fuzz
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, sdk_model, write_model

CODE = """\
import os
import time
from typing import Dict, List

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Weak(ModelClass):
    @ModelClass.method
    def predict(self, n: int, k: int = Param(3, min_value=1, max_value=9)) -> str:
        return str(100 // k) + "x"

    @ModelClass.method
    def divide(self, n: int) -> float:
        return 1 / n

    @ModelClass.method
    def hang(self, text: str) -> str:
        if text:
            time.sleep(60)
        return text

    @ModelClass.method
    def die(self, text: str) -> str:
        if text:
            os._exit(3)
        return text

    @ModelClass.method
    def wrong(self, items: List[str]) -> List[str]:
        return [None] if items else []
"""


def run(name: str, *methods: str, **options: Any) -> dict[str, Fuzzed]:
    client = sdk_model(name).client
    client.fetch()
    known = client._method_signatures
    signatures = [known[each] for each in methods or known]

    def call(method: str, arguments: dict[str, Any]) -> Any:
        return getattr(client, method)(**arguments)

    return {each.method: each for each in fuzz(signatures, call, model=name, **options)}


def test_a_model_that_does_what_it_declares_gives_no_finding(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "types")
    results = run("types", examples=3)
    assert len(results) > 20
    assert {name for name, each in results.items() if each.finding is not None} <= {"generate_images"}
    assert all(each.calls >= 1 for each in results.values())


def test_a_stream_of_nothing_is_told_for_the_client_fails_at_it(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "types")
    finding = run("types", "generate_images")["generate_images"].finding
    assert finding is not None
    assert finding.message == (
        "generate_images(): fails for value=Image(bytes=<75 bytes>), n=0: it yields nothing, and the SDK's client "
        "fails for a stream of nothing."
    )


def test_what_crashes_is_told_with_the_smallest_arguments_and_what_hangs_with_those_it_hung_at(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    emulator.deploy(write_model(tmp_path, "weak", CODE))
    results = run("weak", "predict", "divide", "hang", "wrong", examples=20, seconds=1.0)
    assert results["predict"].finding is None
    divide, hang, wrong = (results[name].finding for name in ("divide", "hang", "wrong"))
    assert divide is not None
    assert (divide.rule, divide.model, divide.method) == ("crashing-method", "weak", "divide")
    assert divide.message == "divide(): fails for n=0: division by zero"
    assert hang is not None
    assert hang.rule == "hanging-method"
    assert re.fullmatch(r"hang\(\): no answer after 1 s to text='.+'\.", hang.message)
    assert wrong is not None
    assert wrong.rule == "crashing-method"
    assert wrong.message.startswith("wrong(): fails for items=['']: Incompatible type for string_value")


def test_a_method_that_ends_its_process_is_told_within_its_time(emulator: EmulatorThread, tmp_path: Path) -> None:
    emulator.deploy(write_model(tmp_path, "weak", CODE))
    died = run("weak", "die", method_seconds=5.0)["die"]
    assert died.finding is not None
    assert died.finding.rule == "crashing-method"
    assert re.match(r"die\(\): fails for text='.+': Replica \w+ ended while it worked", died.finding.message)
