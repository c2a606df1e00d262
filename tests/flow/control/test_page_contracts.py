"""The page tells what each model promises, which methods nobody calls, what was found, and what the lock says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from clarifai_emulator.contracts.changes.lock import LOCK_FILE
from clarifai_emulator.control.thread import EmulatorThread
from flow.control.test_page_site import data, enter, get, serving
from flow.driver import MODELS, Client, inference_request, write_model
from flow.processes import command

MODEL = '''
from typing import Iterator

from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Greeter(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, times: int = Param(default=1, min_value=1, max_value=3)) -> str:
        """Greets <b>who</b> is named."""
        return f"Hello, {prompt}!" * times

    @ModelClass.method
    def unused(self, text: str) -> Iterator[str]:
        """Nobody calls it."""
        yield text
'''


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    with serving(tmp_path_factory.mktemp("run")) as thread:
        thread.deploy(MODELS / "hello")
        yield thread


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in which nothing above is looked at."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def greeter(emulator: EmulatorThread, folder: Path) -> Path:
    path = write_model(folder, "greeter", MODEL)
    emulator.deploy(path)
    return path


def contract(emulator: EmulatorThread, model: str = "me/demo/greeter") -> Any:
    return data(emulator, f"contract?model={quote(model)}")


def locked(folder: Path, path: Path) -> Path:
    file = path / LOCK_FILE
    done = command(folder, "contract", "lock", str(path), "-o", str(file))
    assert done.returncode == 0, done.stderr
    return file


def ask(emulator: EmulatorThread, method: str = "predict", model: str = "greeter", **parts: Any) -> Any:
    client = Client(emulator.url)
    answer = client.call("PostModelOutputs", inference_request(model, method, app="demo", **parts))
    client.close()
    return answer


def test_methods_are_signatures_with_their_words_bounds_and_places(emulator: EmulatorThread, greeter: Path) -> None:
    told = contract(emulator)
    predict, unused = sorted(told["methods"], key=lambda each: each["name"])
    assert predict["signature"] == "predict(prompt: str, times: int = 1) -> str"
    assert predict["docstring"] == "Greets <b>who</b> is named."
    assert predict["limits"] == ["times: 1 to 3"]
    assert unused["signature"] == "unused(text: str) -> Iterator[str]"
    assert unused["kind"] == "one input, a stream of outputs"
    assert told["kind"] == "model with code on this machine"
    assert told["code"]["places"] == {"predict": "1/model.py:10", "unused": "1/model.py:15"}
    assert [each["deployments"] for each in told["served"]] == [["deploy-greeter"]]


def test_calls_are_counted_by_method_and_what_was_never_called_is_said(
    emulator: EmulatorThread, greeter: Path
) -> None:
    before = {each["name"]: each["calls"] for each in contract(emulator)["methods"]}
    for _ in range(3):
        ask(emulator, prompt="x")
    ask(emulator, "invented", prompt="x")
    told = contract(emulator)
    calls = {each["name"]: each["calls"] for each in told["methods"]}
    assert calls == {"predict": before["predict"] + 3, "unused": 0}
    assert {each["method"] for each in told["unknown_calls"]} == {"invented"}
    listed = data(emulator, "contracts?find=GREET")["models"]
    assert [(each["model"], each["methods"], each["never_called"]) for each in listed] == [
        ("me/demo/greeter", 2, 1)
    ]
    assert listed[0]["findings"] > 0


def test_findings_of_one_rule_stand_together_with_the_last_request(emulator: EmulatorThread, greeter: Path) -> None:
    for times in (7, 8, 9):
        ask(emulator, prompt="x", times=times)
    (found,) = [each for each in contract(emulator)["findings"] if each["rule"] == "out-of-range"]
    assert (found["count"], found["method"], found["severity"]) == (3, "predict", "error")
    assert "9" in found["message"]
    events = data(emulator, f"request?id={found['last_request']}")["events"]
    assert any(each.get("rule") == "out-of-range" for each in events)


# ── locks ───────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_lock_the_page_says_how_to_write_one(emulator: EmulatorThread, greeter: Path) -> None:
    lock = contract(emulator)["code"]["lock"]
    assert lock["state"] == "none"
    assert lock["next"] == [f"clarifai-emulator contract lock {greeter} -o {greeter / LOCK_FILE}"]


def test_a_model_as_it_was_locked_keeps_its_promise(emulator: EmulatorThread, greeter: Path, folder: Path) -> None:
    file = locked(folder, greeter)
    lock = contract(emulator)["code"]["lock"]
    assert (lock["state"], lock["file"], lock["changes"]) == ("same", str(file), [])


def test_what_differs_from_the_lock_is_told_with_whom_it_breaks(
    emulator: EmulatorThread, greeter: Path, folder: Path
) -> None:
    file = locked(folder, greeter)
    source = greeter / "1" / "model.py"
    source.write_text(MODEL.replace("prompt: str, times", "text: str, times").replace("{prompt}", "{text}"))
    emulator.deploy(greeter)
    lock = contract(emulator)["code"]["lock"]
    (change,) = lock["changes"]
    assert lock["state"] == "differs"
    assert (change["rule"], change["severity"], change["breaks"]) == ("parameter-renamed", "error", "all clients")
    assert "argument 'prompt' (str) is gone, and 'text' of the same type is new" in change["message"]
    assert change["old"].startswith("predict(prompt: str")
    assert change["place"] == "1/model.py:10"
    assert change["declared"].startswith(f"{LOCK_FILE}:")
    assert lock["next"] == [
        f"clarifai-emulator contract verify {greeter} --lock {file}",
        f"clarifai-emulator contract lock {greeter} -o {file}",
    ]
    verified = command(folder, *lock["next"][0].split()[1:])
    assert (verified.returncode, "parameter-renamed" in verified.stdout) == (1, True)


def test_the_lock_of_the_project_around_is_found_and_none_above_its_repository(
    emulator: EmulatorThread, greeter: Path, folder: Path
) -> None:
    file = locked(folder, greeter)
    os.replace(file, folder / LOCK_FILE)
    assert contract(emulator)["code"]["lock"]["file"] == str(folder / LOCK_FILE)
    (greeter / ".git").mkdir()
    assert contract(emulator)["code"]["lock"]["state"] == "none"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"{", "is no YAML"),
        (b"[1, 2]", "version must be 1"),
        (b"version: 2\n", "version must be 1"),
        (b"version: 1\nmodels: [1]\n", "cannot be used"),
        (b"version: 1\nmodels: {a: [b]}\n", "must be methods by name"),
        (b"version: 1\nmodels: {a: {b: {signature: {inputFields: 3}}}}\n", "is no method signature"),
        (b"version: 1\nmodels: &all\n  a: *all\n", "it has references"),
        (b"version: 1\nmodels:\n" + b"  # nothing\n" * 200_000, "is too large to be shown here"),
        (b"version: 1\nmodels: " + b"[" * 50_000, "nested deeper than"),
    ],
)
def test_a_lock_that_cannot_be_used_is_said_and_nothing_fails(
    emulator: EmulatorThread, greeter: Path, content: bytes, said: str
) -> None:
    (greeter / LOCK_FILE).write_bytes(content)
    lock = contract(emulator)["code"]["lock"]
    assert lock["state"] == "unreadable"
    assert said in lock["problem"]


def test_a_lock_of_other_models_is_named_as_such(emulator: EmulatorThread, greeter: Path, folder: Path) -> None:
    file = locked(folder, greeter)
    file.write_text(file.read_text().replace("greeter", "another"))
    lock = contract(emulator)["code"]["lock"]
    assert (lock["state"], lock["file"]) == ("of others", str(file))
    assert lock["next"] == [f"clarifai-emulator contract lock {greeter} -o {file}"]


def test_a_directory_with_a_strange_name_is_quoted_for_the_shell(emulator: EmulatorThread, folder: Path) -> None:
    around = folder / "a b'; <img src=x>"
    around.mkdir()
    path = write_model(around, "greeter", MODEL)
    emulator.deploy(path)
    told = contract(emulator)
    assert told["code"]["directory"] == str(path)
    quoted = str(path).replace("'", "'\"'\"'")
    assert told["code"]["lock"]["next"][0].startswith(f"clarifai-emulator contract lock '{quoted}' -o '")


def test_a_directory_that_is_gone_or_broken_is_said(emulator: EmulatorThread, greeter: Path) -> None:
    (greeter / "1" / "model.py").write_text("def (:")
    assert contract(emulator)["code"]["places"] == {}
    os.rename(greeter, greeter.with_name("moved"))
    told = contract(emulator)
    assert (told["code"]["is_there"], told["code"]["lock"]["state"]) == (False, "none")
    assert told["methods"]


# ── other models ────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_was_only_named_has_no_methods(emulator: EmulatorThread) -> None:
    client = Client(emulator.url)
    client.call("PostModels", user_app_id={"user_id": "me", "app_id": "demo"}, models=[{"id": "named"}])
    client.close()
    told = contract(emulator, "me/demo/named")
    assert (told["methods"], told["code"], told["version_id"]) == ([], None, "")
    assert told["kind"] == "model without code on this machine"


def test_a_stand_in_is_called_one(emulator: EmulatorThread, folder: Path) -> None:
    file = folder / "topology.yaml"
    file.write_text("stand_ins:\n  - model: openai/chat-completion/models/gpt-4o\n    answers:\n      - text: hi\n")
    emulator.apply(file)
    told = contract(emulator, "openai/chat-completion/gpt-4o")
    assert told["kind"] == "stand-in for a hosted model"
    assert told["code"] is None
    assert told["methods"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("contract", 400, "'' is no model's name: USER/APP/MODEL, as the list of models has it."),
        ("contract?model=hello", 400, "'hello' is no model's name"),
        ("contract?model=me/demo/<b>", 404, "There is no model 'me/demo/<b>' any longer"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(
    emulator: EmulatorThread, query: str, status: int, said: str
) -> None:
    answer, body = get(emulator, f"/_page/{query}", cookie=enter(emulator))
    assert answer.status == status
    assert said in body


def test_of_very_many_models_the_first_are_listed(emulator: EmulatorThread) -> None:
    client = Client(emulator.url)
    names = [f"one-of-many-{number}" for number in range(300)]
    for at in range(0, 300, 100):
        models = [{"id": each} for each in names[at : at + 100]]
        client.call("PostModels", user_app_id={"user_id": "me", "app_id": "demo"}, models=models)
    client.close()
    told = data(emulator, "contracts?find=one-of-many")
    assert (len(told["models"]), told["left_out"]) == (200, 100)
    assert [each["model"] for each in data(emulator, "contracts?find=one-of-many-299")["models"]] == [
        "me/demo/one-of-many-299"
    ]
