"""Tests the variables that `env` prints."""

from __future__ import annotations

import os
from typing import Any

import pytest

from clarifai_emulator.cli import doctor_checks as checks
from clarifai_emulator.cli.env import assignment, is_behind_proxy, variables_for
from clarifai_emulator.control.running import Running


def running(port: int = 7878, **changes: Any) -> Running:
    facts = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "token": "t", "user_id": "me", "port": port}
    return Running(**{**facts, "started": 1.0, **changes})


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export CLARIFAI_PAT='it'\"'\"'s'"),
        ("zsh", "export CLARIFAI_PAT='it'\"'\"'s'"),
        ("fish", "set -gx CLARIFAI_PAT 'it\\'s';"),
        ("powershell", "$Env:CLARIFAI_PAT = 'it''s'"),
        ("dotenv", "CLARIFAI_PAT=it's"),
    ],
)
def test_a_variable_in_each_shell(shell: str, line: str) -> None:
    assert assignment(shell, "CLARIFAI_PAT", "it's") == line


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"http_proxy": "http://proxy"}, True),
        ({"HTTPS_PROXY": "http://proxy", "no_proxy": "example.org"}, True),
        ({"http_proxy": "http://proxy", "no_proxy": "example.org, 127.0.0.1"}, False),
        ({"http_proxy": "http://proxy", "NO_PROXY": "*"}, False),
    ],
)
def test_a_proxy_between_client_and_emulator(environ: dict[str, str], expected: bool) -> None:
    assert is_behind_proxy("127.0.0.1", environ) is expected
    variables = variables_for(running(), environ)
    assert ("no_proxy" in variables) is expected
    assert checks.check_proxy(environ).level == ("warn" if expected else "ok")


def test_a_proxys_exceptions_are_kept() -> None:
    variables = variables_for(running(), {"http_proxy": "http://proxy", "no_proxy": "example.org"})
    assert variables["no_proxy"] == variables["NO_PROXY"] == "example.org,127.0.0.1"
