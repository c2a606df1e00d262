"""Cassettes: recorded once with a model, played back without one, and honest about what no longer fits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.conftest import MODELS, Run

TESTS = """
import os
import pytest
from clarifai.client import Model

PROMPT = os.environ.get("PROMPT", "you")


@pytest.mark.clarifai_cassette
@pytest.mark.clarifai_model("hello")
def test_unary(clarifai):
    assert clarifai.deployed[0].model.predict(prompt=PROMPT, n=2) == "Hello, you!!"


@pytest.mark.clarifai_cassette("streams")
def test_streams(clarifai):
    hello = clarifai.deploy("hello")
    assert list(hello.model.generate(prompt="a")) == ["Hello,", "a!"]
    assert list(hello.model.stream(iter(["b", os.environ.get("SECOND", "c")]))) == ["Hello, b!", "Hello, c!"]
    if os.environ.get("ONCE_MORE"):
        list(hello.model.generate(prompt="a"))


@pytest.mark.clarifai_cassette
def test_an_error(clarifai):
    hello = clarifai.deploy("hello")
    if clarifai.cassette.mode == "record":
        clarifai.fault(status="MODEL_DEPLOYMENT_FAILED", message="on purpose")
    with pytest.raises(Exception, match="on purpose"):
        Model(url=hello.url, pat="very-secret-token").predict(prompt="x")


def test_how_many_models_ran(clarifai):
    assert clarifai.emulator.run(lambda emulator: len(list(emulator.replicas.parked))) == int(os.environ["RAN"])
"""


@pytest.fixture(scope="module")
def project(nested: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client project whose cassettes were recorded."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(MODELS / "hello", folder / "hello")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAN", "1")
        run = nested({"test_calls.py": TESTS}, into=folder)
    assert "4 passed" in run.text, run.text
    return folder


def play(nested: Any, project: Path, *args: str) -> Run:
    return nested({"test_calls.py": TESTS}, *args, into=project)


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    return shutil.copytree(project, tmp_path / "project")


def test_a_cassette_is_readable_and_holds_no_credential(project: Path) -> None:
    file = project / "cassettes" / "test_calls" / "test_unary.yaml"
    assert file.read_text().startswith("# Recorded calls of a test. Record them again with: pytest --clarifai-cass")
    content = yaml.safe_load(file.read_text())
    assert content["models"]["hello"]["key"] == "me/demo/hello"
    assert "predict(prompt: str, n: int = 1) -> str" in content["models"]["hello"]["methods"]
    calls = [call["call"] for call in content["calls"] if call["rpc"] == "PostModelOutputs"]
    assert calls == ["predict(prompt='you', n=2)"]
    everything = "".join(path.read_text() for path in project.glob("cassettes/**/*.yaml"))
    assert "very-secret-token" not in everything
    assert "local-emulator-token" not in everything
    assert "req_id" not in everything


def test_streams_keep_the_order_of_their_messages(project: Path) -> None:
    content = yaml.safe_load((project / "cassettes" / "streams.yaml").read_text())
    by_rpc = {call["rpc"]: call for call in content["calls"]}
    assert by_rpc["GenerateModelOutputs"]["order"] == "><<"
    bidi = by_rpc["StreamModelOutputs"]
    assert sorted(bidi["order"]) == ["<", "<", ">", ">"]
    assert (len(bidi["requests"]), len(bidi["answers"])) == (2, 2)


@pytest.mark.parametrize("mode", ["none", "once"])
def test_played_back_without_any_model(
    nested: Any, project: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAN", "0")
    run = play(nested, project, "--clarifai-cassettes", mode)
    assert "4 passed" in run.text, run.text


def test_another_request_shows_the_nearest_and_the_difference(
    nested: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPT", "somebody else")
    monkeypatch.setenv("SECOND", "d")
    run = play(nested, project, "-k", "unary or streams")
    text = run.failure("test_unary")
    assert (
        "predict(prompt='somebody else', n=2) was not recorded. The nearest is predict(prompt='you', n=2):" in text
    )
    assert "-        string_value: you" in text
    assert "+        string_value: somebody else" in text
    assert "Record it again: --clarifai-cassettes all." in text
    text = run.failure("test_streams")
    assert "The stream of stream(prompts='b') goes on differently." in text
    assert "-        string_value: c" in text


def test_a_call_too_many(nested: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE_MORE", "1")
    run = play(nested, project, "-k", "streams")
    assert "generate(prompt='a') was recorded 1 time, and is called once more." in run.failure("test_streams")


def test_new_records_what_is_missing(nested: Any, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCE_MORE", "1")
    assert "1 passed" in play(nested, copy, "-k", "streams", "--clarifai-cassettes", "new").text
    content = yaml.safe_load((copy / "cassettes" / "streams.yaml").read_text())
    assert [call["rpc"] for call in content["calls"]].count("GenerateModelOutputs") == 2
    assert "1 passed" in play(nested, copy, "-k", "streams", "--clarifai-cassettes", "none").text


def test_none_without_a_file(nested: Any, copy: Path) -> None:
    (copy / "cassettes" / "streams.yaml").unlink()
    run = play(nested, copy, "-k", "streams", "--clarifai-cassettes", "none")
    assert run.outcome("test_streams") == "ERROR"
    assert "streams.yaml, and mode none records nothing. Record it: --clarifai-cassettes once." in run.text


def test_all_records_anew(nested: Any, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = copy / "cassettes" / "streams.yaml"
    before = file.read_text()
    file.write_text(before.replace("Hello", "Never"))
    assert "1 passed" in play(nested, copy, "-k", "streams", "--clarifai-cassettes", "all").text
    assert "Never" not in file.read_text()


def test_changed_signatures_make_it_stale(nested: Any, copy: Path) -> None:
    source = copy / "hello" / "1" / "model.py"
    source.write_text(source.read_text().replace("prompt: str, n: int = 1", "prompt: str, times: int = 1"))
    source.write_text(source.read_text().replace("'!' * n", "'!' * times"))
    run = play(nested, copy, "-k", "unary or streams")
    text = run.failure("test_streams")
    assert "streams.yaml is stale: the signatures of hello have changed." in text
    assert "- predict(prompt: str, n: int = 1) -> str" in text
    assert "+ predict(prompt: str, times: int = 1) -> str" in text


def test_other_changes_of_the_model_do_not(nested: Any, copy: Path) -> None:
    source = copy / "hello" / "1" / "model.py"
    source.write_text(source.read_text().replace("Hello, ", "Good day, "))
    assert "1 passed" in play(nested, copy, "-k", "streams").text


def test_a_file_that_is_no_cassette(nested: Any, copy: Path) -> None:
    (copy / "cassettes" / "streams.yaml").write_text("version: 9\n")
    run = play(nested, copy, "-k", "streams")
    assert "version must be 1, got 9" in run.text


def test_recorded_from_another_platform(nested: Any, copy: Path) -> None:
    test = """
        import os
        import pytest
        from clarifai.client import Model
        from clarifai_emulator import EmulatorConfig, EmulatorThread

        @pytest.fixture(scope="session")
        def platform():
            with EmulatorThread(EmulatorConfig(port={port}, stop_seconds=0)) as other:
                other.deploy("hello")
                yield other

        @pytest.mark.clarifai_cassette("elsewhere", record_from="http://127.0.0.1:{port}")
        def test_elsewhere(platform, clarifai):
            model = Model(url="https://clarifai.com/me/demo/models/hello")
            assert model.predict(prompt="x") == "Hello, x!"
            assert list(model.generate(prompt="x")) == ["Hello,", "x!"]
            assert clarifai.status()["models"] == []

        @pytest.mark.clarifai_cassette("real", record_from="https://api.clarifai.com")
        def test_real(clarifai):
            pass
        """
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    run = nested({"test_other.py": test.replace("{port}", str(port))}, "test_other.py", into=copy)
    assert run.outcome("test_elsewhere") == "PASSED", run.failure("test_elsewhere")
    assert run.outcome("test_real") == "ERROR"
    assert (
        "The cassette is to be recorded from https://api.clarifai.com: that needs --clarifai-allow-real" in run.text
    )
    calls = yaml.safe_load((copy / "cassettes" / "elsewhere.yaml").read_text())["calls"]
    assert {"PostModelOutputs", "GenerateModelOutputs"} <= {call["rpc"] for call in calls}
