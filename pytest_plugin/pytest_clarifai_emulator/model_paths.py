"""Finds what a relative path of a test means: beside the test file, else in the working directory.

clarifai.deploy("../models/hello") ─► beside the test file ─► working directory ─► where pytest was started
                                       └ nowhere: the nearest model directory is named
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.spelling import nearest

_CONFIG_FILE = "config.yaml"
# Bounds of a search below a project's root, so that a wrong path costs no time in a large one.
_DEEPEST = 5
_MOST_FOLDERS = 5_000
_PASSED_OVER = ("node_modules", "site-packages", "__pycache__", "venv", "build", "dist")


@dataclass(frozen=True, slots=True)
class TestPaths:
    """The folders of one test: of its file, of the project, and where pytest was started."""

    __test__ = False  # not a class of tests

    beside: Path
    root: Path
    started_in: Path

    def resolved(self, path: str | Path) -> Path:
        """Make the path absolute: where there is something, and beside the test file where there is nothing."""
        given = Path(path).expanduser() if str(path).startswith("~") else Path(path)
        if given.is_absolute():
            return given
        return next((each for each in self._candidates(given) if each.exists()), self.beside / given)

    def model_directory(self, path: str | Path) -> Path:
        """Resolve the path of a model directory. Raises ``ModelError`` that names the nearest one."""
        found = self.resolved(path)
        if not found.exists():
            raise ModelError(self._nothing(path), hint=self._instead(found))
        return found

    def shown(self, path: Path) -> str:
        """Return the path as a test of these folders would write it."""
        return os.path.relpath(path, self.beside)

    def _candidates(self, given: Path) -> Iterator[Path]:
        for folder in dict.fromkeys((self.beside, Path.cwd(), self.started_in)):
            yield folder / given

    def _nothing(self, path: str | Path) -> str:
        if Path(path).is_absolute():
            return f"There is no model directory {path}."
        others = [str(each) for each in dict.fromkeys((Path.cwd(), self.started_in)) if each != self.beside]
        elsewhere = f", nor in {' or '.join(others)}" if others else ""
        return f"There is no model directory '{path}' beside the test file (in {self.beside}){elsewhere}."

    def _instead(self, missing: Path) -> str:
        beside = missing.parent if missing.parent.is_dir() else self.root
        known = list(dict.fromkeys([*model_directories(beside), *model_directories(self.root)]))
        if not known:
            return f"No model directory (config.yaml and 1/model.py) is below {self.root}."
        names = {each.name: self.shown(each) for each in reversed(known)}
        near = nearest(missing.name, names)
        if near:
            return f"Did you mean '{names[near]}'?"
        return f"There are: {_listed([self.shown(each) for each in known])}."


def paths_of(node: pytest.Item | pytest.Collector) -> TestPaths:
    """Return the folders of a test, or of a module or package of tests."""
    folder = node.path if node.path.is_dir() else node.path.parent
    return TestPaths(folder, node.config.rootpath, node.config.invocation_params.dir)


def model_directories(root: Path) -> Iterator[Path]:
    """List model directories below a folder, nearest to it first; not in hidden folders, nor very deep."""
    folders, looked_at = [root], 0
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in folders:
            looked_at += 1
            if looked_at > _MOST_FOLDERS:
                return
            if _is_model_directory(folder):
                yield folder
                continue
            below += _folders_in(folder)
        folders = below


def _is_model_directory(folder: Path) -> bool:
    return (folder / _CONFIG_FILE).is_file() and (folder / "1" / "model.py").is_file()


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not name.startswith(".") and name not in _PASSED_OVER]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
