"""Requests and results are checked against the signatures of the version they go to, while they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, inference_request, running, sdk_model, wait_for, write_model

CODE = """\
import time
from typing import Iterator, List

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_types import NamedFields
from clarifai.runners.utils.data_utils import Param


class Checked(ModelClass):
    @ModelClass.method
    def predict(
        self,
        prompt: str,
        temperature: float = Param(0.5, min_value=0.1, max_value=1.0),
        style: str = Param("plain", choices=["plain", "fancy"]),
    ) -> str:
        return f"{prompt} {temperature} {style}"

    @ModelClass.method
    def words(self, texts: List[str]) -> List[str]:
        return texts

    @ModelClass.method
    def options(self, values: dict) -> str:
        return "ok"

    @ModelClass.method
    def point(self, at: NamedFields(x=int, y=int)) -> str:
        return "ok"

    @ModelClass.method
    def letters(self, text: str) -> List[str]:
        return text

    @ModelClass.method
    def nothing(self, text: str) -> Iterator[str]:
        yield "a"
        yield None

    @ModelClass.method
    def spell(self, text: str) -> Iterator[str]:
        yield from text

    @ModelClass.method
    def ponder(self, text: str) -> Iterator[str]:
        time.sleep(2)
        yield text

    @ModelClass.method
    def stream(self, prompts: Iterator[str], n: int = 1) -> Iterator[str]:
        for prompt in prompts:
            yield prompt * n
"""

WITHOUT_ARGUMENTS = """\
from typing import Iterator, List

from clarifai.runners.models.model_class import ModelClass


class Bare(ModelClass):
    @ModelClass.method
    def version(self) -> str:
        return "v1"

    @ModelClass.method
    def steps(self) -> Iterator[int]:
        yield 1
        yield 2

    @ModelClass.method
    def letters(self) -> List[str]:
        return "abc"

    @ModelClass.method
    def limits(self, name: str) -> dict:
        return {name: float("inf")}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "checked"
    (path / "1").mkdir(parents=True)
    (path / "config.yaml").write_text((MODELS / "hello" / "config.yaml").read_text().replace("hello", "checked"))
    (path / "requirements.txt").write_text("clarifai\n")
    (path / "1" / "model.py").write_text(CODE)
    return path


@pytest.fixture
def strict() -> Iterator[EmulatorThread]:
    with running(contract="strict") as emulator:
        yield emulator


def findings(emulator: EmulatorThread) -> list[tuple[str, str]]:
    return [(each.fields["rule"], each.fields["message"]) for each in emulator.events("contract.finding")]


def test_right_calls_give_no_finding(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    hello = sdk_model("hello")
    assert hello.predict("you", n=2) == "Hello, you!!"
    assert hello.predict([{"prompt": "a"}, {"prompt": "b", "n": 3}]) == ["Hello, a!", "Hello, b!!!"]
    assert list(hello.generate(prompt="you")) == ["Hello,", "you!"]
    assert list(hello.stream(iter(["a", "b"]))) == ["Hello, a!", "Hello, b!"]
    assert findings(emulator) == []


def test_methods_without_arguments_are_answered_and_checked_too(emulator: EmulatorThread, tmp_path: Path) -> None:
    """The runner answers these methods as it answers older clients: the value is not in a part of its own."""
    emulator.deploy(write_model(tmp_path, "bare", WITHOUT_ARGUMENTS))
    bare = sdk_model("bare")
    assert bare.version() == "v1"
    assert list(bare.steps()) == [1, 2]
    assert findings(emulator) == []
    assert bare.letters() == ["a", "b", "c"]
    assert findings(emulator) == [
        ("result-type", "letters(): the result is 3 single letters: it looks like a str given for List[str].")
    ]


def test_an_infinite_number_in_a_result_is_no_large_integer(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    emulator.deploy(write_model(tmp_path, "bare", WITHOUT_ARGUMENTS))
    answer = client.call("PostModelOutputs", inference_request("bare", "limits", name="most"))
    assert answer.outputs[0].data.parts[0].data.struct_value["most"] == float("inf")
    assert findings(emulator) == []


def test_what_the_sdk_and_the_runner_let_through_is_told_and_answered(
    emulator: EmulatorThread, model: Path
) -> None:
    emulator.deploy(model)
    checked = sdk_model("checked")

    assert checked.predict("x", temperature=99.0, style="fnacy") == "x 99.0 fnacy"
    assert checked.words("abc") == ["a", "b", "c"]
    assert checked.options({"id": 2**53 + 1}) == "ok"
    assert checked.letters("abc") == ["a", "b", "c"]

    assert findings(emulator) == [
        ("out-of-range", "predict(): argument 'temperature' is 99.0, and 0.1 to 1 is declared."),
        (
            "not-a-choice",
            "predict(): argument 'style' is 'fnacy', and the choices are 'plain', 'fancy'. Did you mean 'fancy'?",
        ),
        (
            "text-for-list",
            "words(): argument 'texts' is 3 single letters: it looks like a str given for List[str].",
        ),
        ("result-type", "words(): the result is 3 single letters: it looks like a str given for List[str]."),
        (
            "large-integer",
            "options(): argument 'values' holds 9007199254740992: from 2**53 on, JSON loses the last digits of an "
            "integer.",
        ),
        ("result-type", "letters(): the result is 3 single letters: it looks like a str given for List[str]."),
    ]
    event = emulator.events("contract.finding")[0].fields
    assert (event["model"], event["method"], event["severity"]) == ("me/demo/checked", "predict", "error")
    assert event["hint"] == "Keep to the range that the message names."
    assert emulator.events("request.finished", request_id=event["request_id"])


def test_requests_of_clients_with_older_signatures_are_told(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)

    def call(method: str, rpc: str = "PostModelOutputs", **parts: Any) -> dict[str, str]:
        return client.call_with_trailers(rpc, inference_request("checked", method, **parts))[1]

    trailers = call("predict", promt="x")
    assert trailers["x-clarifai-emulator-finding"] == (
        "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, temperature, style. "
        "Did you mean 'prompt'?; "
        "missing-argument: predict(): argument 'prompt' (str) is required and not given."
    )
    assert call("predict", prompt=7)["x-clarifai-emulator-finding"] == (
        "wrong-type: predict(): argument 'prompt' came as int_value, and str (string_value) is read: "
        "the model gets an empty value."
    )
    assert call("perdict", prompt="x")["x-clarifai-emulator-finding"] == (
        "unknown-method: The model has no method 'perdict'; it has predict, words, options, point, letters, "
        "nothing, spell, ponder, stream. Did you mean 'predict'?"
    )
    assert call("nothing", text="x")["x-clarifai-emulator-finding"].startswith(
        "call-kind: nothing(): it is one input, a stream of outputs, and was called as one input, one output."
    )
    assert "x-clarifai-emulator-finding" not in call("predict", prompt="x")


def test_a_stream_of_nothing_is_told_once_and_answered_as_the_platform_would(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)
    assert len(list(client.generate(inference_request("checked", "spell", text="ab")))) == 2
    assert findings(emulator) == []
    for _ in range(2):
        assert list(client.generate(inference_request("checked", "spell", text=""))) == []
    assert findings(emulator) == [
        ("empty-stream", "spell(): it yielded nothing, and the SDK's client fails for a stream of nothing.")
    ]


def test_a_stream_that_its_client_gives_up_before_the_first_answer_is_not_one_of_nothing(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)
    waiting = client.generate(inference_request("checked", "ponder", text="x"))
    wait_for(lambda: emulator.events("route.decided"))
    waiting.cancel()
    wait_for(lambda: emulator.events("request.finished"))
    assert findings(emulator) == []


def test_fields_that_are_not_declared_are_told(emulator: EmulatorThread, client: Client, model: Path) -> None:
    emulator.deploy(model)
    request = inference_request("checked", "point")
    data = request.inputs[0].data.parts.add(id="at").data
    for name in ("x", "z"):
        data.parts.add(id=name).data.int_value = 1
    client.call("PostModelOutputs", request)
    assert [rule for rule, _ in findings(emulator)] == ["unknown-field", "missing-field"]


def test_the_form_of_older_clients_is_said_to_be_unchecked_once(
    emulator: EmulatorThread, client: Client, model: Path
) -> None:
    emulator.deploy(model)
    request = inference_request("checked", "predict")
    request.inputs[0].data.text.raw = "x"
    for _ in range(2):
        client.call("PostModelOutputs", request)
    assert findings(emulator) == [
        ("unchecked-request", "predict(): the input is in the form of older clients, without parts.")
    ]


def test_strict_refuses_with_the_finding(strict: EmulatorThread, model: Path) -> None:
    strict.deploy(model)
    client = Client(strict.url)
    try:
        answer = client.call("PostModelOutputs", inference_request("checked", "predict", prompt="x", style="fnacy"))
        assert answer.status.code == StatusCode.MODEL_INVALID_ARGUMENT
        assert answer.status.details == (
            "not-a-choice: predict(): argument 'style' is 'fnacy', and the choices are 'plain', 'fancy'. "
            "Did you mean 'fancy'? Give one of the choices that the message names."
        )
        good = client.call("PostModelOutputs", inference_request("checked", "predict", prompt="x"))
        assert good.outputs[0].data.parts[0].data.string_value == "x 0.5 plain"

        items = [
            inference_request("checked", "stream", prompts="a"),
            inference_request("checked", "stream", wrong="b"),
        ]
        answers = list(client.stream(iter(items)))
        assert answers[-1].status.code == StatusCode.MODEL_INVALID_ARGUMENT
        assert "there is no argument 'wrong'" in answers[-1].status.details
    finally:
        client.close()


def test_off_does_not_look() -> None:
    with running(contract="off") as emulator:
        emulator.deploy(MODELS / "hello")
        client = Client(emulator.url)
        client.call("PostModelOutputs", inference_request("hello", "predict", promt="x"))
        assert findings(emulator) == []
        client.close()
