"""Runs tests with the lowest versions of everything that pyproject.toml asks for: python .ci/lowest.py [TESTS …]

The tools of the tests themselves are those of the lock file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from sdk_environments import alone, cached_environment, install  # noqa: E402 - found below tests/

TOOLS = (
    "h2",
    "jsonschema",
    "pytest",
    "pytest-asyncio",
    "pytest-random-order",
    "pytest-timeout",
    "pytest-xdist",
    "trustme",
    "xmlschema",
)
EXTRAS = ("sdk", "fuzz", "debug")
# The runner of SDK 12.2.2 reads a message of a stream ahead: it wants the second before it answers the first.
NOT_OF_12_2 = "tests/flow/test_predict.py::test_the_first_message_of_a_stream_is_answered_before_the_second_is_sent"


def main() -> int:
    """Make the environment, say what is in it, and run the tests there."""
    extras = [word for name in EXTRAS for word in ("--extra", name)]
    lowest = (str(ROOT / "pyproject.toml"), *extras, "--resolution", "lowest-direct")
    tools = [f"{name}=={metadata.version(name)}" for name in TOOLS]
    python = cached_environment(*tools, options=lowest, name="lowest")
    asked = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in ('clarifai', 'clarifai-grpc', "
    asked += "'protobuf', 'grpcio', 'click', 'rich', 'packaging')), sep=', ', flush=True)"
    with alone(python.parents[1]):
        install(python, "--editable", str(ROOT))
        subprocess.run([python, "-c", asked], check=True)
        command = [sys.executable, ROOT / ".ci" / "again.py", "lowest", python, "-m", "pytest", "-q"]
        command += ["--numprocesses", "auto", "--dist", "loadfile", "--deselect", NOT_OF_12_2, *sys.argv[1:]]
        here = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return subprocess.run(command, cwd=ROOT, env=here).returncode


if __name__ == "__main__":
    sys.exit(main())
