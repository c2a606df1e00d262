"""The settings of a project are read from the nearest pyproject.toml: models, clients, severities of rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.rules.project_settings import ProjectSettings, project_settings, split_model
from clarifai_emulator.errors import ConfigError

GOOD = """
[tool.clarifai-emulator]
models = ["models/greeter", "models/ranker=me/main/models/ranker"]
clients = ["app"]
rules = { large-integer = "error" }
"""


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_models_clients_and_levels_are_read(tmp_path: Path):
    assert project_settings(project(tmp_path, GOOD)) == ProjectSettings(
        ("models/greeter", "models/ranker=me/main/models/ranker"),
        (Path("app"),),
        ("large-integer=error",),
        tmp_path / "pyproject.toml",
    )


def test_paths_are_meant_from_the_file_wherever_one_stands(tmp_path: Path):
    (project(tmp_path, GOOD) / "app").mkdir()

    settings = project_settings(tmp_path / "app")

    assert settings.clients == (Path(),)
    assert settings.models[1] == f"{tmp_path}/models/ranker=me/main/models/ranker"


def test_a_directory_may_have_an_equals_sign_in_its_name(tmp_path: Path):
    (project(tmp_path, "[tool.clarifai-emulator]\nmodels = ['a=b']\n") / "a=b").mkdir()

    assert project_settings(tmp_path).models == ("a=b",)


def test_every_key_and_value_that_cannot_be_used_is_told(tmp_path: Path):
    table = (
        "[tool.clarifai-emulator]\nmodel = ['a']\nclients = 'app'\nmodels = ['a', 3]\nrules = ['large-integer']\n"
    )
    with pytest.raises(ConfigError) as caught:
        project_settings(project(tmp_path, table))

    assert str(caught.value).splitlines() == [
        f"{tmp_path}/pyproject.toml: [tool.clarifai-emulator] cannot be used:",
        "  - Unknown key 'model'. Did you mean 'models'?",
        "  - 'models' must be a list of texts, as models = [\"models\"]; got 3.",
        "  - 'clients' must be a list of texts, as clients = [\"clients\"]; got 'app'.",
        "  - 'rules' must be a table of severities by rule; got ['large-integer'].",
        "Known are clients, models, rules; settings of the pytest plugin are pytest's own (clarifai_…).",
    ]


def test_a_file_that_is_no_toml_and_a_table_that_is_none_are_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"pyproject\.toml cannot be read"):
        project_settings(project(tmp_path, "["))
    with pytest.raises(ConfigError, match=r"tool\.clarifai-emulator must be a table"):
        project_settings(project(tmp_path, "[tool]\nclarifai-emulator = 1\n"))


def test_a_model_is_a_directory_with_or_without_an_address(tmp_path: Path):
    (tmp_path / "a=b").mkdir()

    assert split_model("models/greeter", tmp_path) == ("models/greeter", "")
    assert split_model("models/greeter=", tmp_path) == ("models/greeter", "")
    assert split_model("models/greeter=*", tmp_path) == ("models/greeter", "*")
    assert split_model("a=b", tmp_path) == ("a=b", "")
    assert split_model("a=b=me/main/models/b", tmp_path) == ("a=b", "me/main/models/b")
