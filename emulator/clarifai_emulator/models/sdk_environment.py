"""Provides an interpreter with the SDK that a model names, without its other requirements: to read it with."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from clarifai_emulator.models.environment_build import EnvironmentOrder, ensure_built
from clarifai_emulator.models.own_sdk import reasons_against_own_sdk, sdk_for_models
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import Line
from clarifai_emulator.models.sdk_needs import require_runnable, sdk_is, sdk_needs


def installed_sdk() -> str:
    """Return the version of the SDK beside the emulator; empty where there is none."""
    try:
        return metadata.version("clarifai")
    except metadata.PackageNotFoundError:
        return ""


def is_own_sdk(lines: Sequence[Line]) -> bool:
    """Tell whether the SDK beside the emulator is the one that a model with these requirements runs with."""
    return sdk_is(installed_sdk(), lines) and not reasons_against_own_sdk(lines)


async def prepare_sdk_environment(
    lines: Sequence[Line],
    python_version: str,
    cache_dir: Path,
    progress: Progress,
    *,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Return an interpreter with the SDK that these requirements lead to; built once, in seconds. Raises
    ``ModelError`` where it cannot be had, or could not run a model."""
    needs = sdk_needs(lines, sdk_for_models())
    require_runnable(needs)
    own = ".".join(str(each) for each in sys.version_info[:2])
    is_own = not python_version or python_version.split(".")[:2] == own.split(".")
    parts = [*needs.lines, *needs.added, *needs.replaced, python_version or own, sys.platform, platform.machine()]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    order = EnvironmentOrder(
        whose=needs.named,
        source=needs.named,
        python=sys.executable if is_own else python_version,
        version=python_version,
        folder=Path("/"),
        packages=needs.lines,
        needs=needs,
    )
    # Whoever looks at a model waits for it, with a network or without.
    patient = {"UV_HTTP_RETRIES": "1", **environ}
    said = [f"building a Python environment with {needs.named}, to read the model's methods with"]
    return await ensure_built(order, cache_dir / "environments" / f"sdk-{digest[:28]}", progress, patient, said)
