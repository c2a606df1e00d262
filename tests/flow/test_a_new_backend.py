"""Adding a backend takes a row of the table and a class; it then passes the flow tests of its family."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.backend_table import BACKENDS
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.errors import ConfigError

HERE = Path(__file__).parent
# Deploy, predict by every way, stream, scale up, down and to zero, roll over, refuse; reset before each.
FAMILY = ("test_predict.py", "test_replicas.py")
# Each replica imports the SDK anew, which takes its time: the whole family runs with the slow tests.
CHOSEN = ("by_every_way", "first_message", "first_request", "lets_what_runs_finish", "broken_edit")


def test_it_takes_less_than_forty_lines() -> None:
    text = (HERE / "plain_backend.py").read_text(encoding="utf-8")
    body = text[text.index("class ") :]
    assert len([line for line in body.splitlines() if line.strip()]) < 40


def test_it_deploys_predicts_scales_and_is_reset() -> None:
    run_family("-k", " or ".join(CHOSEN))


@pytest.mark.slow
def test_it_passes_every_flow_test_of_backends() -> None:
    run_family()


def run_family(*options: str) -> None:
    files = [str(HERE / each) for each in FAMILY]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "flow.plain_backend", *files, *options],
        env={**os.environ, "CLARIFAI_TEST_RUNNER": "plain", "PYTHONPATH": str(HERE.parent)},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_configuration_and_messages_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(iter(BACKENDS.values()))
    monkeypatch.setitem(BACKENDS, "mine", row)
    assert EmulatorConfig(backend="mine").backend == "mine"
    with pytest.raises(ConfigError) as refused:
        EmulatorConfig(backend="nobodys")
    assert "backend must be 'process', 'inprocess', 'docker' or 'mine', got 'nobodys'" in str(refused.value)
