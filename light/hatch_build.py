"""Puts the package of the light distribution together when hatchling builds it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "clarifai_emulator_check"


class LightBuildHook(BuildHookInterface[Any]):
    """Adds the package: written from the sources of the emulator, or as the source distribution has it."""

    _folder = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the package to what is built. ``version``: that of the build, such as ``standard``."""
        root = Path(self.root)
        if (root / PACKAGE).is_dir():
            return
        sys.path.insert(0, str(root))
        from light_package import write_package

        self._folder = tempfile.mkdtemp(prefix="clarifai-emulator-check-")
        build_data["force_include"][str(write_package(root.parent, Path(self._folder)))] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written for it."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
