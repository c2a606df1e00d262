"""Compares the newest SDK and protocol with those that were last looked at: python -m newest check|write

`check` installs the newest of everything that we ask for in an environment of its own, lists what changed since
baseline.json, and makes predictions there. It fails where anything changed. `write` writes baseline.json anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from newest.compare import changes, versions
from newest.stands_on import every_place

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "tests" / "newest" / "baseline.json"
_TOOLS = ("pytest", "pytest-asyncio", "pytest-random-order", "pytest-timeout", "pytest-xdist", "hypothesis")
_WHAT_TO_DO = (
    "Look at each; mend what stands on it. "
    "Then `PYTHONPATH=tests .venv/bin/python -m newest write` takes them down as known."
)


def newest() -> Path:
    """Return the interpreter of an environment with the newest of everything."""
    from sdk_environments import cached_environment  # pyright: ignore[reportMissingImports] - below tests/

    extras = ("--extra", "sdk", "--extra", "fuzz", "--extra", "debug")
    tools = [f"{name}=={metadata.version(name)}" for name in _TOOLS]
    return cached_environment(*tools, options=(str(ROOT / "pyproject.toml"), *extras), name="newest")


def snapshot_of(python: Path) -> dict[str, dict[str, Any]]:
    """Take down the protocol and the SDK of an environment."""
    here = {**os.environ, "CLARIFAI_API_BASE": "http://127.0.0.1:9"}
    command = [python, ROOT / "tests" / "newest" / "snapshot.py", *every_place()]
    done = subprocess.run(command, env=here, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        sys.exit(f"The newest SDK cannot be looked at: {last}\n\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def predictions(python: Path) -> int:
    """Make predictions with the newest of everything; return the exit code of pytest."""
    from sdk_environments import alone, install  # pyright: ignore[reportMissingImports] - below tests/

    with alone(python.parents[1]):
        install(python, "--editable", str(ROOT))
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/flow/test_predict.py"]
        return subprocess.run(command, cwd=ROOT).returncode


def check() -> int:
    """List what changed and make predictions; return the exit code."""
    python = newest()
    before, now = json.loads(BASELINE.read_text()), snapshot_of(python)
    print(f"Looked at: {versions(before, now)}.", flush=True)
    found = changes(before, now)
    for line in found:
        print(f"- {line}", flush=True)
    code = predictions(python)
    if code:
        print("Predictions fail with the newest of everything: see above.")
    if found:
        print(f"{len(found)} changes since tests/newest/baseline.json. {_WHAT_TO_DO}")
    return int(bool(code or found))


def write() -> int:
    """Write the baseline from the newest of everything."""
    BASELINE.write_text(json.dumps(snapshot_of(newest()), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    commands = {"check": check, "write": write}
    if sys.argv[1:] not in (["check"], ["write"]):
        sys.exit(__doc__)
    sys.exit(commands[sys.argv[1]]())
