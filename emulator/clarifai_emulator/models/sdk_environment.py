"""Provides an interpreter with the SDK that a model names, without its other requirements: to read it with."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.environment_build import EnvironmentOrder, ensure_built, is_complete, python_of
from clarifai_emulator.models.own_sdk import reasons_against_own_sdk, sdk_for_models
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.models.requirements import Line
from clarifai_emulator.models.sdk_needs import SdkNeeds, require_runnable, sdk_is, sdk_needs

# Set to 0, it keeps whoever reads models from installing the SDK that they name.
MAY_INSTALL = "CLARIFAI_EMULATOR_INSTALL"
_OWN = ".".join(str(each) for each in sys.version_info[:2])


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
    is_own = not python_version or python_version.split(".")[:2] == _OWN.split(".")
    order = EnvironmentOrder(
        whose=needs.named,
        source=needs.named,
        python=sys.executable if is_own else python_version,
        version=python_version,
        folder=Path("/"),
        packages=needs.lines,
        needs=needs,
    )
    target = _target(needs, python_version, cache_dir)
    if environ.get(MAY_INSTALL, "1").lower() in ("0", "no", "false", "off") and not is_complete(target):
        raise ModelError(
            f"{needs.named}, which requirements.txt names, is not installed, and {MAY_INSTALL} forbids it.",
            hint=f"Unset {MAY_INSTALL}, or deploy the model once: its environment is used then.",
        )
    # Whoever looks at a model waits for it, with a network or without.
    patient = {"UV_HTTP_RETRIES": "1", **environ}
    said = [f"building a Python environment with {needs.named}, to read the model's methods with"]
    return await ensure_built(order, target, progress, patient, said)


def find_sdk_environment(lines: Sequence[Line], cache_dir: Path, python_version: str = "") -> Path | None:
    """Return the interpreter that was built with this SDK; None where there is none."""
    target = _target(sdk_needs(lines, sdk_for_models()), python_version, cache_dir)
    return python_of(target) if is_complete(target) else None


def _target(needs: SdkNeeds, python_version: str, cache_dir: Path) -> Path:
    python = python_version or _OWN
    parts = [*needs.lines, *needs.added, *needs.replaced, python, sys.platform, platform.machine()]
    return cache_dir / "environments" / f"sdk-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:28]}"
