"""Makes Python environments for tests that need packages of other versions, and keeps them from run to run.

One that was not used for two weeks is removed, and so is one in whose place another was made: of the same name, or
of the same requirements when the index has newer packages for them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from uv import find_uv_bin

from clarifai_emulator.models.uv_runs import uv_environment
from docker_engine import CACHE

# What SDKs of these times forgot to ask for, or ask for and the index has taken back.
_FORGOTTEN = {"9.11.0": ("opencv-python==4.7.0.68",)}
_BELOW_12_2 = ("protobuf<7", "requests")
# As environments were made when this was written; another number makes them all anew.
_FORM = "2"
# Said when this is imported: tests change HOME.
FOLDER = CACHE / "environments"
_DAY = 24 * 60 * 60
_UNUSED_SECONDS = 14 * _DAY
# Another run may still be using what was replaced.
_REPLACED_SECONDS = _DAY / 4
_COMPLETE = ".complete"


def sdk_requirements(version: str) -> tuple[str, ...]:
    """Return what an environment with this version of the SDK needs to import it; ``newest`` is a version, too."""
    if version == "newest":
        return ("clarifai",)
    is_old = tuple(map(int, version.split("."))) < (12, 2)
    return (f"clarifai=={version}", *_FORGOTTEN.get(version, ()), *(_BELOW_12_2 if is_old else ()))


def cached_environment(
    *requirements: str,
    python: str = sys.executable,
    options: Sequence[str] = (),
    name: str = "",
    as_made: bool = False,
) -> Path:
    """Return an interpreter that has what these requirements lead to now, which costs a look at the index.
    ``as_made``: what they led to when it was made. ``options``: of ``uv pip compile``. ``name``: what is made of
    other requirements for the same name takes its place; another name keeps it from those who would share it.
    """
    asked = _digest(_identity(python), *requirements, *options)
    name = name or asked

    def pins() -> str:
        given = "\n".join(requirements)
        quiet = ("--quiet", "--no-header", "--no-annotate")
        return _uv("pip", "compile", *quiet, "--python", python, *options, "-", given=given)

    lines = "" if as_made else pins()

    def make(folder: Path) -> None:
        interpreter = str(folder / "bin" / "python")
        _uv("venv", "--quiet", "--python", python, str(folder))
        _uv("pip", "install", "--quiet", "--no-deps", "--python", interpreter, "-r", "-", given=lines or pins())

    made_of = asked if as_made else _digest(_identity(python), lines)
    return kept_folder(name, made_of, make) / "bin" / "python"


def kept_folder(name: str, made_of: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of this name, made by ``make`` where it is missing or was broken off. ``made_of``: a word for
    what it is made of; what the same name was made of before is removed."""
    folder = FOLDER / f"{name}={made_of}"
    with alone(folder):
        if not (folder / _COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            (folder / _COMPLETE).touch()
        os.utime(folder / _COMPLETE)  # the last use
    prune(FOLDER, time.time(), replaced_by=folder)
    return folder


def prune(cache: Path, now: float, replaced_by: Path | None = None) -> None:
    """Remove the folders that nobody has used for two weeks, and for some hours those in whose place
    ``replaced_by`` stands. ``now``: seconds since the epoch."""
    name = replaced_by.name.rpartition("=")[0] if replaced_by is not None else None
    for folder in [each for each in cache.iterdir() if each.is_dir() and each != replaced_by]:
        seconds = _REPLACED_SECONDS if folder.name.rpartition("=")[0] == name else _UNUSED_SECONDS
        complete = folder / _COMPLETE
        with contextlib.suppress(FileNotFoundError):  # another run may be faster
            if (complete if complete.exists() else folder).stat().st_mtime + seconds < now:
                with alone(folder):
                    shutil.rmtree(folder)
                    folder.with_name(f"{folder.name}.lock").unlink()


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join((_FORM, *words)).encode()).hexdigest()[:20]


@contextlib.contextmanager
def alone(folder: Path) -> Generator[None]:
    """Wait until no other process makes or changes this environment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
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
