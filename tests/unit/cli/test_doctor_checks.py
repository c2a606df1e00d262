"""Tests the checks of `doctor` that look at variables and contexts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.cli import connection
from clarifai_emulator.cli import doctor_checks as checks
from clarifai_emulator.control.running import Running
from clarifai_emulator.errors import ModelError


def running(port: int = 7878, **changes: Any) -> Running:
    facts: dict[str, Any] = {
        "url": f"http://127.0.0.1:{port}",
        "pid": os.getpid(),
        "token": "t",
        "user_id": "me",
        "port": port,
    }
    merged: dict[str, Any] = {**facts, "started": 1.0, **changes}
    return Running(**merged)


def test_where_clients_would_go(tmp_path: Path) -> None:
    here = [running(7000)]
    assert checks.check_variables(here, {"CLARIFAI_API_BASE": "http://127.0.0.1:7000"}).level == "ok"
    assert "api.clarifai.com" in checks.check_variables(here, {}).found
    assert "not an emulator" in checks.check_variables([], {"CLARIFAI_API_BASE": "https://api.clarifai.com"}).found
    assert checks.check_variables([], {}).level == "ok"


def test_the_context_of_the_clarifai_cli(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert checks.check_context(environ).found.startswith("no ")
    file = tmp_path / ".config" / "clarifai" / "config"
    file.parent.mkdir(parents=True)
    contexts = {"work": {"env": {"CLARIFAI_API_BASE": "https://api.example.org"}}}
    file.write_text(json.dumps({"current_context": "work", "contexts": contexts}))
    assert "'work' of" in checks.check_context(environ).found
    assert "(https://api.example.org)" in checks.check_context(environ).found
    file.write_text("{")
    assert checks.check_context(environ).level == "warn"


def test_refusals_that_stood_on_our_choice_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked:
        def __enter__(self) -> Asked:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def answers(self, control: str, **request: Any) -> list[dict[str, Any]]:
            rows = ["dispatch.load-fails", "requests.credential-malformed", ""]
            return [{"event": {"kind": "request.finished", **({"row": row} if row else {})}} for row in rows]

    def asked(running: Running) -> Asked:
        return Asked()

    monkeypatch.setattr(connection, "client_of", asked)
    [check] = checks.check_fidelity([running()])
    assert check.found == "1 refusal at http://127.0.0.1:7878 stood on row dispatch.load-fails: our choice"
    assert "`clarifai-emulator conform --only dispatch.load-fails --target …` asks the platform." in check.advice


def test_uv_that_is_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise ModelError("uv, which builds it, is not installed.")

    monkeypatch.setattr(checks, "uv_program", nowhere)
    assert checks.check_uv() == checks.Check(
        "uv",
        "fail",
        "neither the package uv nor a program uv on the PATH is here",
        "pip install uv; it builds the environments of models with requirements of their own.",
    )
