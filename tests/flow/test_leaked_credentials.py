"""A model that gives its credential away is told so; its answer stays as it is, and nothing keeps the value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError
from flow.driver import Client, inference_request, logged, running, text_of, wait_for, write_model

LEAKS = """
import os
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass

def pat():
    return os.environ["CLARIFAI_PAT"]

class Leaks(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        print("with", pat())
        return "my key is " + pat()

    @ModelClass.method
    def environ(self, prompt: str) -> dict:
        return {"environ": dict(os.environ)}

    @ModelClass.method
    def raw(self, prompt: str) -> bytes:
        return b"\\x00\\xff" + pat().encode()

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        for letter in "my key is " + pat():
            yield letter

    @ModelClass.method
    def fails(self, prompt: str) -> str:
        raise ValueError("401 for Key " + pat())

    @ModelClass.method
    def fails_later(self, prompt: str) -> Iterator[str]:
        yield "one"
        raise ValueError("401 for Key " + pat())

    @ModelClass.method
    def keeps(self, prompt: str) -> str:
        return "replica-credential"
"""
SAID = "{}(): its answer holds the credential of a replica, the CLARIFAI_PAT that models find in their environment."


@pytest.fixture(scope="module", params=["record", "strict"])
def leaking(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with running(contract=request.param) as emulator:
        emulator.deploy(write_model(tmp_path_factory.mktemp("leaks"), "leaks", LEAKS))
        yield emulator


def answers_of(emulator: EmulatorThread, method: str) -> list[Any]:
    client = Client(emulator.url)
    request = inference_request("leaks", method, prompt="you")
    try:
        if method in ("generate", "fails_later"):
            return list(client.generate(request))
        return [client.call("PostModelOutputs", request)]
    finally:
        client.close()


@pytest.mark.parametrize("method", ["predict", "environ", "raw", "generate", "fails", "fails_later"])
def test_a_leak_is_found_wherever_it_is_and_hidden_everywhere(leaking: EmulatorThread, method: str) -> None:
    before = len(leaking.events("contract.finding"))
    answers = answers_of(leaking, method)
    found = leaking.events("contract.finding")[before:]
    assert [(each.fields["rule"], each.fields["severity"]) for each in found] == [("credential-in-answer", "error")]
    assert found[0].fields["message"] == SAID.format(method)
    token = token_of(leaking)
    if method == "generate":
        assert "".join(map(text_of, answers)) == f"my key is {token}", "the answer is what it is"
    else:
        assert token in "".join(map(str, answers)), "the answer is what it is"
    if method == "predict" and leaking.config.backend != "inprocess":  # whose prints are those of this process
        wait_for(lambda: "with replica-****" in logged(leaking))
    assert token not in json.dumps([event.as_dict() for event in leaking.events()], default=str)
    assert token not in "\n".join(logged(leaking))


def token_of(emulator: EmulatorThread) -> str:
    return text_of(answers_of(emulator, "predict")[0]).removeprefix("my key is ")


def test_an_answer_that_only_sounds_like_it_is_none(leaking: EmulatorThread) -> None:
    before = len(leaking.events("contract.finding"))
    assert text_of(answers_of(leaking, "keeps")[0]) == "replica-credential"
    assert leaking.events("contract.finding")[before:] == []


def test_a_credential_that_is_sent_to_a_model_is_hidden_too(leaking: EmulatorThread) -> None:
    token = token_of(leaking)
    client = Client(leaking.url)
    client.call("PostModelOutputs", inference_request("leaks", "keeps", prompt=token))
    client.close()
    wait_for(lambda: "replica-****" in json.dumps([event.as_dict() for event in leaking.events("request")]))
    assert token not in json.dumps([event.as_dict() for event in leaking.events()])


def test_a_model_that_fails_with_it_while_it_loads_is_told_without(tmp_path: Path) -> None:
    load = '\n    def load_model(self):\n        raise ValueError("no " + pat())\n'
    source = LEAKS.replace("class Leaks(ModelClass):", f"class Leaks(ModelClass):{load}")
    with running(hold_seconds=5) as emulator:
        with pytest.raises(CallerError, match=r"ValueError: no replica-\*\*\*\*\n"):
            emulator.deploy(write_model(tmp_path, "leaks", source))
        assert "ValueError: no replica-****" in logged(emulator)
        events = json.dumps([event.as_dict() for event in emulator.events()])
        assert "no replica-****" in events
        assert "no replica-" not in events.replace("replica-****", "")
