"""Runs pytest in pytest: test files of an imagined client project, run once per module, looked at by many tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest

MODELS = Path(__file__).parents[2] / "fixtures" / "models"
# schemathesis is a tool of this project alone: loading it took every nested process as long as all else.
_ARGS = ("-v", "-p", "no:cacheprovider", "-p", "no:schemathesis", "--timeout=90")
_OUTCOMES = ("PASSED", "XFAIL", "SKIPPED", "FAILED", "ERROR")  # the worst last
_INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"


# Options of a nested run whose emulator is its own, or that of all workers.
SCOPES = {"own": (), "shared": ("-n", "1", "--clarifai-scope", "shared")}


@dataclass(frozen=True)
class Run:
    """A finished nested run. ``text`` is what it printed; ``folder`` where it ran."""

    code: int
    text: str
    folder: Path

    def outcome(self, name: str) -> str:
        """Return the worst that ``-v`` shows of the test of this name, with any parameters: PASSED, FAILED, and so
        on."""
        test = rf"\S*::{re.escape(name)}(?:\[.*?\])?"
        words = "|".join(_OUTCOMES)
        found = re.findall(rf"^{test} ({words})\b", self.text, re.M)
        found += re.findall(rf"^\[gw\d+\] \[ *\d+%\] ({words}) {test} *$", self.text, re.M)
        assert found, f"{name} did not run:\n{self.text}"
        return max(found, key=_OUTCOMES.index)

    def failure(self, name: str) -> str:
        """Return what the run says of a failed test: its own block among the failures and errors."""
        start = re.search(rf"^_+ (?:ERROR at \w+ of )?{re.escape(name)} _+$", self.text, re.M)
        assert start, f"{name} has not failed:\n{self.text}"
        rest = self.text[start.end() :]
        end = re.search(r"^(_{3,} .* _{3,}|={3,} .* ={3,})$", rest, re.M)
        return rest[: end.start()] if end else rest


Nested = Callable[..., Run]


@pytest.fixture(scope="module")
def nested(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run test files in a fresh pytest process: ``nested({"test_a.py": "…"}, "-n", "4")``. ``{models}`` in a text
    is the folder with the sample models."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):  # pytest shortens nothing where it sees CI
            patch.delenv(name, raising=False)
        for name in ("CLARIFAI_API_BASE", "CLARIFAI_PAT", "CLARIFAI_USER_ID", "CLARIFAI_EMULATOR_PYTEST"):
            patch.delenv(name, raising=False)
        stand_in: Any = SimpleNamespace(
            function=None, node=request.node, config=request.config, addfinalizer=request.addfinalizer
        )
        pytester = pytest.Pytester(stand_in, tmp_path_factory, patch, _ispytest=True)
        count = 0

        def run(files: dict[str, str], *args: str, ini: str = "", into: Path | None = None) -> Run:
            nonlocal count
            count += 1
            folder = into or pytester.path / f"project{count}"
            folder.mkdir(exist_ok=True)
            for name, text in {"pytest.ini": _INI + dedent(ini), **files}.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(dedent(text).replace("{models}", str(MODELS)))
            patch.chdir(folder)
            result = pytester.runpytest_subprocess(*_ARGS, *args, timeout=280)
            return Run(int(result.ret), result.stdout.str() + result.stderr.str(), folder)

        yield run
