"""Tests which variables replicas inherit, and which they get because somebody names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.backends.replica_environ import (
    INHERITED,
    container_variables,
    is_inherited,
    runner_environ,
    unset_names,
    wanted_variables,
    withheld_names,
)

PAGE = Path(__file__).parents[3] / "docs" / "environment.md"
ENVIRON = {
    "PATH": "/bin",
    "HF_HOME": "/weights",
    "OPENAI_API_KEY": "secret",
    "CLARIFAI_PAT": "mine",
    "AWS_REGION": "x",
}


def test_the_page_lists_what_is_inherited() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    written = [f"| {what} | {', '.join(f'`{name}`' for name in names)} |" for what, names in INHERITED]
    assert rows[1:] == written, "docs/environment.md has another list than replica_environ.py"


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LC_ALL",
        "https_proxy",
        "HF_HOME",
        "HF_HUB_OFFLINE",
        "CUDA_HOME",
        "PYTHONHASHSEED",
        "OMP_NUM_THREADS",
    ],
)
def test_what_models_need_on_a_developers_machine_is_inherited(name: str) -> None:
    assert is_inherited(name)


@pytest.mark.parametrize(
    "name",
    [
        *("OPENAI_API_KEY", "HF_TOKEN", "VLLM_API_KEY", "NODE_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"),
        *("CLARIFAI_PAT", "PGPASSWORD", "DATABASE_URL", "SSH_AUTH_SOCK", "TF_VAR_password", "MY_PATH"),
    ],
)
def test_credentials_and_what_is_not_listed_stay_out(name: str) -> None:
    assert not is_inherited(name)


def test_what_is_named_is_there_too() -> None:
    found = runner_environ(ENVIRON, ["OPENAI_API_KEY", "MODE=a=b", "NOT_SET"])
    assert {name: value for name, value in found.items() if name.lower() != "no_proxy"} == {
        "PATH": "/bin",
        "HF_HOME": "/weights",
        "OPENAI_API_KEY": "secret",
        "MODE": "a=b",
    }


def test_a_star_names_all_that_begin_so_and_never_the_users_own_account() -> None:
    assert wanted_variables(ENVIRON, ["AWS_*"]) == {"AWS_REGION": "x"}
    assert wanted_variables(ENVIRON, ["*"]) == {name: ENVIRON[name] for name in ENVIRON if name != "CLARIFAI_PAT"}


def test_a_container_gets_nothing_that_is_about_this_machine_unless_it_is_named() -> None:
    assert container_variables(ENVIRON, ["*"]) == {"OPENAI_API_KEY": "secret", "AWS_REGION": "x"}
    assert container_variables(ENVIRON, ["HF_HOME", "A=1"]) == {"HF_HOME": "/weights", "A": "1"}


def test_a_replica_reaches_the_emulator_past_a_proxy_that_is_set() -> None:
    inherited = runner_environ({"http_proxy": "http://proxy:3128", "no_proxy": "intranet"})
    assert inherited["http_proxy"] == "http://proxy:3128"
    assert inherited["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_names_that_are_withheld_are_those_of_others_than_clarifai() -> None:
    assert withheld_names(ENVIRON, runner_environ(ENVIRON)) == ["AWS_REGION", "OPENAI_API_KEY"]


def test_names_that_are_not_set_are_told() -> None:
    assert unset_names(ENVIRON, ["AWS_*", "AZURE_*", "NOPE", "X=1", "PATH"]) == ["AZURE_*", "NOPE"]


def test_pythons_development_mode_is_passed_on_only_by_its_whole_name() -> None:
    environ = {"PYTHONDEVMODE": "1", "PYTHONHASHSEED": "0"}
    assert "PYTHONDEVMODE" not in runner_environ(environ)
    assert wanted_variables(environ, ["PYTHON*"]) == {"PYTHONHASHSEED": "0"}
    assert wanted_variables(environ, ["PYTHONDEVMODE"]) == {"PYTHONDEVMODE": "1"}
