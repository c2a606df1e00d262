"""Reads ``[tool.clarifai-emulator]`` of pyproject.toml: the project's models and clients, and severities of rules.

[tool.clarifai-emulator]
models = ["models/greeter", "models/ranker=me/main/models/ranker"]
clients = ["app", "notebooks"]
rules = { large-integer = "error" }
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from clarifai_emulator.errors import ConfigError
from clarifai_emulator.spelling import did_you_mean

_KEYS = ("clients", "models", "rules")
_TABLE = "[tool.clarifai-emulator]"


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The settings of a project. ``models``: model directories, each alone or as ``DIR=ADDRESS``; ``clients``:
    files and folders; both as paths from the current folder. ``levels``: severities as ``rule=level``. ``file``:
    where they stand, None where there is no pyproject.toml."""

    models: tuple[str, ...] = ()
    clients: tuple[Path, ...] = ()
    levels: tuple[str, ...] = ()
    file: Path | None = None


def split_model(text: str, folder: Path = Path()) -> tuple[str, str]:
    """Return the directory and the address of a model that is given as ``DIR`` or ``DIR=ADDRESS``; the address is
    empty where none is given. ``folder``: what the directory is relative to."""
    # A directory, or a notebook, may have "=" in its name; an address has none.
    directory, _, address = (text, "", "") if (folder / text).exists() else text.rpartition("=")
    return (directory, address) if directory else (address, "")


def project_settings(start: Path) -> ProjectSettings:
    """Read the settings in the nearest pyproject.toml, of ``start`` or a folder above it. Raises ``ConfigError``
    with every problem found."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            return _read(file, start)
    return ProjectSettings()


def _read(file: Path, start: Path) -> ProjectSettings:
    try:
        content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read:", [str(error)]) from None
    tool = content.get("tool", {})
    table: Any = cast("dict[str, Any]", tool).get("clarifai-emulator", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: tool.clarifai-emulator must be a table.", [])
    return _Reader(cast("dict[str, Any]", table), file, start).settings()


@dataclass
class _Reader:
    """A table that is read, and what is wrong with it."""

    table: Mapping[str, Any]
    file: Path
    start: Path
    problems: list[str] = field(default_factory=list[str])

    def settings(self) -> ProjectSettings:
        unknown = [each for each in self.table if each not in _KEYS]
        self.problems += [f"Unknown key '{key}'.{did_you_mean(key, _KEYS, lead=' ')}" for key in unknown]
        found = ProjectSettings(
            models=tuple(self._model(each) for each in self._texts("models")),
            clients=tuple(self._path(each) for each in self._texts("clients")),
            levels=tuple(self._levels()),
            file=self.file,
        )
        if self.problems:
            hint = f"Known are {', '.join(_KEYS)}; settings of the pytest plugin are pytest's own (clarifai_…)."
            raise ConfigError(f"{self.file}: {_TABLE} cannot be used:", self.problems, hint=hint)
        return found

    def _texts(self, key: str) -> list[str]:
        value: Any = self.table.get(key, [])
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in values):
            wrong = next((each for each in values if not isinstance(each, str) or not each), value)
            self.problems.append(f"'{key}' must be a list of texts, as {key} = [\"{key}\"]; got {wrong!r}.")
            return []
        return values

    def _levels(self) -> list[str]:
        rules: Any = self.table.get("rules", {})
        if not isinstance(rules, dict):
            self.problems.append(f"'rules' must be a table of severities by rule; got {rules!r}.")
            return []
        return [f"{name}={level}" for name, level in cast("dict[str, Any]", rules).items()]

    def _model(self, text: str) -> str:
        directory, address = split_model(text, self.file.parent)
        return f"{self._path(directory)}={address}" if address else str(self._path(directory))

    def _path(self, text: str) -> Path:
        """Return the path from the current folder: what is written is relative to pyproject.toml."""
        path = self.file.parent / Path(text).expanduser()
        return path.relative_to(self.start) if path.is_relative_to(self.start) else path
