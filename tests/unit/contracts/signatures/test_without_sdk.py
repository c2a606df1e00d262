"""Tests how models are read where no SDK is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures import read_signatures as reading
from clarifai_emulator.contracts.signatures import without_sdk
from clarifai_emulator.contracts.signatures.imported import Reading
from clarifai_emulator.contracts.stubs import sdk_surface

MODELS = Path(__file__).parents[4] / "fixtures" / "models"


@pytest.fixture(autouse=True)
def _no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "installed_sdk", lambda: "")
    monkeypatch.setattr(sdk_surface, "sdk_folder", lambda: None)
    monkeypatch.setattr(without_sdk, "find_environment", lambda path, cache: None)


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
    monkeypatch.setattr(
        without_sdk, "find_environment", lambda path, cache: Path("python") if path == own else None
    )
    monkeypatch.setattr(without_sdk, "read_by_import", read)
    ways = [each.way for each in reading.read_many([MODELS / "hello", own, MODELS / "slow"])]
    assert (ways, imported) == (["static", "import", "static"], [own])
