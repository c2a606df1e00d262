"""Keeps what importing a model said, by the contents of its directory, so that it is not run again unchanged."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.models.directory import content_hash
from clarifai_emulator.models.environment import find_environment
from clarifai_emulator.models.sdk_environment import installed_sdk

_VERSION = "2"


class Answers:
    """A folder of answers. ``None`` for a folder keeps nothing."""

    def __init__(self, cache_dir: Path | None) -> None:
        self._folder = cache_dir / "signatures" if cache_dir is not None else None
        self._environment = "\0".join((_VERSION, sys.version, installed_sdk()))

    def get(self, directory: Path, python: Path) -> dict[str, Any] | None:
        """Return the answer for the directory as it is now, read by this interpreter."""
        if self._folder is None:
            return None
        try:
            answer = json.loads((self._folder / self._key(directory, python)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return None if answer["stubs"] and is_there_now(answer["stubs"], directory) else answer

    def put(self, directory: Path, python: Path, answer: dict[str, Any]) -> None:
        """Keep an answer, if it depends on the directory and the SDK alone."""
        if self._folder is None or not is_own(answer, directory):
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False, encoding="utf-8") as file:
                json.dump(answer, file)
            os.replace(file.name, self._folder / self._key(directory, python))

    def _key(self, directory: Path, python: Path) -> str:
        told = f"{self._environment}\0{python}\0{directory}\0{content_hash(directory)}"
        return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest() + ".json"


def is_there_now(stubbed: Iterable[str], directory: Path) -> bool:
    """Tell whether a stubbed module can be imported by now: here, or in an environment of the model's own."""
    return any(map(_is_installed, stubbed)) or find_environment(directory, default_cache_dir()) is not None


def is_own(answer: Mapping[str, Any], directory: Path) -> bool:
    """Tell whether the model was read, and came out of the directory, the SDK and installed packages alone."""
    if "error" in answer or "mocked" in answer:
        return False
    roots = (str(directory) + os.sep, _sdk_folder())
    return all(str(file).startswith(roots) for file in answer.get("files", ("elsewhere",)))


def _sdk_folder() -> str:
    spec = importlib.util.find_spec("clarifai")
    return str(Path(spec.origin).parent) + os.sep if spec is not None and spec.origin else "\0"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
