"""Tests the options of `up`: tokens, sizes, and those that travel to a detached emulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.cli.docker_options import docker_options, docker_settings
from clarifai_emulator.cli.env_option import VariableWords, as_setting
from clarifai_emulator.cli.main import cli
from clarifai_emulator.cli.up import arguments_of, parse_pats
from clarifai_emulator.config import EmulatorConfig


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), {}),
        (("token",), {"token": "me"}),
        (("token=ada",), {"token": "ada"}),
        (("abc==",), {"abc==": "me"}),
        (("abc===ada",), {"abc==": "ada"}),
        (("a=x", "b"), {"a": "x", "b": "me"}),
    ],
)
def test_tokens_and_their_users(values: tuple[str, ...], expected: dict[str, str]) -> None:
    assert parse_pats(values, "me") == expected


def test_options_travel_to_a_detached_emulator_without_its_tokens() -> None:
    options = {"port": 0, "pats": ("secret",), "topology": (Path("/a.yaml"), Path("/b.yaml")), "num_threads": None}
    assert arguments_of(options) == ["--port", "0", "--topology", "/a.yaml", "--topology", "/b.yaml"]


def test_variables_of_models_travel_to_a_detached_emulator_in_its_environment_alone() -> None:
    words = ("OPENAI_API_KEY", "KEY=planted value", "AWS_*")
    assert arguments_of({"env": words}) == [], "everyone sees a command line"
    setting = as_setting(words)
    assert VariableWords().split_envvar_value(setting) == list(words)


def test_build_arguments_travel_to_a_detached_emulator_in_its_environment_alone() -> None:
    words = ("NPM_TOKEN=planted", "GREETING=two words")
    assert arguments_of({"docker_build_args": words}) == [], "everyone sees a command line"
    assert VariableWords().split_envvar_value(as_setting(words)) == list(words)


def built_with(*arguments: str, **environ: str) -> tuple[dict[str, str], str]:
    """Return the build arguments that `up` takes from a command line, and what it says."""
    found: list[dict[str, str]] = []

    @click.command
    @docker_options
    def command(**options: Any) -> None:
        found.append(dict(docker_settings(options).build_args))

    done = CliRunner().invoke(command, arguments, env=environ, auto_envvar_prefix="CLARIFAI_EMULATOR")
    return (found or [{}])[0], " ".join(done.output.split())


def test_a_build_argument_without_a_value_has_that_of_the_variable() -> None:
    assert built_with("--docker-build-arg", "NPM_TOKEN", NPM_TOKEN="planted") == ({"NPM_TOKEN": "planted"}, "")
    assert built_with("--docker-build-arg", "GREETING=hello=you") == ({"GREETING": "hello=you"}, "")
    setting = "NPM_TOKEN=planted 'GREETING=two words'"
    assert built_with(CLARIFAI_EMULATOR_DOCKER_BUILD_ARGS=setting) == (
        {"NPM_TOKEN": "planted", "GREETING": "two words"},
        "",
    )


def test_a_credential_on_the_command_line_is_warned_of_with_the_other_way() -> None:
    assert built_with("--docker-build-arg", "NPM_TOKEN=planted") == (
        {"NPM_TOKEN": "planted"},
        "Warning: Everyone on this machine sees the value of NPM_TOKEN in the list of processes: set it as a "
        "variable, and write --docker-build-arg NPM_TOKEN.",
    )


def test_a_build_argument_whose_variable_is_not_there_is_refused_by_name() -> None:
    _, said = built_with("--docker-build-arg", "NO_SUCH_NAME")
    assert "--docker-build-arg NO_SUCH_NAME: there is no variable NO_SUCH_NAME in the environment." in said
    assert "Next: Set it, or write --docker-build-arg NO_SUCH_NAME=VALUE." in said


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("CLARIFAI_USER_ID=me", "env must not name CLARIFAI_USER_ID: the emulator sets it for each replica"),
        ("1X", "env must hold names like OPENAI_API_KEY or AWS_*, or NAME=VALUE, got '1X'"),
        ("A*=x", "env must hold names like OPENAI_API_KEY or AWS_*, or NAME=VALUE, got 'A*'"),
        ("'A=x", "CLARIFAI_EMULATOR_ENV cannot be read: No closing quotation."),
    ],
)
def test_a_variable_that_cannot_be_one_is_refused(setting: str, told: str) -> None:
    done = CliRunner().invoke(cli, ["up", "--port", "0"], env={"CLARIFAI_EMULATOR_ENV": setting})
    assert told in done.output
    assert done.exit_code != 0


def test_what_is_chosen_reaches_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[EmulatorConfig] = []
    monkeypatch.setattr("clarifai_emulator.cli.foreground.serve", lambda config, **_: configs.append(config))  # pyright: ignore[reportUnknownLambdaType]
    words = ["--behaviour", "apps=on-mention", "--behaviour", "latest-version=at-once"]
    CliRunner().invoke(cli, ["up", "--port", "0", *words], catch_exceptions=False)
    assert configs[0].behaviour == Behaviour(apps="on-mention", latest_version="at-once")
    assert arguments_of({"behaviour": ("apps=on-mention",)}) == ["--behaviour", "apps=on-mention"]
    done = CliRunner().invoke(cli, ["up", "--behaviour", "apps=maybe"])
    assert done.exit_code == 2
    assert "--behaviour: apps is one of explicit, on-mention, got 'maybe'." in done.output


def test_sizes_are_given_in_words_and_the_largest_archive_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[EmulatorConfig] = []
    monkeypatch.setattr(
        "clarifai_emulator.cli.foreground.serve",
        lambda config, **_: configs.append(config),  # pyright: ignore[reportUnknownLambdaType]
        raising=True,
    )
    for words in ([], ["--max-upload-bytes", "300Mi"], ["--max-upload-bytes", "1048576"]):
        CliRunner().invoke(cli, ["up", "--port", "0", *words], catch_exceptions=False)
    assert [config.max_upload_bytes for config in configs] == [16 * 1024**3, 300 * 1024**2, 1024**2]
    done = CliRunner().invoke(cli, ["up", "--max-upload-bytes", "many"])
    assert done.exit_code == 2
    assert "'many' is not an amount of memory: expected a number with an optional suffix" in done.output
