"""Agents run in the emulator's own process, too, where that has the packages that they need."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from uv import find_uv_bin

from flow.driver import RUNNER

HERE = Path(__file__).parent
PACKAGES = ("fastmcp>=2.10,<3", "openai", "openai-agents")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(RUNNER != {"runner": "lean"}, reason="the same with every runner: it has its own")
def test_every_test_of_agents_passes_in_process(tmp_path: Path) -> None:
    """Run them in an environment of their own, which has this one's packages behind its own."""
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES], check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    behind = "import site; site.addsitedir({!r})\n".format(sysconfig.get_path("purelib"))
    (packages / "behind.pth").write_text(behind)
    # What models leave open is the business of their own processes elsewhere.
    lenient = [f"-Wignore::{each}" for each in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning")]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *lenient, HERE / "test_agents.py"]
    environ = {**os.environ, "CLARIFAI_TEST_RUNNER": "inprocess"}
    ran = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
    assert "14 passed" in ran.stdout
