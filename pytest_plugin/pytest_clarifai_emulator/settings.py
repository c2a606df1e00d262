"""Reads the options of the plugin from the command line, pytest.ini or pyproject.toml; once, and checked whole."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_clarifai_emulator.up_settings import (
    OLDER,
    add_up_options,
    is_yes,
    number_in,
    read_up_settings,
    variable_of,
)

_PREFIX = "clarifai_"
_BACKENDS = ("process", "docker", "inprocess")
_RUNNERS = ("lean", "genuine")
_CASSETTE_MODES = ("none", "once", "new", "all")
_CONTRACT = ("strict", "warn", "off")
_GPU_MISSING = ("fail", "skip")
_RETRIES = ("virtual", "real")
_SCOPES = ("worker", "shared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that the user asked for. ``topology`` files are absolute; ``gpus`` None uses the machine's own
    devices. ``html``: the file of ``--clarifai-html``. ``up``: further options of ``clarifai-emulator up``, those
    that are set."""

    scope: str
    backend: str
    runner: str
    hold_seconds: float
    topology: tuple[Path, ...]
    strict_capacity: bool
    allow_real: bool
    record_real: bool
    keep: bool
    gpus: int | None
    gpu_missing: str
    gpu_seconds: float
    cassette_mode: str
    cassette_dir: str
    contract: str
    retries: str
    coverage: bool
    coverage_fail_under: float | None
    fuzz_seconds: float | None
    html: Path | None
    up: Mapping[str, Any]


def add_options(parser: pytest.Parser) -> None:
    """Register every option with pytest."""
    group = parser.getgroup("clarifai", "Clarifai emulator")
    group.addoption(
        "--clarifai-scope",
        choices=_SCOPES,
        help="with xdist: an emulator for each worker, or one for all (ini: clarifai_scope; worker)",
    )
    group.addoption(
        "--clarifai-backend", choices=_BACKENDS, help="where models run (ini: clarifai_backend; process)"
    )
    group.addoption(
        "--clarifai-runner",
        choices=_RUNNERS,
        help="hand requests to replicas, or let them fetch as on the platform (ini: clarifai_runner)",
    )
    group.addoption(
        "--clarifai-allow-real",
        action="store_true",
        help="let tests reach the real platform (ini: clarifai_allow_real)",
    )
    group.addoption(
        "--clarifai-record-real",
        action="store_true",
        help="let cassettes with record_from be recorded from the real platform, with your CLARIFAI_PAT; tests "
        "themselves still use the emulator",
    )
    group.addoption(
        "--clarifai-keep",
        action="store_true",
        help="after the first failure of a test that uses the emulator: stop, leave the emulator up until Ctrl-C, "
        "say how to reach it",
    )
    group.addoption(
        "--clarifai-gpus", type=int, metavar="N", help="pretend this machine has N GPUs (ini: clarifai_gpus)"
    )
    group.addoption(
        "--clarifai-strict-capacity",
        action="store_true",
        help="place no more on this machine than its CPUs and memory, to test placement (ini: "
        "clarifai_strict_capacity); models that ask for more run all the same without it",
    )
    group.addoption(
        "--clarifai-cassettes",
        choices=_CASSETTE_MODES,
        help="none: replay only; once: record what has no file yet; new: replay, and record what is missing; all: "
        "record everything anew (ini: clarifai_cassettes; once)",
    )
    group.addoption(
        "--clarifai-contract",
        choices=_CONTRACT,
        help="calls that do not match the model's signatures fail the test, are warned of, or pass "
        "(ini: clarifai_contract; strict)",
    )
    group.addoption(
        "--clarifai-retries",
        choices=_RETRIES,
        help="how the SDK waits before it tries again: at once, on a clock of its own, or for real "
        "(ini: clarifai_retries; virtual)",
    )
    group.addoption(
        "--clarifai-contract-coverage",
        action="store_true",
        help="list methods of models that no test called (ini: clarifai_contract_coverage)",
    )
    group.addoption(
        "--clarifai-contract-coverage-fail-under",
        type=float,
        metavar="PERCENT",
        help="fail the run when tests call fewer of the methods of their models",
    )
    group.addoption(
        "--clarifai-fuzz-seconds",
        type=float,
        metavar="SECONDS",
        help="how long an item fuzz[METHOD] of a model directory calls its method (ini: clarifai_fuzz_seconds)",
    )
    group.addoption(
        "--clarifai-html",
        metavar="FILE",
        help="write all tests to one page for a browser, with their calls, routes and logs (ini: clarifai_html)",
    )
    add_up_options(group, parser)
    _add_ini(parser)


def _add_ini(parser: pytest.Parser) -> None:
    parser.addini("clarifai_scope", "an emulator for each xdist worker, or one: worker, shared", default="worker")
    parser.addini("clarifai_backend", "where models run: process, docker, inprocess", default="process")
    parser.addini("clarifai_runner", "lean, or genuine: replicas fetch work as on the platform", default="lean")
    parser.addini("clarifai_hold_seconds", "how long a request waits for a replica to start", default="60")
    parser.addini(
        "clarifai_topology", "topology files for every test, relative to rootdir", type="paths", default=[]
    )
    parser.addini(
        "clarifai_strict_capacity",
        "place no more on this machine than its CPUs and memory",
        type="bool",
        default=False,
    )
    parser.addini("clarifai_allow_real", "let tests reach the real platform", type="bool", default=False)
    parser.addini("clarifai_gpus", "pretend this machine has so many GPUs", default="")
    parser.addini("clarifai_gpu_missing", "a test marked clarifai_gpu without GPUs: fail or skip", default="fail")
    parser.addini("clarifai_gpu_seconds", "how long a test waits for GPUs that other workers use", default="600")
    parser.addini("clarifai_cassettes", "how cassettes are used: none, once, new, all", default="once")
    parser.addini("clarifai_cassette_dir", "where cassettes are, beside the test file", default="cassettes")
    parser.addini("clarifai_retries", "how the SDK waits between its retries: virtual, real", default="virtual")
    parser.addini("clarifai_contract", "strict, warn or off", default="strict")
    parser.addini("clarifai_contract_coverage", "list methods that no test called", type="bool", default=False)
    parser.addini("clarifai_contract_coverage_fail_under", "in percent", default="")
    parser.addini("clarifai_html", "write all tests to this page, relative to rootdir", default="")
    parser.addini("clarifai_fuzz_seconds", "how long an item fuzz[METHOD] calls its method", default="")


def read_settings(config: pytest.Config) -> Settings:
    """Read the options as they are set. Raises ``pytest.UsageError`` that lists every problem."""
    problems: list[str] = []
    settings = Settings(
        scope=_choice(config, "scope", _SCOPES, problems),
        backend=_choice(config, "backend", _BACKENDS, problems),
        runner=_choice(config, "runner", _RUNNERS, problems),
        hold_seconds=_number(config, "hold_seconds", problems) or 0.0,
        topology=_topology(config),
        strict_capacity=_strict_capacity(config, problems),
        allow_real=bool(_option(config, "allow_real") or config.getini("clarifai_allow_real")),
        record_real=bool(_option(config, "record_real")),
        keep=bool(_option(config, "keep")),
        gpus=_whole(config, problems),
        gpu_missing=_choice(config, "gpu_missing", _GPU_MISSING, problems),
        gpu_seconds=_number(config, "gpu_seconds", problems) or 0.0,
        cassette_mode=_choice(config, "cassettes", _CASSETTE_MODES, problems),
        cassette_dir=str(config.getini("clarifai_cassette_dir")),
        contract=_choice(config, "contract", _CONTRACT, problems),
        retries=_choice(config, "retries", _RETRIES, problems),
        coverage=bool(_option(config, "contract_coverage") or config.getini("clarifai_contract_coverage")),
        coverage_fail_under=_number(config, "contract_coverage_fail_under", problems),
        fuzz_seconds=_number(config, "fuzz_seconds", problems),
        html=_html(config),
        up=read_up_settings(config, problems),
    )
    if settings.gpus is not None and "accelerators" in settings.up:
        problems.append("clarifai_gpus and clarifai_accelerators both say which GPUs there are: give one of them")
    if problems:
        raise pytest.UsageError(*problems)
    return settings


def unknown_keys(config: pytest.Config) -> list[str]:
    """Return a sentence for each key of the ini file that begins as ours do, and that no plugin has registered."""
    # There is no public list of the keys that plugins have registered, nor of those that are given.
    registered: Any = getattr(getattr(config, "_parser", None), "_inidict", None)
    known = [str(name) for name in registered or () if str(name).startswith(_PREFIX)]
    given: Any = vars(config).get("_inicfg") or vars(config).get("inicfg") or ()
    if not known:
        return []
    return [_unknown(key, known) for key in given if key.startswith(_PREFIX) and key not in known]


def _unknown(key: str, known: list[str]) -> str:
    from clarifai_emulator.spelling import did_you_mean

    return f"Unknown key '{key}'.{did_you_mean(key, known, lead=' ')}"


def _option(config: pytest.Config, name: str) -> Any:
    """Return what the command line says; read before pytest itself has settled its options."""
    return getattr(config.known_args_namespace, f"clarifai_{name}", None)


def _given(config: pytest.Config, name: str) -> Any:
    """Return the command line's value, else that of the variable which ``up`` has too, else the ini file's."""
    on_command_line = _option(config, name)
    if on_command_line is not None:
        return on_command_line
    in_environment = variable_of(name) if name in OLDER else ""
    return in_environment or config.getini(f"clarifai_{name}")


def _topology(config: pytest.Config) -> tuple[Path, ...]:
    in_environment = variable_of("topology")
    if in_environment:
        return tuple(Path(path).absolute() for path in in_environment.split(os.pathsep))
    return tuple(Path(path) for path in config.getini("clarifai_topology"))


def _html(config: pytest.Config) -> Path | None:
    given, in_ini = _option(config, "html"), str(config.getini("clarifai_html"))
    if given:
        return config.invocation_params.dir / Path(given).expanduser()
    return config.rootpath / Path(in_ini).expanduser() if in_ini else None


def _strict_capacity(config: pytest.Config, problems: list[str]) -> bool:
    if _option(config, "strict_capacity"):
        return True
    in_environment = variable_of("strict_capacity")
    if in_environment:
        return bool(is_yes("CLARIFAI_EMULATOR_STRICT_CAPACITY", in_environment, problems))
    return bool(config.getini("clarifai_strict_capacity"))


def _choice(config: pytest.Config, name: str, choices: tuple[str, ...], problems: list[str]) -> str:
    value = str(_given(config, name))
    if value not in choices:
        problems.append(f"clarifai_{name} must be one of {', '.join(choices)}, found {value!r}")
    return value


def _number(config: pytest.Config, name: str, problems: list[str]) -> float | None:
    value = _given(config, name)
    return None if value == "" else number_in(f"clarifai_{name}", value, problems)


def _whole(config: pytest.Config, problems: list[str]) -> int | None:
    value = str(_given(config, "gpus"))
    if value and not value.isdecimal():
        problems.append(f"clarifai_gpus must be a whole number, found {value!r}")
        return None
    return int(value) if value else None
