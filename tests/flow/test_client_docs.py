"""Snippets pasted from docs/clients.md and docs/clients-cli.md do what the pages say (MCP: ``test_mcp.py``)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, running
from flow.processes import environment

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "clients.md").read_text(encoding="utf-8")
CLI_PAGE = (DOCS / "clients-cli.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7878"


def snippet(heading: str, language: str) -> str:
    """Return the only snippet of a language below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with running() as emulator:
        emulator.deploy(MODELS / "hello")
        emulator.deploy(MODELS / "openai")
        yield emulator


def pasted(emulator: EmulatorThread, text: str, *command: str, **environ: str) -> str:
    """Return what a snippet prints, at the address of this emulator."""
    ran = subprocess.run(
        [*command, text.replace(ADDRESS, emulator.url)],
        env=environment(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1", HTTPS_PROXY="http://127.0.0.1:9", **environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_sdk(emulator: EmulatorThread) -> None:
    text = snippet("The Clarifai SDK (gRPC)", "python")
    variables = dict(re.findall(r"(CLARIFAI_\w+)=(\S+)", text.splitlines()[0]))
    variables["CLARIFAI_API_BASE"] = variables["CLARIFAI_API_BASE"].replace(ADDRESS, emulator.url)
    assert pasted(emulator, text, sys.executable, "-c", **variables) == "Hello, Hello!"


def test_the_official_cli_is_told_the_address_twice(emulator: EmulatorThread, tmp_path: Path) -> None:
    (text,) = re.findall(r"\n\n((?:    .*clarifai login.*\n|    export .*\n)+)", CLI_PAGE)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    said = pasted(emulator, f"set -e\n{text}\nclarifai whoami", "bash", "-c", HOME=str(tmp_path), PATH=path)
    assert "User:     me" in said


def test_rest(emulator: EmulatorThread) -> None:
    answer = json.loads(pasted(emulator, snippet("REST", "sh"), "bash", "-c"))
    assert answer["status"]["code"] == 10000
    (part,) = answer["outputs"][0]["data"]["parts"]
    assert part["data"]["string_value"] == "Hello, Hello!"


def test_openai(emulator: EmulatorThread) -> None:
    said = pasted(emulator, snippet("OpenAI's client", "python"), sys.executable, "-c")
    assert said.startswith("You said: Hello CompletionUsage(")
