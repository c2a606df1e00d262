"""Replicas have the variables that models need, those that are declared and those that are named, and no others of
the developer's; what a model missed is told where it fails."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.errors import CallerError, ModelError
from flow.driver import Client, inference_request, logged, running, text_of, wait_for, write_model

TELLS = """
import json, os
from clarifai.runners.models.model_class import ModelClass

class Tells(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return json.dumps(dict(os.environ))
"""
ASKS = """
import os
from typing import Iterator
from clarifai.runners.models.model_class import ModelClass

class Asks(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return os.environ["OPENAI_API_KEY"]

    @ModelClass.method
    def generate(self, prompt: str) -> Iterator[str]:
        yield "one"
        yield os.getenv("DATABASE_OF_TEST") + "two"

    @ModelClass.method
    def swallow(self, prompt: str) -> str:
        return os.environ.get("DATABASE_OF_TEST", "not set")
"""
LOADS = """
import os
from clarifai.runners.models.model_class import ModelClass

class Loads(ModelClass):
    def load_model(self):
        self.key = {load}

    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return self.key
"""
IMPORTS = """
import os
from clarifai.runners.models.model_class import ModelClass

KEY = os.environ["OPENAI_API_KEY"]

class Imports(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        return KEY
"""
OF_THE_DEVELOPER = {
    "OPENAI_API_KEY": "planted-openai",
    "HF_TOKEN": "planted-hf",
    "AWS_SECRET_ACCESS_KEY": "planted-aws",
    "DATABASE_OF_TEST": "planted-database",
    "HF_HOME": "/weights",
    "OMP_NUM_THREADS": "2",
    "LC_TIME": "C",
    "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", "/etc/ssl/cert.pem"),
}
TOLD = (
    "[emulator] OPENAI_API_KEY is set in your environment, but replicas do not get it: declare it as a secret in "
    "config.yaml, or start the emulator with `--env OPENAI_API_KEY` (in tests: `--clarifai-env OPENAI_API_KEY`)."
)
TOLD_OF_DATABASE = TOLD.replace("OPENAI_API_KEY", "DATABASE_OF_TEST")


@pytest.fixture(params=["fork", "spawn", "genuine"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    if request.param == "genuine":
        return {"backend": "process", "runner": "genuine"}
    return {"backend": "process", "runner": "lean", "start_method": request.param}


@pytest.fixture
def developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_THE_DEVELOPER.items():
        monkeypatch.setenv(name, value)


def environ_of(emulator: EmulatorThread) -> dict[str, str]:
    """Return the environment that the model `tells` finds."""
    with closing(Client(emulator.url)) as client:
        answer = client.call("PostModelOutputs", inference_request("tells", prompt=""))
    return json.loads(text_of(answer))


def failure_of(emulator: EmulatorThread, method: str = "predict") -> str:
    """Return what a client is told of a failing method of the model `asks`."""
    with closing(Client(emulator.url)) as client:
        request = inference_request("asks", method=method, prompt="")
        if method == "generate":
            *_, last = client.generate(request)
            return last.status.details
        return client.call("PostModelOutputs", request).status.details


@pytest.mark.usefixtures("developer")
def test_a_replica_has_caches_and_certificates_and_no_credentials(settings: dict[str, str], tmp_path: Path) -> None:
    directory = write_model(tmp_path, "tells", TELLS)
    with running(**settings) as emulator:
        emulator.deploy(directory)
        found = environ_of(emulator)
    kept = ("HF_HOME", "OMP_NUM_THREADS", "LC_TIME", "SSL_CERT_FILE")
    assert {name: found.get(name) for name in kept} == {name: OF_THE_DEVELOPER[name] for name in kept}
    assert found["HOME"] == os.environ["HOME"]
    assert "planted" not in json.dumps(found)


@pytest.mark.usefixtures("developer")
def test_a_replica_has_the_variables_that_are_named(settings: dict[str, str], tmp_path: Path) -> None:
    directory = write_model(tmp_path, "tells", TELLS)
    with running(**settings, env=("OPENAI_API_KEY", "AWS_*", "MODE=two words")) as emulator:
        emulator.deploy(directory)
        found = environ_of(emulator)
    names = ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "MODE", "HF_TOKEN")
    assert [found.get(name) for name in names] == ["planted-openai", "planted-aws", "two words", None]


@pytest.mark.usefixtures("developer")
def test_a_secret_of_config_yaml_comes_before_a_variable_that_is_named(tmp_path: Path) -> None:
    directory = write_model(tmp_path, "tells", TELLS)
    config = directory / "config.yaml"
    wanted = "secrets: [{id: openai, type: env, env_var: OPENAI_API_KEY, value: of-the-config}]\n"
    config.write_text(f"{config.read_text()}{wanted}")
    with running(backend="process", env=("OPENAI_API_KEY",)) as emulator:
        emulator.deploy(directory)
        assert environ_of(emulator)["OPENAI_API_KEY"] == "of-the-config"


@pytest.mark.usefixtures("developer")
def test_a_request_that_fails_for_a_withheld_variable_is_told_its_name_once(
    settings: dict[str, str], tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "asks", ASKS)
    with running(**settings) as emulator:
        emulator.deploy(directory)
        assert failure_of(emulator) == f"'OPENAI_API_KEY'\n{TOLD}"
        assert failure_of(emulator) == "'OPENAI_API_KEY'", "once"
        assert failure_of(emulator, "generate").splitlines()[1:] == [TOLD_OF_DATABASE]
        wait_for(lambda: TOLD_OF_DATABASE in logged(emulator))
        lines = logged(emulator)
        errors = [str(event.as_dict()) for event in emulator.events() if event.as_dict().get("error")]
    assert [line for line in lines if line.startswith("[emulator]")] == [TOLD, TOLD_OF_DATABASE]
    assert "planted" not in "\n".join(lines)
    assert "return os.environ[" in errors[0]
    assert TOLD in errors[0]


@pytest.mark.usefixtures("developer")
def test_a_request_that_does_without_a_withheld_variable_is_told_nothing(tmp_path: Path) -> None:
    directory = write_model(tmp_path, "asks", ASKS)
    with running(backend="process") as emulator:
        emulator.deploy(directory)
        with closing(Client(emulator.url)) as client:
            answer = client.call("PostModelOutputs", inference_request("asks", method="swallow", prompt=""))
        assert text_of(answer) == "not set"
        assert not [line for line in logged(emulator) if "OF_TEST" in line]


@pytest.mark.usefixtures("developer")
@pytest.mark.parametrize("load", ['os.environ["OPENAI_API_KEY"]', 'os.getenv("OPENAI_API_KEY") + "x"'])
def test_a_model_that_does_not_load_for_a_withheld_variable_is_told_its_name(
    settings: dict[str, str], tmp_path: Path, load: str
) -> None:
    directory = write_model(tmp_path, "loads", LOADS.replace("{load}", load))
    with running(**settings) as emulator:
        with pytest.raises((CallerError, ModelError)) as raised:
            emulator.deploy(directory)
        assert TOLD in logged(emulator)
    assert TOLD in str(raised.value)
    assert load in str(raised.value)


@pytest.mark.usefixtures("developer")
def test_a_model_that_cannot_be_imported_for_a_withheld_variable_is_told_its_name(
    settings: dict[str, str], tmp_path: Path
) -> None:
    directory = write_model(tmp_path, "imports", IMPORTS)
    with running(**settings) as emulator, pytest.raises(ModelError) as raised:
        emulator.deploy(directory)
    assert raised.value.summary == "model.py cannot be used: KeyError: 'OPENAI_API_KEY'"
    assert raised.value.hint == TOLD.removeprefix("[emulator] ")


@pytest.mark.usefixtures("developer")
def test_a_declared_secret_is_there_when_the_model_is_imported(settings: dict[str, str], tmp_path: Path) -> None:
    directory = write_model(tmp_path, "imports", IMPORTS)
    config = directory / "config.yaml"
    config.write_text(f"{config.read_text()}secrets: [{{id: openai, type: env, env_var: OPENAI_API_KEY}}]\n")
    with running(**settings) as emulator, closing(Client(emulator.url)) as client:
        secret = {"id": "openai", "value": "of-the-store"}
        client.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=[secret])
        emulator.deploy(directory)
        answer = client.call("PostModelOutputs", inference_request("imports", prompt=""))
    assert text_of(answer) == "of-the-store"
