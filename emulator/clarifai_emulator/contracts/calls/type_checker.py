"""Runs the type checker over copies of the client files, and proves by a canary that it ran."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import EmulatorError

_SECONDS = 300
_MOST_ARGUMENTS = 1024 * 1024  # bytes; Linux takes 2 MiB, the environment included
_CANARY = """\
from clarifai.client.model import {made}, {client}
def canary(model: {made}) -> None:
    model.{method}("Hello")
    model.{method}(promt="Hello")
"""


class CheckerError(EmulatorError):
    """The type checker is not there, or did not do its work: nothing can be said of the clients."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the type checker about a place in a copy. ``kind`` is its own name for it."""

    path: str
    start: tuple[int, int]
    end: tuple[int, int]
    kind: str
    text: str
    detail: str


def checker_command() -> Path:
    """Return the type checker's program. Raises ``CheckerError``."""
    beside = Path(sysconfig.get_path("scripts")) / "pyrefly"
    found = str(beside) if beside.is_file() else shutil.which("pyrefly")
    if found is None:
        raise CheckerError(
            "The type checker pyrefly is not installed beside clarifai-emulator: pip install pyrefly"
        )
    return Path(found)


@dataclass(frozen=True, slots=True)
class CheckerRun:
    """A run of the type checker. ``stubs`` holds the types; ``search`` and ``packages`` are where clients import
    from."""

    folder: Path
    stubs: Path
    search: Sequence[Path]
    packages: Sequence[Path]

    def diagnostics(self, files: Sequence[Path]) -> list[Diagnostic]:
        """Run the type checker over these copies and return what it says. Raises ``CheckerError``."""
        config = self.folder / f"{self.stubs.name}.toml"
        config.write_text(self._configuration(), encoding="utf-8")
        canary = self.folder / "clarifai_canary.py"
        canary.write_text(_CANARY.format(made="CanaryModel", client="ModelClient", method="canary"))
        found: list[Diagnostic] = []
        for several in _portions([self._shortest(each) for each in files]):
            said = self._run(config, [*several, canary.name])
            _require_canary([each for each in said if each.path == str(canary)])
            found += (each for each in said if each.path != str(canary))
        return found

    def _shortest(self, path: Path) -> str:
        return str(path.relative_to(self.folder) if path.is_relative_to(self.folder) else path)

    def _configuration(self) -> str:
        search = _toml_list([self.stubs, *self.search])
        packages = _toml_list(self.packages)
        return (
            'preset = "default"\npython-version = "3.11"\nskip-interpreter-query = true\nuse-ignore-files = false\n'
            f"search-path = {search}\nsite-package-path = {packages}\nproject-excludes = []\n"
            'enable-fallback-search-path = true\nenabled-ignores = []\n[errors]\ndeprecated = "error"\n'
        )

    def _run(self, config: Path, files: Sequence[str]) -> list[Diagnostic]:
        command = [
            str(checker_command()), "check", "--config", str(config), "--output-format", "json", "--summary=none",
            "--progress-bar", "no", "--relative-to", "/", *files,
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, cwd=self.folder, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CheckerError(f"The type checker could not be run: {error}") from None
        try:
            real = os.path.realpath(self.folder)
            return [_diagnostic(each, real, self.folder) for each in json.loads(done.stdout)["errors"]]
        except (ValueError, KeyError) as error:
            said = done.stderr.decode(errors="replace").strip()[-2000:] or type(error).__name__
            raise CheckerError(f"The type checker ended with {done.returncode} and no answer: {said}") from None


def _portions(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Divide the files into runs whose command lines the system takes."""
    several: list[str] = []
    size = 0
    for each in names:
        if several and size + len(each.encode()) > _MOST_ARGUMENTS:
            yield several
            several, size = [], 0
        several.append(each)
        size += len(each.encode()) + 9  # its end, and the pointer to it
    yield several


def _toml_list(paths: Sequence[Path]) -> str:
    """Write folders as TOML does, without those whose names are not text: no import can name them."""
    texts = [str(each) for each in paths]
    return json.dumps([each for each in texts if _is_text(each)], ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_text(name: str) -> bool:
    return name.encode(errors="replace").decode() == name


def _diagnostic(row: dict[str, Any], real: str, folder: Path) -> Diagnostic:
    """Read a row of the answer. ``real``: the folder of the copies without links, as the type checker names it."""
    path = Path("/", row["path"])
    return Diagnostic(
        path=str(folder / path.relative_to(real) if path.is_relative_to(real) else path),
        start=(int(row["line"]), int(row["column"])),
        end=(int(row["stop_line"]), int(row["stop_column"])),
        kind=str(row["name"]),
        text=str(row["concise_description"]),
        detail=str(row["description"]),
    )


def _require_canary(found: Sequence[Diagnostic]) -> None:
    """Require that the checker has seen both calls of the canary, a right and a wrong one: else it checked
    nothing."""
    lines = {(each.kind, each.start[0]) for each in found}
    for expected in (("deprecated", 3), ("deprecated", 4), ("unexpected-keyword", 4)):
        if expected not in lines:
            raise CheckerError(
                f"The type checker did not report the canary ({expected[0]} in line {expected[1]}): it cannot be "
                "trusted to have checked anything. Is another version of pyrefly installed?"
            )
