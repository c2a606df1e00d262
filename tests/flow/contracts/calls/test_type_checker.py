"""The type checker is known to have run: a canary that it must find."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls import client_check as check
from clarifai_emulator.contracts.calls import judge
from clarifai_emulator.contracts.calls import type_checker as checker
from clarifai_emulator.contracts.calls.given_models import KnownModel
from clarifai_emulator.contracts.calls.type_checker import CheckerError


@pytest.fixture
def client(tmp_path: Path) -> Path:
    path = tmp_path / "client.py"
    path.write_text(
        "from clarifai.client import Model\nModel('https://clarifai.com/me/demo/models/hello').predict(1)\n"
    )
    return path


def as_checker(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "checker.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(checker, "checker_command", lambda: program)


def test_a_checker_that_finds_nothing_is_not_believed(
    client: Path, models: list[KnownModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    as_checker(monkeypatch, tmp_path, """echo '{"errors": []}'""")

    with pytest.raises(CheckerError, match="did not report the canary"):
        check.check_known([client], models)


def test_a_checker_that_crashes_is_reported_with_what_it_said(
    client: Path, models: list[KnownModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    as_checker(monkeypatch, tmp_path, "echo 'out of memory' >&2; exit 3")

    with pytest.raises(CheckerError) as caught:
        check.check_known([client], models)

    assert str(caught.value) == "The type checker ended with 3 and no answer: out of memory"


def test_types_that_do_not_arrive_are_noticed(
    client: Path, models: list[KnownModel], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(judge, "checking_stubs", lambda *_, **__: {"nothing.pyi": ""})

    with pytest.raises(CheckerError, match="did not report the canary"):
        check.check_known([client], models)
