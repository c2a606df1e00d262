"""Provides the Python environment a model runs in: the current one if it fits, else one built with uv and kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.directory import ModelDirectory, read_model_directory
from clarifai_emulator.models.environment_build import EnvironmentOrder, ensure_built, is_complete, python_of
from clarifai_emulator.models.image_content import MODEL_FILES
from clarifai_emulator.models.own_sdk import reasons_against_own_sdk, sdk_for_models
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import (
    Line,
    UnreadableRequirements,
    names_clarifai,
    read_lines,
    unsatisfied_lines,
    unsatisfied_requirements,
)
from clarifai_emulator.models.sdk_needs import SdkNeeds, require_runnable, sdk_needs

# FastMCP(…, stateless_http=True), as the SDK's own template has it, is refused by 3.0 and later.
STATELESS_FASTMCP = "fastmcp<3"
_STATELESS = re.compile(r"FastMCP\([^)]*\bstateless_http\s*=")


async def prepare_environment(
    directory: ModelDirectory,
    cache_dir: Path,
    progress: Progress,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Prepare the interpreter that runs this model: builds an environment under ``cache_dir/environments`` if
    needed.

    ``progress`` gets one line at a time, in words for a person. ``environ`` is what uv sees (proxies, index
    settings). Raises ``ModelError`` with uv's last lines when the environment cannot be built.
    """
    reasons = reasons_to_build(directory)
    if not reasons:
        return Path(sys.executable)
    lines = _lines(directory)
    needs = needs_of(lines)
    require_runnable(needs)
    limits = code_pins(lines, directory.path)
    sdk = () if names_clarifai(lines) else needs.lines
    order = EnvironmentOrder(
        whose=directory.model_id,
        source=str(directory.requirements_file),
        python=_wanted_python(directory),
        version=directory.python_version,
        folder=directory.path,
        packages=("-r", str(directory.requirements_file), *sdk, *limits),
        needs=needs,
    )
    said = [f"building a Python environment for {directory.model_id}: {'; '.join(reasons)}"]
    if limits:
        said.append(
            f"warning: {STATELESS_FASTMCP} is installed: model.py gives FastMCP() the argument stateless_http, "
            "which later ones refuse. The platform installs the newest: pin it in requirements.txt."
        )
    return await ensure_built(order, _target(directory, lines, cache_dir), progress, environ, said)


def find_environment(path: Path, cache_dir: Path) -> Path | None:
    """Return the interpreter that was built for this model directory as it is now; None where there is none."""
    try:
        directory = read_model_directory(path)
        target = _target(directory, _lines(directory), cache_dir)
    except ModelError:
        return None
    return python_of(target) if is_complete(target) else None


def own_interpreter(directory: ModelDirectory) -> Path:
    """Return the emulator's own interpreter, for a model that runs in its process. Raises ``ModelError``."""
    reasons = reasons_to_build(directory)
    if reasons:
        raise ModelError(
            f"{directory.model_id} cannot run in the emulator's own process: {'; '.join(reasons)}.",
            hint="Install what it needs beside the emulator, or use the process backend: it builds environments.",
        )
    return Path(sys.executable)


def reasons_to_build(directory: ModelDirectory) -> list[str]:
    """Say why the current interpreter cannot run this model, one sentence each; empty when it can."""
    reasons = unsatisfied_requirements(directory.requirements_file)
    with contextlib.suppress(UnreadableRequirements):
        lines = list(read_lines(directory.requirements_file))
        reasons += unsatisfied_lines([Line(pin) for pin in code_pins(lines, directory.path)])
        reasons += reasons_against_own_sdk(lines)
    if not _is_current(directory.python_version):
        reasons.insert(0, f"Python {directory.python_version} is required, this is {platform.python_version()}")
    return list(dict.fromkeys(reasons))


def describe_environment(python: Path) -> str:
    """Describe the environment of an interpreter, for people."""
    if python == Path(sys.executable):
        return f"the emulator's own Python {platform.python_version()}"
    return f"built with uv for its requirements.txt: {python.parent.parent}"


def needs_of(lines: list[Line]) -> SdkNeeds:
    """Return the needs of the SDK that these requirements lead to; where they name none, of the one for those."""
    return sdk_needs(lines, sdk_for_models())


def added_requirements(lines: list[Line], path: Path) -> list[str]:
    """Return what is installed besides the requirements of a model: the SDK in our version where they name none,
    what it needs, and limits that the code of the model directory ``path`` is known to need."""
    needs = needs_of(lines)
    sdk = () if names_clarifai(lines) else needs.lines
    return [*sdk, *needs.added, *code_pins(lines, path)]


def code_pins(lines: list[Line], path: Path) -> list[str]:
    """Limits on packages that the requirements leave open and that the model's code cannot be run without."""
    if not any(line.text.lower() == "fastmcp" for line in lines):
        return []
    files = (path / name for name in MODEL_FILES)
    with contextlib.suppress(OSError, ValueError):
        if any(_STATELESS.search(file.read_text(encoding="utf-8")) for file in files if file.is_file()):
            return [STATELESS_FASTMCP]
    return []


def _lines(directory: ModelDirectory) -> list[Line]:
    try:
        return list(read_lines(directory.requirements_file))
    except UnreadableRequirements as error:
        raise ModelError(
            f"The requirements of {directory.path} cannot be read: {error}.",
            hint="Mend the file as the message says, and deploy again.",
        ) from error


def _is_current(python_version: str) -> bool:
    return not python_version or python_version.split(".")[:2] == [str(n) for n in sys.version_info[:2]]


def _wanted_python(directory: ModelDirectory) -> str:
    """Return the current interpreter where it fits: it needs no network."""
    return sys.executable if _is_current(directory.python_version) else directory.python_version


def _target(directory: ModelDirectory, lines: list[Line], cache_dir: Path) -> Path:
    """Return the folder of its environment, by everything that decides what is in it."""
    needs = needs_of(lines)
    parts = [f"{line.constraint} {line.text}" for line in lines]
    if any(line.is_direct for line in lines):
        # A requirement may be a folder of the model directory: then its code counts.
        parts.append(directory.content_hash)
    python = directory.python_version or ".".join(str(n) for n in sys.version_info[:2])
    parts += [*added_requirements(lines, directory.path), *needs.replaced, str(needs.is_of_another_time)]
    parts += [*directory.requirements, python, sys.platform, platform.machine(), sys.implementation.name]
    return cache_dir / "environments" / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
