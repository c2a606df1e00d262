"""Runs the type checker over copies of the client files, and proves by a canary that it ran."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.errors import EmulatorError

_SECONDS = 300
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
        config.write_text(self._configuration())
        canary = self.folder / "clarifai_canary.py"
        canary.write_text(_CANARY.format(made="CanaryModel", client="ModelClient", method="canary"))
        found = self._run(config, [*files, canary])
        _require_canary([each for each in found if each.path == str(canary)])
        return [each for each in found if each.path != str(canary)]

    def _configuration(self) -> str:
        search = json.dumps([str(each) for each in (self.stubs, *self.search)])
        packages = json.dumps([str(each) for each in self.packages])
        return (
            'preset = "default"\npython-version = "3.11"\nskip-interpreter-query = true\nuse-ignore-files = false\n'
            f"search-path = {search}\nsite-package-path = {packages}\nproject-excludes = []\n"
            'enable-fallback-search-path = true\nenabled-ignores = []\n[errors]\ndeprecated = "error"\n'
        )

    def _run(self, config: Path, files: Sequence[Path]) -> list[Diagnostic]:
        command = [
            str(checker_command()), "check", "--config", str(config), "--output-format", "json", "--summary=none",
            "--progress-bar", "no", "--relative-to", "/", *map(str, files),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, cwd=self.folder, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CheckerError(f"The type checker could not be run: {error}") from None
        try:
            return [_diagnostic(each) for each in json.loads(done.stdout)["errors"]]
        except (ValueError, KeyError) as error:
            said = done.stderr.decode(errors="replace").strip()[-2000:] or type(error).__name__
            raise CheckerError(f"The type checker ended with {done.returncode} and no answer: {said}") from None


def _diagnostic(row: dict[str, Any]) -> Diagnostic:
    return Diagnostic(
        path=str(Path("/", row["path"])),
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
