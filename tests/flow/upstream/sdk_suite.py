"""Fetches the tests in the SDK's source distribution, and runs them with an environment of their own.

Both lie in the cache folder of the tests and are made when they are missing; nothing of them is kept here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as Xml
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from uv import find_uv_bin

from clarifai_emulator.models.uv_runs import uv_environment
from docker_engine import CACHE

# What the tests import beside the SDK.
_NEEDS = ("pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "rich")


@dataclass(frozen=True, slots=True)
class SdkSuite:
    """Holds the tests of one version of the SDK, and the Python that runs them."""

    version: str
    folder: Path

    @property
    def python(self) -> Path:
        """Return the interpreter of their environment."""
        return self.folder / "environment" / "bin" / "python"

    @property
    def source(self) -> Path:
        """Return the unpacked source distribution."""
        return self.folder / f"clarifai-{self.version}"

    def run(self, environ: dict[str, str], report: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run the tests with pytest; ``report`` gets what became of each."""
        command = [self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "60",
                   "--numprocesses", "2", "--dist", "loadfile", f"--junitxml={report}", *words]  # fmt: skip
        return subprocess.run(command, cwd=self.source, env=environ, capture_output=True, text=True, timeout=300)


def sdk_suite() -> SdkSuite:
    """Return the suite of the SDK that is installed here."""
    version = metadata.version("clarifai")
    here = f"{version}-python{sys.version_info.major}.{sys.version_info.minor}"
    suite = SdkSuite(version, CACHE / "sdk-suite" / here)
    suite.folder.parent.mkdir(parents=True, exist_ok=True)
    with suite.folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (suite.folder / ".complete").is_file():
            _make(suite)
    return suite


def _make(suite: SdkSuite) -> None:
    shutil.rmtree(suite.folder, ignore_errors=True)
    suite.folder.mkdir(parents=True)
    wanted = f"clarifai=={suite.version}"
    environment = str(suite.folder / "environment")
    _call(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, environment)
    _call(find_uv_bin(), "pip", "install", "--quiet", "--python", str(suite.python), wanted, *_NEEDS)
    _call(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "clarifai", wanted,
          "--dest", str(suite.folder))  # fmt: skip
    with tarfile.open(suite.folder / f"clarifai-{suite.version}.tar.gz") as archive:
        archive.extractall(suite.folder, filter="data")
    shutil.rmtree(suite.source / "clarifai")  # what is installed is tested
    (suite.folder / ".complete").touch()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=uv_environment(os.environ))
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def outcomes(report: Path) -> Iterator[tuple[str, str]]:
    """Yield each test, as pytest names it, with ``passed``, ``skipped``, ``failure`` or ``error``."""
    for case in Xml.parse(report).getroot().iter("testcase"):
        module, *inside = case.attrib["classname"].removeprefix("tests.").split(".")
        name = "::".join((f"{module}.py", *inside, case.attrib["name"]))
        yield name, next((each.tag for each in case if each.tag in ("skipped", "failure", "error")), "passed")
