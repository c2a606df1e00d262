"""Holds each line of the table of SDK versions against the two between which something changed, installed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from clarifai_emulator.inside.sdk_versions_main import DIFFERENCES, Difference
from clarifai_emulator.models.requirements import Line
from clarifai_emulator.models.sdk_environment import prepare_sdk_environment
from old_sdks import CACHE, IS_FULL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# The release before each `since`.
BEFORE = {
    "11.1.0": "11.0.7", "11.3.0": "11.2.3", "11.4.3": "11.4.2", "11.4.5": "11.4.4", "11.5.5": "11.5.4",
    "11.7.3": "11.7.2", "12.1.3": "12.1.2", "12.2.0": "12.1.7", "12.2.2": "12.2.1", "12.3.4": "12.3.3",
}  # fmt: skip
# In short: what has two versions of other tests, and what everything stands on.
SHORT = ("protobuf-7",)
LOOK = """
import importlib, importlib.util, sys
import clarifai.runners.server
module, _, names = sys.argv[1].partition(":")
if not names:  # it may import what the SDK does not ask for
    sys.exit(3 if importlib.util.find_spec(module) is None else 0)
try:
    found = importlib.import_module(module)
    for name in filter(None, names.split(".")):
        found = getattr(found, name)
except (ImportError, AttributeError):
    sys.exit(3)
"""
# Lines that no name of the SDK shows.
OTHER = {
    "requests": "import importlib.metadata as m, sys\n"
    "sys.exit(0 if any(each.startswith('requests') for each in m.requires('clarifai')) else 3)",
    "health-port": "import inspect, sys\nfrom clarifai.runners.server import ModelServer\n"
    "sys.exit(0 if 'health_check_port' in inspect.signature(ModelServer.serve).parameters else 3)",
    "protobuf-7": "import sys\n"
    "try:\n    import clarifai.runners.server\nexcept AttributeError as error:\n"
    "    sys.exit(3 if 'label' in str(error) else repr(error))",
}


def interpreter(version: str) -> Path:
    """Return an interpreter with this version of the SDK."""
    lines = [Line(f"clarifai=={version}")]
    return asyncio.run(prepare_sdk_environment(lines, "", CACHE, lambda line: None))


def has_it(difference: Difference, version: str, more: Path | None = None) -> bool:
    """Tell whether an installed SDK has what a line of the table names."""
    code = OTHER.get(difference.key, LOOK)
    environ = {"CLARIFAI_API_BASE": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "HOME": "/dev/null"}
    if more is not None:
        environ["PYTHONPATH"] = str(more)
    command = [str(interpreter(version)), "-W", "ignore", "-c", code, difference.look]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 3), ended.stderr
    return ended.returncode == 0


@pytest.mark.parametrize(
    "difference",
    [each for each in DIFFERENCES if each.key != "server" and (IS_FULL or each.key in SHORT)],
    ids=lambda each: each.key,
)
def test_what_a_line_names_came_with_that_version(difference: Difference, tmp_path: Path) -> None:
    more = protobuf_7(tmp_path) if difference.key == "protobuf-7" else None
    assert not has_it(difference, BEFORE[difference.since], more)
    assert has_it(difference, difference.since, more)


def protobuf_7(folder: Path) -> Path:
    install(folder / "protobuf", "--no-deps", "protobuf>=7,<8")
    return folder / "protobuf"


def install(folder: Path, *packages: str) -> None:
    python = ("--python", sys.executable)
    subprocess.run([find_uv_bin(), "pip", "install", "-q", *python, "--target", folder, *packages], check=True)
