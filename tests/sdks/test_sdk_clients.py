"""The SDK as a client, of today and of other times: one program, run with each version against one emulator."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator import EmulatorConfig, EmulatorThread
from sdk_environments import cached_environment, sdk_requirements
from sdks.conftest import versions

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "fixtures" / "clients" / "any_sdk"
VERSIONS = versions(
    "9.11.0", "10.11.1", "11.1.7", "11.7.5", "12.2.2", "newest", more=("10.8.9", "11.4.1", "12.1.7")
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(EmulatorConfig(port=0, stop_seconds=0)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def configs(emulator: EmulatorThread, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with config files for a cluster, a nodepool and a deployment of the model."""
    deployed = emulator.deploy(ROOT / "fixtures" / "models" / "hello")
    folder = tmp_path_factory.mktemp("configs")
    for file in PROGRAM.glob("*.yaml"):
        (folder / file.name).write_text(file.read_text().replace("VERSION", deployed.version_id))
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_of_any_time_lists_predicts_and_deploys(
    version: str, emulator: EmulatorThread, configs: Path, tmp_path: Path
) -> None:
    seen = run_client(version, emulator, configs, tmp_path)
    assert seen["sdk"] == version or version == "newest"
    assert seen["apps"] == ["demo"]
    assert seen["models"] == ["hello"]
    assert seen["by_bytes"] == "Hello, Ada!"
    assert "MODEL_DOES_NOT_EXIST" in seen["refusal"]
    numbers = tuple(map(int, seen["sdk"].split(".")))
    methods = {
        "predict": "Hello, Ada!!",
        "generate": ["Hello,", "Ada!"],
        "stream": ["Hello, Ada!", "Hello, Bob!"],
    }
    assert seen["by_methods"] == (methods if numbers >= (11, 3) else None)
    orchestration = {
        "clusters": ["sdk-compute_cluster"],
        "nodepools": ["sdk-nodepool"],
        "deployments": ["sdk-deployment"],
        "left": [],
    }
    assert seen["orchestration"] == (orchestration if numbers >= (10, 8) else None)


def run_client(version: str, emulator: EmulatorThread, configs: Path, home: Path) -> dict[str, Any]:
    """Run the program with this version of the SDK; return what it saw."""
    python = cached_environment(*sdk_requirements(version))
    here = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "PYTHON"))}
    given = {
        "CLARIFAI_API_BASE": emulator.url,
        "CLARIFAI_PAT": "token",
        "CLARIFAI_USER_ID": "me",
        "HOME": str(home),
    }
    done = subprocess.run(
        [python, PROGRAM / "client.py", "https://clarifai.com/me/demo/models/hello", configs],
        env={**here, **given, "HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.splitlines()[-1])
