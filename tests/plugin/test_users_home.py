"""Models under test, and the container engine's client, find the user's caches and contexts, in every scope and on
every backend. The SDK's settings file alone is hidden, by an empty home for the test."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from plugin.conftest import SCOPES

MODEL = """
import json, os
from pathlib import Path
from clarifai.runners.models.model_class import ModelClass

class Weighty(ModelClass):
    def load_model(self):
        self.weights = (Path.home() / ".cache" / "huggingface" / "weights.bin").read_text()

    @ModelClass.method
    def predict(self, text: str) -> str:
        names = ("HOME", "XDG_CACHE_HOME", "TORCH_HOME")
        return json.dumps([self.weights, *map(os.environ.get, names)])
"""
CONFIG = """
model: {id: weighty, user_id: me, app_id: main, model_type_id: text-to-text}
inference_compute_info: {cpu_limit: "100m", cpu_memory: "64Mi"}
"""
TEST = """
import json, os
import pytest
from clarifai.client import Model
from clarifai.utils.config import Config

@pytest.fixture(scope="session")
def for_the_session(clarifai_emulator):
    return json.loads(Model(url=clarifai_emulator.deploy("weighty").model_url).predict(text="x"))

def test_of_the_session(for_the_session):
    assert for_the_session == ["heavy", "{home}", None, "{home}/torch"]

def test_own(clarifai):
    deployed = clarifai.deploy("weighty")
    assert json.loads(deployed.model.predict(text="x")) == ["heavy", "{home}", None, "{home}/torch"]

def test_the_sdks_settings_are_hidden(clarifai):
    assert Config.from_yaml().current_context == "_empty_"

def test_the_engines_context_is_found(clarifai):
    from clarifai_emulator.backends.docker.engine import candidates
    environ = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    (address, found), *_ = candidates("", environ)
    assert (address, found) == ("unix:///somewhere/docker.sock", "the Docker context 'mine'")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with weights, settings of the SDK, and a context of Docker's command line."""
    home = tmp_path_factory.mktemp("home")
    context = home / ".docker" / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest() / "meta.json"
    endpoints = {"docker": {"Host": "unix:///somewhere/docker.sock", "SkipTLSVerify": False}}
    files = {
        home / ".cache" / "huggingface" / "weights.bin": "heavy",
        home / ".config" / "clarifai" / "config": "current_context: mine\ncontexts: {mine: {CLARIFAI_PAT: mine}}\n",
        home / ".docker" / "config.json": '{"currentContext": "mine"}',
        context: json.dumps({"Name": "mine", "Metadata": {}, "Endpoints": endpoints}),
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return home


WAYS = {**SCOPES, "genuine": ("--clarifai-runner", "genuine"), "inprocess": ("--clarifai-backend", "inprocess")}


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
@pytest.mark.slow
def test_models_have_the_users_caches(
    nested: Any, home: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    for name in ("XDG_CACHE_HOME", "DOCKER_CONFIG", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TORCH_HOME", f"{home}/torch")
    files = {
        "test_home.py": TEST.replace("{home}", str(home)),
        "weighty/1/model.py": MODEL,
        "weighty/config.yaml": CONFIG,
        "weighty/requirements.txt": "clarifai\n",
    }
    run = nested(files, *options)
    names = (
        "test_of_the_session",
        "test_own",
        "test_the_sdks_settings_are_hidden",
        "test_the_engines_context_is_found",
    )
    assert {run.outcome(name) for name in names} == {"PASSED"}, run.text
