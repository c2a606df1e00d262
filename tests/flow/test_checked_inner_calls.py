"""A call of one model by another fares as ``check`` says of it, before anything is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.calls.client_check import check_calls
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, write_model

INNER = """
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass

class Inner(ModelClass):
    @ModelClass.method
    def predict(self, name: str, times: int = 1) -> str:
        return name * times

    @ModelClass.method
    def generate(self, name: str) -> Iterator[str]:
        yield from [name, name]
"""
# How the outer model calls the inner one, and whether that goes well.
CALLS = {
    "by_name": ("self.inner.predict(name=text)", True),
    "by_position": ("self.inner.predict(text, 2)", True),
    "of_the_owner": ("self.owned.predict(name=text)", True),
    "streamed": ("''.join(self.inner.generate(name=text))", True),
    "by_ids": ("Model(model_id='inner', user_id='me', app_id='demo', base_url=BASE).predict(text)", True),
    "misspelt": ("self.inner.predict(nam=text)", False),
    "without": ("self.inner.predict(times=2)", False),
    "wrong_type": ("self.inner.predict(text, times='2')", False),
    "no_method": ("self.inner.rank(text)", False),
    "too_many": ("self.owned.predict(text, 1, 2)", False),
}
OUTER = """
import os
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

BASE = os.environ["CLARIFAI_API_BASE"]

class Outer(ModelClass):
    URL = "https://clarifai.com/me/demo/models/inner"

    def load_model(self):
        self.inner = Model(url=self.URL, base_url=BASE)
        owner = os.environ["CLARIFAI_USER_ID"]
        self.owned = Model(url=f"https://clarifai.com/{owner}/demo/models/inner", base_url=BASE)

    @ModelClass.method
    def predict(self, how: str) -> str:
        return getattr(self, how)("x")
""" + "".join(f"\n    def {name}(self, text):\n        return {call}\n" for name, (call, _) in CALLS.items())


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    return [write_model(tmp_path, name, code) for name, code in (("inner", INNER), ("outer", OUTER))]


def test_what_check_says_of_a_call_between_models_is_what_becomes_of_it(
    emulator: EmulatorThread, client: Client, models: list[Path]
) -> None:
    report = check_calls([], [GivenModel(each) for each in models])
    lines = OUTER.split("\n")
    wrong = {each.location.line for each in report.calls if each.findings}
    said = {name: lines.index(f"        return {call}") + 1 not in wrong for name, (call, _) in CALLS.items()}
    assert said == {name: is_right for name, (_, is_right) in CALLS.items()}
    assert {each.severity for each in report.findings} == {Severity.ERROR}
    assert {(each.caller, each.model) for each in report.calls} == {("outer", "inner")}

    for each in models:
        emulator.deploy(each)
    became = {
        name: client.call("PostModelOutputs", inference_request("outer", how=name)).status.code
        == StatusCode.SUCCESS
        for name in CALLS
    }
    assert became == said
