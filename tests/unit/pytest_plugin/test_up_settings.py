"""Every option of ``up`` has its variable, and its setting in the plugin or a reason for having none; one table."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.cli.up import up
from clarifai_emulator.config import EmulatorConfig
from pytest_clarifai_emulator.up_settings import (
    NOT_FOR_TESTS,
    OLDER,
    UP_SETTINGS,
    config_of,
    read_up_settings,
)

ROOT = Path(__file__).parents[3]
OPTIONS = [each for each in up.params if isinstance(each, click.Option) and each.name]


def config(ini: dict[str, Any] | None = None, **on_command_line: Any) -> Any:
    """Return a pytest.Config as far as the settings look at it."""
    lists = {f"clarifai_{each.name}" for each in UP_SETTINGS if each.kind == "words"}
    return SimpleNamespace(
        known_args_namespace=SimpleNamespace(**on_command_line),
        getini=lambda name: (ini or {}).get(name, [] if name in lists else ""),  # pyright: ignore[reportUnknownLambdaType]
        rootpath=Path("/project"),
    )


def read(ini: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **options: Any) -> Any:
    problems: list[str] = []
    found = read_up_settings(config(ini, **options), problems, environ or {})
    return problems or found


def test_each_option_of_up_is_a_setting_of_the_plugin_or_has_a_reason_for_being_none() -> None:
    settings = {*(each.name for each in UP_SETTINGS), *OLDER}
    assert settings.isdisjoint(NOT_FOR_TESTS)
    assert {each.name for each in OPTIONS} == settings | set(NOT_FOR_TESTS)
    assert all(NOT_FOR_TESTS.values())


@pytest.mark.parametrize("option", OPTIONS, ids=lambda each: str(each.name))
def test_each_is_in_the_table_of_the_documentation_with_its_variable(option: click.Option) -> None:
    rows = [line for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `--")]
    named = max(option.opts, key=len)
    (row,) = [line for line in rows if line.startswith((f"| `{named}`", f"| `{named} ", f"| `{named}/"))]
    if NOT_FOR_TESTS.get(str(option.name), "").startswith("it says how"):
        assert "`CLARIFAI_EMULATOR_" not in row
        return
    names = {"pats": "PAT", "pats_file": "PATS"}
    assert f"`CLARIFAI_EMULATOR_{names.get(str(option.name), str(option.name).upper())}`" in row
    is_setting = option.name not in NOT_FOR_TESTS
    assert (f"`clarifai_{option.name}`" in row) is (is_setting or option.name == "contract")


def test_up_reads_the_variable_that_the_table_names(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "number": "7",
        "whole": "7",
        "yes or no": "false",
        "file": __file__,
        "words": "a=b c=d",
        "text": "1Mi",
    }
    for each in UP_SETTINGS:
        value = each.choices[-1] if each.choices else values[each.kind]
        monkeypatch.setenv(each.variable, value)
        context = up.make_context("up", [], auto_envvar_prefix="CLARIFAI_EMULATOR")
        assert getattr(context.get_parameter_source(each.name), "name", "") == "ENVIRONMENT", each.name
        monkeypatch.delenv(each.variable)


def test_the_command_line_comes_before_the_variable_and_that_before_the_ini_file() -> None:
    ini, environ = {"clarifai_docker_base_image": "ini"}, {"CLARIFAI_EMULATOR_DOCKER_BASE_IMAGE": "variable"}
    assert read(ini) == {"docker_base_image": "ini"}
    assert read(ini, environ) == {"docker_base_image": "variable"}
    assert read(ini, environ, clarifai_docker_base_image="line") == {"docker_base_image": "line"}
    assert read() == {}


def test_they_arrive_in_the_configuration_of_the_emulator() -> None:
    found = read(
        {"clarifai_docker_ca": "ca.pem", "clarifai_docker_limits": "no", "clarifai_cors": ["http://a", "http://b"]},
        {
            "CLARIFAI_EMULATOR_BEHAVIOUR": "apps=on-mention",
            "CLARIFAI_EMULATOR_DOCKER_BUILD_ARGS": "A=1 B=x=y",
            "CLARIFAI_EMULATOR_MAX_UPLOAD_BYTES": "2Mi",
            "CLARIFAI_EMULATOR_QUEUE_SIZE": "3",
        },
        clarifai_request_seconds="1.5",
        clarifai_start_method="spawn",
    )
    fields = config_of({name: value for name, value in found.items() if name != "docker_ca"})
    made = EmulatorConfig(**fields)
    assert found["docker_ca"] == Path("/project/ca.pem")
    assert (made.request_seconds, made.queue_size, made.start_method) == (1.5, 3, "spawn")
    assert (made.max_upload_bytes, made.cors) == (2 * 1024 * 1024, ("http://a", "http://b"))
    assert made.behaviour == Behaviour(apps="on-mention")
    assert (made.docker.limits, dict(made.docker.build_args)) == (False, {"A": "1", "B": "x=y"})


@pytest.mark.parametrize(
    ("ini", "environ", "problem"),
    [
        (
            {"clarifai_queue_size": "few"},
            {},
            "clarifai_queue_size must be a whole number that is not negative, found 'few'",
        ),
        (
            {},
            {"CLARIFAI_EMULATOR_DOCKER_LIMITS": "maybe"},
            "CLARIFAI_EMULATOR_DOCKER_LIMITS must be yes or no, found 'maybe'",
        ),
        (
            {"clarifai_docker_builder": "kaniko"},
            {},
            "clarifai_docker_builder must be one of auto, classic, buildkit, found 'kaniko'",
        ),
        ({"clarifai_docker_build_args": ["PROXY"]}, {}, "clarifai_docker_build_args: 'PROXY' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_told_with_the_place_that_says_it(
    ini: dict[str, Any], environ: dict[str, str], problem: str
) -> None:
    assert read(ini, environ) == [problem]


def test_addresses_for_containers_elsewhere_are_settings_of_containers() -> None:
    fields = config_of({"advertise": ["ssh://me@gpu-box=10.0.0.7"], "docker_engine": "ssh://me@gpu-box"})
    assert fields["docker"].advertised_to("ssh://me@gpu-box") == "10.0.0.7"
    assert "advertise" not in fields
