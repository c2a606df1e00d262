"""A model whose requirements are not installed here is read in the environment that a deployment built for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.contracts.calls.call_targets import GivenModel
from clarifai_emulator.contracts.calls.given_models import read_models
from clarifai_emulator.contracts.signatures.read_signatures import read_signatures
from clarifai_emulator.models import environment_build
from clarifai_emulator.models.directory import read_model_directory
from clarifai_emulator.models.environment import find_environment, prepare_environment
from written_models import HEAD, write


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model whose default comes out of a package that is not installed here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code = "@ModelClass.method\ndef predict(self, a: str = absent_words.GREETING) -> str: ...\n"
    return write(
        tmp_path / "own", code, head="import absent_words\n" + HEAD, requirements="clarifai==12.5.0\nabsent-words\n"
    )


def build(model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Build the environment as a deployment does; what uv would install is put there by hand."""

    async def uv(command: list[str], *_: object) -> tuple[int, list[str]]:
        if command[0] == "venv":
            await asyncio.to_thread(make_environment, Path(command[-1]))
        return 0, []

    monkeypatch.setattr(environment_build, "run_uv", uv)
    return asyncio.run(prepare_environment(read_model_directory(model), default_cache_dir(), lambda line: None))


def make_environment(target: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", target], check=True)
    [packages] = target.glob("lib/python*/site-packages")
    (packages / "here.pth").write_text(sysconfig.get_path("purelib"))
    (packages / "absent_words.py").write_text("GREETING = 'Good morning'\n")


def test_it_is_stood_in_for_before_and_exact_once_the_environment_is_there(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_signatures(model)
    assert before.way == "stubbed"
    assert [each.rule for each in before.findings] == ["unknown-default", "stubbed-module"]
    assert find_environment(model, default_cache_dir()) is None

    python = build(model, monkeypatch)

    assert find_environment(model, default_cache_dir()) == python
    after = read_signatures(model)
    assert (after.way, after.findings) == ("import", ())
    assert after.methods[0].signature.input_fields[0].default == "Good morning"


def test_what_was_kept_with_stand_ins_is_read_again_then(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given, cache = [GivenModel(model)], tmp_path / "kept"
    assert [read_models(given, cache)[0].way for _ in range(2)] == ["stubbed", "stubbed"]

    build(model, monkeypatch)

    assert [read_models(given, cache)[0].way for _ in range(2)] == ["import", "import"]


def test_other_requirements_are_another_environment(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(model, monkeypatch)
    (model / "requirements.txt").write_text("clarifai==12.5.0\nabsent-words>=2\n")

    assert find_environment(model, default_cache_dir()) is None
    assert read_signatures(model).way == "stubbed"


def test_a_directory_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert find_environment(tmp_path, tmp_path / "cache") is None
