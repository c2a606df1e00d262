"""Cassettes are recorded once with a model, played back without one, and say what no longer fits."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.conftest import MODELS, Run

# One run of many tests, which a busy machine may take minutes for.
pytestmark = pytest.mark.timeout(300)

TESTS = """
import os
import pytest
from clarifai.client import Model

PROMPT = os.environ.get("PROMPT", "you")


@pytest.mark.clarifai_cassette
@pytest.mark.clarifai_model("hello")
def test_unary(clarifai):
    assert clarifai.deployed[0].model.predict(prompt=PROMPT, n=2) == "Hello, you!!"


@pytest.mark.clarifai_cassette("streams", mode=os.environ.get("MODE", ""))
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
    assert clarifai.emulator.run(lambda emulator: len(list(emulator.replicas.warm_pool))) == int(os.environ["RAN"])
"""


@pytest.fixture(scope="module")
def project(nested: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record the cassettes of a client project."""
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


# A copy of the project for each case, with its calls as they were recorded, and one change; all in one run.
CASES = {
    "another": {"PROMPT": "somebody else", "SECOND": "d"},
    "too_many": {"ONCE_MORE": "1"},
    "new": {"ONCE_MORE": "1", "MODE": "new"},
    "no_file": {"MODE": "none"},
    "stale": {},
    "edited": {},
    "no_cassette": {},
    "anew": {},  # not played: it is for the run that records anew
}


@pytest.fixture(scope="module")
def cases(nested: Any, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Play every case back. A test is named after its case: ``test_streams_of_another``."""
    folder = tmp_path_factory.mktemp("cases")
    for name, values in CASES.items():
        case = shutil.copytree(project, folder / name)
        file = case / "test_calls.py"
        text = file.read_text().replace('deploy("hello")', f"deploy({str(case / 'hello')!r})")
        for variable, value in values.items():
            text = text.replace(f'os.environ.get("{variable}"', f'{{"{variable}": "{value}"}}.get("{variable}"')
        file.write_text(re.sub(r"^def test_(\w+)", rf"def test_\1_of_{name}", text, flags=re.M))
        if name == "another":
            calls = case / "cassettes" / "test_calls"
            (calls / "test_unary.clarifai.yaml").rename(
                calls / f"test_unary_of_{name}.yaml"
            )  # as older versions named it
    (folder / "no_file" / "cassettes" / "streams.yaml").unlink()
    (folder / "no_cassette" / "cassettes" / "streams.yaml").write_text("version: 9\n")
    _change(
        folder / "stale", ("prompt: str, n: int = 1", "prompt: str, times: int = 1"), ("'!' * n", "'!' * times")
    )
    _change(folder / "edited", ("Hello, ", "Good day, "))
    recorded = folder / "anew" / "cassettes" / "streams.yaml"
    recorded.write_text(recorded.read_text().replace("Hello", "Never"))
    wanted = "(streams or unary_of_another) and not anew"
    return nested({}, "--import-mode=importlib", "-k", wanted, into=folder)


def _change(project: Path, *edits: tuple[str, str]) -> None:
    source = project / "hello" / "1" / "model.py"
    for old, new in edits:
        assert old in source.read_text()
        source.write_text(source.read_text().replace(old, new))


def test_a_cassette_is_readable_and_holds_no_credential(project: Path) -> None:
    file = project / "cassettes" / "test_calls" / "test_unary.clarifai.yaml"
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


@pytest.mark.slow
def test_another_request_shows_the_nearest_and_the_difference(cases: Run) -> None:
    text = cases.failure("test_unary_of_another")
    assert (
        "me/demo/hello predict(prompt='somebody else', n=2) was not recorded. "
        "The nearest is me/demo/hello predict(prompt='you', n=2):" in text
    )
    assert "-        string_value: you" in text
    assert "+        string_value: somebody else" in text
    assert "Record it again: --clarifai-cassettes all." in text
    text = cases.failure("test_streams_of_another")
    assert "The stream of stream(prompts='b') goes on differently." in text
    assert "-        string_value: c" in text


@pytest.mark.slow
def test_a_call_too_many(cases: Run) -> None:
    text = cases.failure("test_streams_of_too_many")
    assert "generate(prompt='a') was recorded 1 time, and is called once more." in text


def test_new_records_what_is_missing(cases: Run) -> None:
    assert cases.outcome("test_streams_of_new") == "PASSED"
    content = yaml.safe_load((cases.folder / "new" / "cassettes" / "streams.yaml").read_text())
    assert [call["rpc"] for call in content["calls"]].count("GenerateModelOutputs") == 2


def test_what_was_missing_is_played_back_from_then_on(
    nested: Any, cases: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCE_MORE", "1")
    shutil.copytree(cases.folder / "new", cases.folder / "again")
    run = play(nested, cases.folder / "again", "-k", "streams", "--clarifai-cassettes", "none")
    assert "1 passed" in run.text, run.text


def test_none_without_a_file(cases: Run) -> None:
    assert cases.outcome("test_streams_of_no_file") == "ERROR"
    assert "streams.yaml, and mode none records nothing. Record it: --clarifai-cassettes once." in cases.failure(
        "test_streams_of_no_file"
    )


def test_all_records_anew(nested: Any, cases: Run) -> None:
    file = cases.folder / "anew" / "cassettes" / "streams.yaml"
    assert "Never" in file.read_text()
    run = play(nested, cases.folder / "anew", "-k", "streams", "--clarifai-cassettes", "all")
    assert "1 passed" in run.text, run.text
    assert "Never" not in file.read_text()


def test_changed_signatures_make_it_stale(cases: Run) -> None:
    text = cases.failure("test_streams_of_stale")
    assert re.search(r"streams.yaml is stale: the signatures of \S+/stale/hello have changed.", text)
    assert "- predict(prompt: str, n: int = 1) -> str" in text
    assert "+ predict(prompt: str, times: int = 1) -> str" in text


def test_other_changes_of_the_model_do_not(cases: Run) -> None:
    assert cases.outcome("test_streams_of_edited") == "PASSED"


def test_a_file_that_is_no_cassette(cases: Run) -> None:
    assert "version must be 1, got 9" in cases.failure("test_streams_of_no_cassette")


@pytest.mark.slow
def test_recorded_from_another_platform_with_the_users_own_token(
    nested: Any, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = """
        import os
        import pytest
        from clarifai.client import Model
        from clarifai_emulator import EmulatorConfig, EmulatorThread

        @pytest.fixture(scope="session")
        def platform():
            with EmulatorThread(EmulatorConfig(port={port}, pats={"theirs": "me"}, stop_seconds=0)) as other:
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("CLARIFAI_PAT", "theirs")
    run = nested({"test_other.py": test.replace("{port}", str(port))}, "test_other.py", "-n", "1", into=copy)
    assert run.outcome("test_elsewhere") == "PASSED", run.failure("test_elsewhere")
    assert run.outcome("test_real") == "ERROR"
    assert (
        "The cassette is to be recorded from https://api.clarifai.com: that needs --clarifai-record-real"
        in run.text
    )
    calls = yaml.safe_load((copy / "cassettes" / "elsewhere.yaml").read_text())["calls"]
    assert {"PostModelOutputs", "GenerateModelOutputs"} <= {call["rpc"] for call in calls}


OVER_HTTP = """
import json
import urllib.request
from typing import Any
import openai
import pytest

ASK: Any = {"model": "me/demo/models/openai", "messages": [{"role": "user", "content": "hello there"}]}


@pytest.mark.clarifai_cassette("http")
@pytest.mark.clarifai_model("{models}/openai")
@pytest.mark.clarifai_model("{models}/hello")
def test_over_http(clarifai):
    data = {"parts": [{"id": "prompt", "data": {"string_value": "you"}}]}
    asked = urllib.request.Request(
        f"{clarifai.url}/v2/users/me/apps/demo/models/hello/outputs",
        json.dumps({"inputs": [{"data": data}]}).encode(),
        {"authorization": f"Key {clarifai.pat}"},
    )
    with urllib.request.urlopen(asked) as answer:
        assert json.load(answer)["outputs"][0]["data"]["parts"][0]["data"]["string_value"] == "Hello, you!"

    client = openai.OpenAI(base_url=f"{clarifai.url}/v2/ext/openai/v1", api_key=clarifai.pat, max_retries=0)
    assert client.chat.completions.create(**ASK).choices[0].message.content == "You said: hello there"
    chunks = list(client.chat.completions.create(**ASK, stream=True))
    told = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert [each for each in told if each] == ["You", "said:", "hello", "there"]
    assert [each.id for each in client.models.list().data] == ["me/demo/models/openai"]
    assert [call.method for call in clarifai.calls] == ["predict", "openai_transport", "openai_stream_transport"]


@pytest.mark.clarifai_cassette("http", mode="none")
@pytest.mark.clarifai_model("{models}/openai")
def test_another_question(clarifai):
    client = openai.OpenAI(base_url=f"{clarifai.url}/v2/ext/openai/v1", api_key=clarifai.pat, max_retries=0)
    client.chat.completions.create(**{**ASK, "temperature": 1})
"""


@pytest.mark.slow
def test_calls_over_http_are_recorded_and_played_as_those_over_grpc(nested: Any, tmp_path: Path) -> None:
    run = nested({"test_http.py": OVER_HTTP}, "-k", "over_http", into=tmp_path)
    assert run.outcome("test_over_http") == "PASSED", run.failure("test_over_http")
    recorded = (tmp_path / "cassettes" / "http.yaml").read_text()
    assert [each["rpc"] for each in yaml.safe_load(recorded)["calls"]] == [
        "PostModelOutputs",
        "PostModelOutputs",
        "GenerateModelOutputs",
        "ListModels",
    ]
    assert "local-emulator-token" not in recorded

    run = nested({"test_http.py": OVER_HTTP}, into=tmp_path)
    assert run.outcome("test_over_http") == "PASSED", run.failure("test_over_http")
    text = run.failure("test_another_question")
    assert "openai.BadRequestError: Error code: 400 - Cassette " in text
    assert "was not recorded. The nearest is me/demo/openai openai_transport(" in text


class Proxy:
    """A proxy that lets nobody through, and remembers where they wanted to go."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._refuse)
        self._thread.start()

    def _refuse(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).decode().splitlines()[0])
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.mark.parametrize("workers", [(), ("-n", "1"), ("-n", "1", "--clarifai-scope", "shared")])
@pytest.mark.slow
def test_recording_from_the_real_platform_goes_there_and_nothing_else_does(
    nested: Any, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    test = """
        import grpc
        import pytest
        from clarifai.client import Model

        CLAUDE = "https://clarifai.com/anthropic/completion/models/claude-sonnet-4"

        @pytest.mark.clarifai_cassette("real", record_from="https://api.clarifai.com")
        def test_recorded(clarifai):
            channel = grpc.insecure_channel(clarifai.url.removeprefix("http://"))
            get_model = channel.unary_unary("/clarifai.api.V2/GetModel")  # the SDK would call again and again
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
                get_model(b"", metadata=[("authorization", f"Key {clarifai.pat}")])

        @pytest.mark.clarifai_cassette("other", record_from="https://api.clarifai.com")
        def test_by_itself(clarifai):
            Model(url=CLAUDE, base_url="https://api-dev.clarifai.com").available_methods()
        """
    proxy = Proxy()
    try:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
        monkeypatch.setenv("CLARIFAI_PAT", "my-own-token")
        run = nested({"test_real.py": test}, "--clarifai-record-real", *workers)
    finally:
        proxy.close()
    assert run.outcome("test_recorded") == "PASSED", run.failure("test_recorded")
    assert set(proxy.asked) == {"CONNECT api.clarifai.com:443 HTTP/1.1"}
    assert "would have called the real Clarifai platform (api-dev.clarifai.com" in run.failure("test_by_itself")


def test_with_the_environment_left_alone_the_emulator_is_not_found(nested: Any) -> None:
    test = """
        from clarifai.client import Model

        def test_mixed(clarifai):
            pass
        """
    run = nested({"test_mixed.py": test}, "--clarifai-allow-real")
    text = run.failure("test_mixed")
    assert (
        "--clarifai-allow-real leaves the environment alone: the clarifai SDK was imported with the base URL "
        "https://api.clarifai.com, keeps it" in text
    )
    assert "To record a cassette from the real platform: --clarifai-record-real." in text


BESIDE_VCR = """
import pytest


@pytest.mark.clarifai_cassette
def test_both(clarifai):
    assert clarifai.deploy("{models}/hello").model.predict(prompt="you") == "Hello, you!"


@pytest.mark.clarifai_cassette("of-vcr")
def test_named(clarifai):
    clarifai.deploy("{models}/hello").model.predict(prompt="you")
"""
VCR = "interactions: []\nversion: 1\n"


@pytest.mark.slow
def test_recordings_of_pytest_recording_stay_theirs(nested: Any, tmp_path: Path) -> None:
    files = {
        "test_beside.py": BESIDE_VCR,
        "cassettes/test_beside/test_both.yaml": VCR,
        "cassettes/of-vcr.yaml": VCR,
    }
    for mode in ("all", "none"):
        run = nested(files, "--clarifai-cassettes", mode, into=tmp_path)
        assert run.outcome("test_both") == "PASSED", run.text
        text = run.failure("test_named")
        assert "of-vcr.yaml is not a cassette of the emulator" in text
        assert "it holds `interactions`, as VCR and pytest-recording write them" in text
        assert "Give this test's cassette another name: clarifai_cassette(name=…)." in text
    assert (tmp_path / "cassettes" / "test_beside" / "test_both.yaml").read_text() == VCR
    assert (tmp_path / "cassettes" / "of-vcr.yaml").read_text() == VCR
    assert (tmp_path / "cassettes" / "test_beside" / "test_both.clarifai.yaml").exists()
