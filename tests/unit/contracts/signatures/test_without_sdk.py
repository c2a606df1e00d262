"""Tests how models are read where no SDK is installed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures import read_signatures as reading
from clarifai_emulator.contracts.signatures import static_sdk, without_sdk
from clarifai_emulator.contracts.signatures.imported import Reading
from clarifai_emulator.contracts.stubs import sdk_surface

MODELS = Path(__file__).parents[4] / "fixtures" / "models"


def _environment_of(*built: Path) -> Callable[[Path, Path], Path | None]:
    """Return a look-up of environments that finds one for each of these directories."""

    def find(path: Path, cache_dir: Path) -> Path | None:
        return cache_dir / "python" if path in built else None

    return find


@pytest.fixture(autouse=True)
def _no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "installed_sdk", lambda: "")
    monkeypatch.setattr(sdk_surface, "sdk_folder", lambda: None)
    monkeypatch.setattr(static_sdk, "installed_sdk", lambda: "")
    monkeypatch.setattr(without_sdk, "find_environment", _environment_of())


def test_a_model_is_read_from_its_source_and_that_is_said() -> None:
    contract = reading.read_signatures(MODELS / "hello")
    assert contract.way == "static"
    assert [each.signature.name for each in contract.methods] == ["predict", "generate", "stream"]
    said = next(each for each in contract.findings if each.rule == "sdk-not-installed")
    assert said.message == (
        "No clarifai SDK is installed here, so the methods were read from the source, without running it."
    )
    assert str(said.severity) == "note"
    assert not contract.is_self_contained


def test_nothing_is_said_where_the_source_alone_was_asked_for() -> None:
    contract = reading.read_signatures(MODELS / "hello", static=True)
    assert "sdk-not-installed" not in {each.rule for each in contract.findings}


def test_a_model_with_an_environment_of_its_own_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[Path] = []

    def read(directories: list[Path], **_: object) -> list[Reading]:
        imported.extend(directories)
        return [Reading("import") for _ in directories]

    own = (MODELS / "types").resolve()
    monkeypatch.setattr(without_sdk, "find_environment", _environment_of(own))
    monkeypatch.setattr(without_sdk, "read_by_import", read)
    ways = [each.way for each in reading.read_many([MODELS / "hello", own, MODELS / "slow"])]
    assert (ways, imported) == (["static", "import", "static"], [own])


def test_another_sdk_than_the_one_that_is_known_is_named(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "hello", tmp_path / "hello")
    (tmp_path / "hello/requirements.txt").write_text("clarifai==11.5.6\n")
    said = next(
        each for each in reading.read_signatures(tmp_path / "hello").findings if each.rule == "sdk-not-read"
    )
    assert said.message.startswith(
        f"Read by the rules of clarifai {sdk_surface.outline_version()}; requirements.txt"
    )
    assert "clarifai==11.5.6" in said.message
    assert said.hint == (
        "Install the whole emulator, which reads the model with its own SDK: pip install clarifai-emulator"
    )


def test_a_module_of_the_sdk_that_is_not_known_is_not_missed(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "hello", tmp_path / "hello")
    code = tmp_path / "hello/1/model.py"
    code.write_text(f"from clarifai.utils.logging import logger\n{code.read_text()}")
    methods = reading.read_signatures(tmp_path / "hello").methods
    assert [each.signature.name for each in methods] == ["predict", "generate", "stream"]
