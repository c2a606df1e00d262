"""Makes Python environments for tests that need packages of other versions, and keeps them from run to run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from uv import find_uv_bin

from clarifai_emulator.models.uv_runs import uv_environment
from docker_engine import CACHE

# What SDKs of these times forgot to ask for, or ask for and the index has taken back.
_FORGOTTEN = {"9.11.0": ("opencv-python==4.7.0.68",)}
_BELOW_12_2 = ("protobuf<7", "requests")
# As environments were made when this was written; another number makes them all anew.
_FORM = "1"
# Said when this is imported: tests change HOME.
_CACHE = CACHE / "environments"


def sdk_requirements(version: str) -> tuple[str, ...]:
    """Return what an environment with this version of the SDK needs to import it; ``newest`` is a version, too."""
    if version == "newest":
        return ("clarifai",)
    is_old = tuple(map(int, version.split("."))) < (12, 2)
    return (f"clarifai=={version}", *_FORGOTTEN.get(version, ()), *(_BELOW_12_2 if is_old else ()))


def cached_environment(
    *requirements: str, python: str = sys.executable, options: Sequence[str] = (), apart: str = ""
) -> Path:
    """Return an interpreter that has what these requirements lead to now. ``options``: of ``uv pip compile``.
    ``apart``: a word that keeps it from those who would share it. One that is there already costs a look at the
    index."""
    pins = _uv(
        "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", python, *options, "-",
        given="\n".join(requirements),
    )  # fmt: skip
    key = hashlib.sha256("\0".join((_FORM, _identity(python), pins, apart)).encode()).hexdigest()[:24]
    folder = _CACHE / key
    interpreter = folder / "bin" / "python"
    with alone(folder):
        if not (folder / ".complete").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--quiet", "--python", python, str(folder))
            _uv("pip", "install", "--quiet", "--no-deps", "--python", str(interpreter), "-r", "-", given=pins)
            (folder / ".complete").touch()
    os.utime(folder / ".complete")  # the last use
    return interpreter


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """Wait until no other process makes or changes this environment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find_python(version: str) -> str | None:
    """Return a Python of this version that is on this machine, or None."""
    command = [find_uv_bin(), "python", "find", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True, env=uv_environment(os.environ))
    return done.stdout.strip() or None


def install(interpreter: Path, *packages: str) -> None:
    """Install packages alone, anew, without what they ask for."""
    _uv("pip", "install", "--quiet", "--no-deps", "--reinstall", "--python", str(interpreter), *packages)


def _identity(python: str) -> str:
    """Return the version of a Python and where it is."""
    program = "import sys; print(sys.version, sys.base_prefix)"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout


def _uv(*command: str, given: str = "") -> str:
    done = subprocess.run(
        [find_uv_bin(), *command], input=given, capture_output=True, text=True, env=uv_environment(os.environ)
    )
    assert done.returncode == 0, f"uv {' '.join(command)} < {given}\n{done.stderr}"
    return done.stdout
