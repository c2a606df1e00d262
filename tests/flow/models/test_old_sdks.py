"""A model runs with the SDK that it names, of whatever time: deployed, called, reloaded; or it is told why not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import ModelError
from clarifai_emulator.reload.project import Options
from flow.driver import Client, inference_request, logged, running
from old_sdks import CACHE, IS_FULL, METHODS, OWN_RUNNER, VERSIONS, code_of, has_signatures, numbers, write_old

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# Environments on other Pythons; 3.13.0 and 3.12 have runners that they cannot import.
PYTHONS = [("10.11.1", "3.12"), ("10.11.1", "3.13"), ("11.5.6", "3.12"), ("12.1.7", "3.13"), ("12.5.0", "3.13")]


@pytest.fixture(params=["genuine", "lean"], scope="module")
def _emulator(request: pytest.FixtureRequest) -> Iterator[EmulatorThread]:
    with running(runner=request.param, backend="process", cache_dir=CACHE) as emulator:
        yield emulator


class Old:
    """A deployed model of some version, and its answers."""

    def __init__(self, client: Client, version: str) -> None:
        self.client, self.version = client, version

    def request(self, text: str, method: str) -> Any:
        if has_signatures(self.version):
            return inference_request("old", method, **{"prompts" if method == "stream" else "prompt": text})
        request = inference_request("old")
        request.inputs[0].data.Clear()
        request.inputs[0].data.text.raw = "look" if method == "look" else text
        return request

    def text(self, response: Any) -> str:
        assert response.outputs, response
        data = response.outputs[0].data
        return data.parts[0].data.string_value if has_signatures(self.version) else data.text.raw

    def predict(self, text: str = "you", method: str = "predict") -> str:
        return self.text(self.client.call("PostModelOutputs", self.request(text, method)))

    def generate(self, text: str) -> list[str]:
        return [self.text(each) for each in self.client.generate(self.request(text, "generate"))]

    def stream(self, *texts: str) -> list[str]:
        requests = (self.request(each, "stream") for each in texts)
        return [self.text(each) for each in self.client.stream(requests)]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_deployed_and_answers_everything_with_the_sdk_that_it_names(
    emulator: EmulatorThread, client: Client, tmp_path: Path, version: str
) -> None:
    deployed = emulator.deploy(write_old(tmp_path, f"clarifai=={version}\n", code_of(version)))

    old = Old(client, version)
    assert old.predict() == "Hello, you!"
    assert old.generate("n") == ["n 0", "n 1", "n 2"]
    assert old.stream("a", "b") == ["Hello, a!", "Hello, b!"]
    seen = json.loads(old.predict(method="look"))
    assert seen["sdk"] == version
    assert seen["base"].removeprefix("http://") == emulator.url.removeprefix("http://"), "not the real platform"
    assert seen["argv"][0] == "clarifai.runners.server" or emulator.run(lambda each: each.config.runner) == "lean"
    if numbers(version) < (12, 2):
        assert numbers(seen["protobuf"]) < (7,)
    names = ["generate", "look", "predict", "stream"] if has_signatures(version) else []
    assert sorted(each.name for each in methods_of(client)) == names
    assert deployed.environment.startswith("built with uv") or version == metadata.version("clarifai")
    ports = [line for line in logged(emulator) if re.search(r"\b8080\b", line)]
    assert ports == [], "no replica has a port for all the world"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_short_form_of_config_yaml_is_put_into_the_long_one_for_an_sdk_that_does_not_know_it(
    emulator: EmulatorThread, client: Client, tmp_path: Path, version: str
) -> None:
    directory = write_old(tmp_path, f"clarifai=={version}\n", code_of(version))
    (directory / "config.yaml").write_text("model: {id: old, app_id: demo}\ncompute: {instance: t3a.medium}\n")
    emulator.deploy(directory)
    assert Old(client, version).predict() == "Hello, you!"


def methods_of(client: Client) -> list[Any]:
    version = client.call("GetModel", user_app_id={"user_id": "me", "app_id": "demo"}, model_id="old")
    return list(version.model.model_version.method_signatures)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_save_is_swapped_into_the_running_replica(
    emulator: EmulatorThread, client: Client, tmp_path: Path, version: str
) -> None:
    directory = write_old(tmp_path, f"clarifai=={version}\n", code_of(version))
    emulator.dev(directory, options=Options())
    old = Old(client, version)
    assert old.predict() == "Hello, you!"

    model = directory / "1" / "model.py"
    model.write_text(model.read_text().replace("{self.greeting}, {", "{self.greeting} again, {"))
    outcome = emulator.reload(directory)

    assert (outcome.state, str(outcome.plan.kind)) == ("ready", "swap")
    assert old.predict() == "Hello again, you!"
    assert old.stream("a") == ["Hello again, a!"]


@pytest.mark.parametrize(("version", "python"), PYTHONS if IS_FULL else PYTHONS[-1:])
def test_another_python_has_a_runner_that_it_can_import(
    emulator: EmulatorThread, client: Client, tmp_path: Path, version: str, python: str
) -> None:
    if not os.listdir(os.path.expanduser(os.environ["PYENV_ROOT"])):
        pytest.skip("no other Python on this machine")
    emulator.deploy(write_old(tmp_path, f"clarifai=={version}\n", code_of(version), python=python))
    seen = json.loads(Old(client, version).predict(method="look"))
    assert (seen["sdk"], seen["python"]) == (version, python)


REFUSED = [
    pytest.param(
        "10.11.1",
        METHODS,
        "model.py cannot be used: clarifai 10.11.1 has no @ModelClass.method: that came with 11.3.0.",
        "Name `clarifai>=11.3.0` in requirements.txt, or write the model in the form of 10.11.1.",
        id="method",
    ),
    pytest.param(
        "11.1.7",
        "from clarifai.runners.utils.data_types import Image\n",
        "model.py cannot be used: clarifai 11.1.7 has no module clarifai.runners.utils.data_types: that came with "
        "11.3.0.",
        "Name `clarifai>=11.3.0` in requirements.txt, or write the model in the form of 11.1.7.",
        id="module",
    ),
    pytest.param(
        "11.1.7",
        OWN_RUNNER,
        "model.py cannot be used: its class inherits from ModelRunner, and clarifai 11.1.7 runs subclasses of "
        "ModelClass.",
        "Name `clarifai<11.1.0` in requirements.txt: the code is written for it. Or inherit from ModelClass.",
        id="runner",
    ),
    pytest.param(
        "10.11.1",
        code_of("11.1.7"),
        "model.py cannot be used: its class inherits from ModelClass, and clarifai 10.11.1 runs subclasses of "
        "ModelRunner.",
        "Name `clarifai>=11.1.0` in requirements.txt: the code is written for it.",
        id="class",
    ),
    pytest.param(
        "11.1.7",
        code_of("11.1.7").partition("    def stream")[0],
        "model.py cannot be used: class Greets has no stream(), which clarifai 11.1.7 asks every model for.",
        "Add what is missing (it may raise NotImplementedError), or mark methods with @ModelClass.method and name "
        "`clarifai>=11.3.0` in requirements.txt.",
        id="abstract",
    ),
    pytest.param(
        "12.1.7",
        code_of("11.1.7"),
        "model.py cannot be used: class Greets has predict(self, request), which clarifai 12.1.7 never calls.",
        "Name `clarifai<11.3.0` in requirements.txt: the code is written for it. Or mark methods with "
        "@ModelClass.method.",
        id="messages",
    ),
    pytest.param(
        "11.5.6",
        "from clarifai.runners.models.agentic_class import AgenticModelClass\n",
        "model.py cannot be used: clarifai 11.5.6 has no module clarifai.runners.models.agentic_class: that came "
        "with 12.1.3.",
        "Name `clarifai>=12.1.3` in requirements.txt, or write the model in the form of 11.5.6.",
        id="newer",
    ),
]


@pytest.mark.parametrize(("version", "code", "summary", "hint"), REFUSED)
def test_code_of_another_version_is_refused_by_name_with_the_way_out(
    emulator: EmulatorThread, tmp_path: Path, version: str, code: str, summary: str, hint: str
) -> None:
    with pytest.raises(ModelError) as refused:
        emulator.deploy(write_old(tmp_path, f"clarifai=={version}\n", code))
    assert (refused.value.summary, refused.value.hint) == (summary, hint)


def test_an_sdk_that_is_too_old_to_run_a_model_is_refused_before_anything_is_built(
    emulator: EmulatorThread, tmp_path: Path
) -> None:
    said: list[str] = []
    with pytest.raises(ModelError) as refused:
        emulator.deploy(write_old(tmp_path, "clarifai==9.11.0\n", OWN_RUNNER), progress=said.append)
    assert refused.value.summary == (
        "clarifai==9.11.0 in requirements.txt is too old to run a model: the oldest that does is clarifai 10.8.9."
    )
    assert refused.value.hint == (
        "Name `clarifai>=10.8.9` (or a newer one, which the code was written for) in requirements.txt."
    )
    assert not any("building" in line for line in said)


def test_what_the_sdk_forgot_to_ask_for_is_added_and_said_and_packages_are_of_its_day(tmp_path: Path) -> None:
    with running(runner="genuine", backend="process", cache_dir=tmp_path / "cache") as emulator:
        said: list[str] = []
        emulator.deploy(write_old(tmp_path, "clarifai==10.11.1\n", OWN_RUNNER), progress=said.append)
    assert (
        "added to the requirements: requests and protobuf<7, which clarifai==10.11.1 needs and does not name"
        in said
    )
    assert "packages are those of 2024-12-20, when clarifai==10.11.1 was released: newer ones are left out" in said


def test_packages_that_are_newer_than_the_sdk_may_be_asked_for(tmp_path: Path) -> None:
    with running(runner="genuine", backend="process", cache_dir=tmp_path / "cache") as emulator:
        said: list[str] = []
        directory = write_old(tmp_path, "clarifai==11.5.6\nidna>=3.11\n", METHODS)  # of October 2025
        emulator.deploy(directory, progress=said.append)
        client = Client(emulator.url)
        assert Old(client, "11.5.6").predict() == "Hello, you!"
        client.close()
    assert "warning: no ready-made packages of 2025-06-30 fit all requirements: the newest are taken" in said


def test_an_sdk_beside_a_package_that_it_cannot_be_imported_with_is_named_with_it(tmp_path: Path) -> None:
    with running(runner="genuine", backend="process", cache_dir=CACHE) as emulator:
        with pytest.raises(ModelError) as refused:
            emulator.deploy(write_old(tmp_path, "clarifai==11.5.6\nprotobuf>=7\n", METHODS))
    assert "no set of versions fits all requirements" in refused.value.summary
    assert "protobuf<7 was added, which clarifai==11.5.6 cannot do without." in refused.value.hint


def test_a_model_on_messages_is_called_by_the_sdk_of_today(tmp_path: Path) -> None:
    from clarifai.client import Model

    with running(runner="genuine", backend="process", cache_dir=CACHE) as emulator:
        deployed = emulator.deploy(write_old(tmp_path, "clarifai==10.11.1\n", OWN_RUNNER))
        model = Model(url=deployed.model_url, base_url=emulator.url, pat="any")
        assert model.predict_by_bytes(b"you", input_type="text").outputs[0].data.text.raw == "Hello, you!"
