"""Runs clients against the emulator: snippets of the documentation, and programs of ``fixtures/clients``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from flow.processes import environment

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "fixtures" / "clients"
DOCUMENTED_ADDRESS = "http://127.0.0.1:7878"
# Nothing is asked of the network: what a client would tell its makers, or ask them, fails at once.
_OFFLINE = {
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OTEL_SDK_DISABLED": "true",
    "CREWAI_DISABLE_TELEMETRY": "true",
}


def documented(page: str, heading: str, language: str, url: str) -> str:
    """Return the only snippet of a language below a heading of a page, with the emulator's address in it."""
    section = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert isinstance(found, str)
    port = url.rpartition(":")[2]
    return found.replace(DOCUMENTED_ADDRESS, url).replace('"127.0.0.1", 7878', f'"127.0.0.1", {port}')


def printed(command: Sequence[str], *, cwd: Path | None = None) -> str:
    """Return what a client prints, without the warnings that it logs."""
    ran = subprocess.run(
        list(command),
        cwd=cwd,
        env=environment(**_OFFLINE),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()
