"""Typed clients: what editors and type checkers make of the files that `stubs` writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.stubs.stub_files import write_stubs

FIXTURES = Path(__file__).parents[4] / "fixtures" / "models"
BIN = Path(sysconfig.get_path("scripts"))
RIGHT = """\
from typing import Any

from clarifai.client import Model, User

model = Model(url="https://clarifai.com/me/demo/models/hello")
text: str = model.predict("x", n=2)
answer, response = model.predict(prompt="x", with_proto=True)
answer.upper()
for chunk in model.generate(prompt="x"):
    chunk.upper()
texts: list[str] = model.predict([{"prompt": "a"}])
types = Model(model_id="types", user_id="me", app_id="demo")
count: int = types.echo_named_fields({"name": "a", "count": 1}).count
types.echo_params("x", temperature=0.5, style="plain")
model.list_versions()
user: Any = User(user_id="me")


async def main() -> str:
    return await (await model.async_predict(prompt="x"))


def helper(anyone: Model) -> Any:
    return anyone.predict("x")


helper(model)
Model(url="https://clarifai.com/x/y/models/z").predict("whatever", k=1)
"""
WRONG = [
    'model.predict(promt="x")',
    'model.predict("x", n="y")',
    'model.predct("x")',
    'number: int = model.predict("x")',
    'types.generate("x")',
    'for chunk in model.generate("x"): chunk + 1',
]
HEAD = "\n".join(RIGHT.splitlines()[2:5]) + '\ntypes = Model(model_id="types", user_id="me", app_id="demo")\n'
Lines = Callable[[Path], set[int]]


def run(folder: Path, *command: str) -> str:
    environ = {**os.environ, "MYPYPATH": "typings"}
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def by_basedpyright(file: Path) -> set[int]:
    (file.parent / "pyrightconfig.json").write_text(
        json.dumps({"typeCheckingMode": "standard", "pythonVersion": "3.11"})
    )
    said = run(file.parent, str(BIN / "basedpyright"), "--pythonpath", sys.executable, "--outputjson", file.name)
    rows = json.loads(said)["generalDiagnostics"]
    return {row["range"]["start"]["line"] + 1 for row in rows if row["severity"] == "error"}


def by_mypy(file: Path) -> set[int]:
    # Without types of its own the rest of the SDK is unknown to mypy, with the stubs and without.
    said = run(
        file.parent, str(BIN / "mypy"), "--disable-error-code=import-untyped", "--cache-dir=cache", file.name
    )
    rows = [line.split(":", 2) for line in said.splitlines() if ": error:" in line]
    return {int(line) if name == file.name else 0 for name, line, _ in rows}


def by_pyrefly(file: Path) -> set[int]:
    options = ["--search-path", "typings", "--python-interpreter-path", sys.executable, "--output-format", "json"]
    said = run(file.parent, str(BIN / "pyrefly"), "check", *options, file.name)
    return {row["line"] for row in json.loads(said)["errors"] if row["severity"] == "error"}


CHECKERS = pytest.mark.parametrize("lines_of", [by_basedpyright, by_mypy, by_pyrefly])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stubs")
    written = write_stubs([GivenModel(FIXTURES / name) for name in ("hello", "types")], folder / "typings")
    assert dict(written.classes) == {
        "https://clarifai.com/me/demo/models/hello": "Hello",
        "https://clarifai.com/me/demo/models/types": "Types",
    }
    return folder


@CHECKERS
def test_correct_calls_are_accepted(folder: Path, lines_of: Lines):
    file = folder / "right.py"
    file.write_text(RIGHT)

    assert lines_of(file) == set()


@CHECKERS
def test_wrong_calls_are_found(folder: Path, lines_of: Lines):
    file = folder / "wrong.py"
    file.write_text(HEAD + "\n".join(WRONG) + "\n")
    first = HEAD.count("\n") + 1

    assert lines_of(file) == set(range(first, first + len(WRONG)))


@CHECKERS
def test_the_stubs_themselves_are_accepted(folder: Path, lines_of: Lines):
    file = folder / "all.py"
    file.write_text(
        "from clarifai.client import *\nfrom clarifai.client.model import Hello, Model, ModelClient, Types\n"
    )

    assert lines_of(file) == set()


def test_editors_see_the_description_of_a_method(folder: Path):
    text = (folder / "typings/clarifai/client/model.pyi").read_text()

    assert '"""One input, one output: greets `prompt`, with `n` exclamation marks."""' in text


def test_a_model_that_cannot_be_read_is_named_and_the_others_are_written(tmp_path: Path):
    written = write_stubs([GivenModel(FIXTURES / name) for name in ("crash_import", "hello")], tmp_path)

    assert list(written.classes.values()) == ["Hello"]
    ((name, reason),) = written.unreadable
    assert name == "crash_import"
    assert reason
