"""Examples that are run: what is right works, and what only a request or a result shows is found there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, Part

from clarifai_emulator.contracts.rules.example import examples
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.contracts.values.fuzz import fuzz
from clarifai_emulator.contracts.values.wire import WireMethod
from clarifai_emulator.control.thread import EmulatorThread
from flow.contracts.rules.example_files import METHODS, OPENAI_URL, client_code, method, write_model
from flow.contracts.rules.example_groups import CLIENTS, FUZZED, RUNNING
from flow.driver import MODELS, Model

# What is needed for them is not here.
NOT_RUN = {
    "awaited-twice": "a notebook",
    "unreadable-cell": "a notebook",
    "no-mcp": "fastmcp",
    "unknown-tool": "fastmcp",
    "passed-model": "another package",
    "sdk-argument": "an image in the Internet",
    "workflow-not-given": "a workflow",
    "workflow-graph": "a workflow",
    "workflow-edge": "a workflow",
    "unchecked-edge": "a workflow",
    "wrong-body": "requests",
}
ABSENT = ("import requests", "from fastmcp import Client")
RUN = CLIENTS - NOT_RUN.keys()
OF_OPENAI = frozenset(rule for rule in RUN if "client." in examples()[rule].right)
IMPORTS = """
from clarifai_grpc.grpc.api.resources_pb2 import Data, Input, Part, Text, UserAppIDSet
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from clarifai_grpc.grpc.api.service_pb2_grpc import V2Stub

APP = UserAppIDSet(user_id="me", app_id="main")
METADATA = (("authorization", "Key any"),)
"""
ModelOf = Callable[[str], Any]
IN_CODE = RUNNING - {"call-kind", "unchecked-request"}


def test_what_is_not_run_is_a_rule_about_clients() -> None:
    assert NOT_RUN.keys() <= CLIENTS
    assert len(RUN) >= 50


@pytest.fixture(scope="module")
def speaking(emulator: EmulatorThread, tmp_path_factory: pytest.TempPathFactory) -> EmulatorThread:
    """Return the emulator with the model that speaks OpenAI's API, where the examples look for it."""
    copy = tmp_path_factory.mktemp("chat")
    code, config = (MODELS / "openai" / name for name in ("1/model.py", "config.yaml"))
    emulator.deploy(
        write_model(
            copy / "chat",
            code.read_text(),
            requirements="clarifai\nopenai\n",
            config=config.read_text().replace("id: openai", "id: chat").replace("app_id: demo", "app_id: main"),
        )
    )
    return emulator


def run(code: str, emulator: EmulatorThread) -> None:
    """Run a program as its own module, against the emulator instead of the platform."""
    lines = (each for each in code.splitlines() if each not in ABSENT)
    program = "\n".join(lines).replace(OPENAI_URL, f"{emulator.url}/v2/ext/openai/v1")
    exec(compile(program, "<example>", "exec"), {"__name__": "example"})


def found(emulator: EmulatorThread) -> list[str]:
    return [str(each.fields["rule"]) for each in emulator.events("contract.finding")]


@pytest.mark.parametrize("rule", sorted(RUN - OF_OPENAI))
def test_the_right_call_works(emulator: EmulatorThread, rule: str) -> None:
    example = examples()[rule]
    before = len(emulator.events("contract.finding"))
    run(client_code(example, example.right), emulator)
    # Whether messages of older clients are right, nobody can say.
    assert set(found(emulator)[before:]) <= {"unchecked-request"}


@pytest.mark.parametrize("rule", sorted(OF_OPENAI))
def test_the_right_request_works(speaking: EmulatorThread, rule: str) -> None:
    test_the_right_call_works(speaking, rule)


@pytest.mark.parametrize("rule", ["call-kind", "unchecked-request"])
def test_a_request_breaks_the_rule_while_it_runs(emulator: EmulatorThread, tmp_path: Path, rule: str) -> None:
    example = examples()[rule]
    # Of older clients it is said once for each model.
    emulator.deploy(write_model(tmp_path / rule, "\n".join(map(method, METHODS)), model_id=rule))

    def findings(code: str) -> list[str]:
        before = len(emulator.events("contract.finding"))
        channel = f'import grpc\nstub = V2Stub(grpc.insecure_channel("{emulator.url.removeprefix("http://")}"))\n'
        run(f"{IMPORTS}{channel}{code.replace('assistant', rule)}", emulator)
        return found(emulator)[before:]

    assert findings(example.wrong) == [rule]
    assert findings(example.right) == []


@pytest.fixture(scope="module")
def running_models(emulator: EmulatorThread, tmp_path_factory: pytest.TempPathFactory) -> ModelOf:
    """Return a function that returns the deployed model with the methods of one side of these examples."""
    folder = tmp_path_factory.mktemp("running")
    for side in ("wrong", "right"):
        code = "\n\n".join(getattr(examples()[rule], side) for rule in sorted(IN_CODE | FUZZED))
        emulator.deploy(write_model(folder / side, code, model_id=side))

    def model(side: str) -> Any:
        return Model(url=f"https://clarifai.com/me/main/models/{side}")

    return model


def test_a_result_of_another_type_is_found_while_it_runs(emulator: EmulatorThread, running_models: ModelOf) -> None:
    for side, expected in (("wrong", ["result-type"]), ("right", [])):
        before = len(emulator.events("contract.finding"))
        running_models(side).words(text="Hello you")
        assert found(emulator)[before:] == expected


def test_a_method_that_gives_nothing_fails_or_its_output_has_no_result(
    running_models: ModelOf,
) -> None:
    assert running_models("right").answer(text="Hello") == "You said Hello."
    wrong = running_models("wrong")
    with pytest.raises(Exception, match=r"Incompatible type for string_value: <class .*NoneType"):
        wrong.answer(text="Hello")
    # Runners of other versions answer with an output without the result.
    judge = WireMethod(method_shape(wrong.client._method_signatures["answer"]))
    assert [each.rule for each in judge.output_problems(Data())] == ["result-missing"]
    answered = Data(parts=[Part(id="return", data=Data(string_value="You said Hello."))])
    assert judge.output_problems(answered) == ()


def test_an_empty_result_of_a_call_without_arguments_is_found_and_in_a_dict_it_arrives(
    emulator: EmulatorThread, running_models: ModelOf
) -> None:
    for side, result, expected in (("wrong", {}, ["result-lost"]), ("right", {"error": ""}, [])):
        before = len(emulator.events("contract.finding"))
        assert running_models(side).last_error() == result
        assert found(emulator)[before:] == expected


def test_a_credential_in_an_answer_is_found(emulator: EmulatorThread, running_models: ModelOf) -> None:
    for side, expected in (("wrong", ["credential-in-answer"]), ("right", [])):
        before = len(emulator.events("contract.finding"))
        assert running_models(side).settings(text="all")
        assert found(emulator)[before:] == expected


def test_a_stream_of_nothing_fails_in_the_client_and_is_found(
    emulator: EmulatorThread, running_models: ModelOf
) -> None:
    before = len(emulator.events("contract.finding"))
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(running_models("wrong").spell(text=""))
    assert found(emulator)[before:] == ["empty-stream"]
    assert list(running_models("right").spell(text="")) == [""]
    assert found(emulator)[before:] == ["empty-stream"]


@pytest.mark.parametrize(("rule", "name"), [("crashing-method", "share"), ("hanging-method", "wait")])
def test_a_method_breaks_the_rule_for_generated_values(running_models: ModelOf, rule: str, name: str) -> None:
    assert f"def {name}(" in examples()[rule].wrong
    for side, expected in (("wrong", rule), ("right", "")):
        client = running_models(side).client
        client.fetch()

        def call(name: str, arguments: dict[str, Any], client: Any = client) -> Any:
            return getattr(client, name)(**arguments)

        (fuzzed,) = fuzz([client._method_signatures[name]], call, model=side, examples=10, seconds=1.0)
        assert (fuzzed.finding.rule if fuzzed.finding is not None else "") == expected
