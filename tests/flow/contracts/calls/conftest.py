"""Reads fixture models once, and checks one small client with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_check import CallReport, GivenModel, check_known
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
HEAD = """\
import asyncio, functools, os
from clarifai.client import Model
from clarifai.client.model_client import ModelClient
hello = Model("https://clarifai.com/me/demo/models/hello")
types = Model(model_id="types", user_id="me", app_id="demo")
"""
CheckClient = Callable[..., CallReport]


@pytest.fixture(scope="package")
def models() -> list[KnownModel]:
    return read_models([GivenModel(FIXTURES / name) for name in ("hello", "types", "batch", "large")], None)


@pytest.fixture
def check_client(tmp_path: Path, models: list[KnownModel]) -> CheckClient:
    """Return a function that checks a client that has ``hello`` and ``types``; more files by keyword,
    ``settings="URL = …"``."""

    def run(code: str, *, head: str = HEAD, **others: str) -> CallReport:
        (tmp_path / "client.py").write_text(head + code + "\n")
        for name, text in others.items():
            (tmp_path / f"{name}.py").write_text(text + "\n")
        return check_known([tmp_path], models)

    return run


def said(report: CallReport) -> list[str]:
    """Return ``rule: message`` of each finding."""
    return [f"{each.rule}: {each.message}" for each in report.findings]
