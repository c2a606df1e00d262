"""Builds a Python environment in the cache with uv, once for all processes that want it, and keeps it.

lock ─► venv ─► the day of the SDK's release, where packages of today do not fit it ─► packages
     ─► what takes the place of packages that this Python cannot import ─► marked as complete
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import re
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import applies
from clarifai_emulator.models.sdk_needs import SdkNeeds
from clarifai_emulator.models.uv_runs import run_uv, uv_environment, uv_failure

_COMPLETE = ".complete"
_LOCK_POLL_SECONDS = 0.2
_RELEASED = re.compile(r"upload-time = (?P<day>\d{4}-\d{2}-\d{2})T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentOrder:
    """An environment to build. ``whose``: what it is for, in messages; ``source``: what asks for its packages.
    ``python``: an interpreter or a version; ``version``: the one that was asked for, or empty. ``folder``: where
    relative paths begin. ``packages``: arguments of ``uv pip install``."""

    whose: str
    source: str
    python: str
    version: str
    folder: Path
    packages: tuple[str, ...]
    needs: SdkNeeds


def python_of(target: Path) -> Path:
    """Return the interpreter of an environment."""
    return target / "bin" / "python"


def is_complete(target: Path) -> bool:
    """Tell whether an environment was built to its end."""
    return (target / _COMPLETE).is_file() and python_of(target).exists()


async def ensure_built(
    order: EnvironmentOrder, target: Path, progress: Progress, environ: Mapping[str, str], said: Sequence[str]
) -> Path:
    """Build an environment where there is none yet; return its interpreter. Raises ``ModelError``. ``said``: the
    lines that are told first, where something is built."""
    if not is_complete(target):
        async with _only_builder(target, progress):
            if not is_complete(target):
                for line in said:
                    progress(line)
                await _build(order, target, progress, uv_environment(environ))
    return python_of(target)


@contextlib.asynccontextmanager
async def _only_builder(target: Path, progress: Progress) -> AsyncGenerator[None]:
    """Wait until no other process builds this environment. The kernel frees the lock of a killed one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress("waiting for another process that builds the same Python environment")
                    told = True
                await asyncio.sleep(_LOCK_POLL_SECONDS)
        yield


async def _build(order: EnvironmentOrder, target: Path, progress: Progress, environ: dict[str, str]) -> None:
    """Build in place, because an environment cannot be moved; the marker file makes it usable, and comes last."""
    await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
    needs, into = order.needs, ("--python", str(python_of(target)))
    code, output = await run_uv(["venv", "--python", order.python, str(target)], order.folder, progress, environ)
    if code == 0:
        if needs.pins:
            pins = " and ".join(needs.pins)
            progress(f"added to the requirements: {pins}, which {needs.named} needs and does not name")
        install = ("pip", "install", *into, *order.packages, *needs.added)
        code, output = await _install(install, order, target, progress, environ)
    replaced = [each for each in needs.replaced if order.python != sys.executable or applies(Requirement(each))]
    if code == 0 and replaced:
        replace = ("pip", "install", *into, "--no-deps", *replaced)
        code, output = await run_uv(replace, order.folder, progress, environ)
    if code != 0:
        await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        note = f"{' and '.join(needs.pins)} was added, which {needs.named} cannot do without." if needs.pins else ""
        raise uv_failure(order.source, order.version, output, note)
    (target / _COMPLETE).touch()
    progress(f"the Python environment for {order.whose} is ready: {target}")


async def _install(
    install: tuple[str, ...], order: EnvironmentOrder, target: Path, progress: Progress, environ: dict[str, str]
) -> tuple[int, list[str]]:
    """Install packages: of the day of the SDK's release where those of today do not fit it, and the index says when
    each was released; an image of that time had none that were newer."""
    day = await _release_day(order, target, environ) if order.needs.is_of_another_time else ""
    if day:
        progress(f"packages are those of {day}, when {order.needs.named} was released: newer ones are left out")
        # Ready-made ones: what is older than this Python would be compiled for many minutes, or not at all.
        dated = [*install, "--exclude-newer", day, "--no-build"]
        code, output = await run_uv(dated, order.folder, progress, environ)
        if code == 0:
            return code, output
        progress(f"warning: no ready-made packages of {day} fit all requirements: the newest are taken")
    return await run_uv(install, order.folder, progress, environ)


async def _release_day(order: EnvironmentOrder, target: Path, environ: Mapping[str, str]) -> str:
    """Ask the index on which day the SDK was released; empty where it does not say, or the user has set another."""
    if environ.get("UV_EXCLUDE_NEWER"):
        return ""
    wanted = target / "sdk.in"
    wanted.write_text("\n".join(order.needs.lines) + "\n", encoding="utf-8")
    ask = ("pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "--python", str(python_of(target)))
    code, output = await run_uv([*ask, str(wanted)], order.folder, lambda line: None, environ)
    days = [match["day"] for line in output for match in _RELEASED.finditer(line)]
    return max(days) if code == 0 and days else ""
