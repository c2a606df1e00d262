"""Tests that nothing is installed for whoever forbids it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models import sdk_environment
from clarifai_emulator.models.requirements import Line
from clarifai_emulator.models.sdk_environment import MAY_INSTALL, prepare_sdk_environment

ROOT = Path(__file__).parents[3]


def prepare(folder: Path, value: str | None) -> Path:
    environ = {} if value is None else {MAY_INSTALL: value}
    lines = [Line("clarifai==11.5.6")]
    return asyncio.run(prepare_sdk_environment(lines, "", folder, lambda _: None, environ=environ))


@pytest.mark.parametrize("value", ["0", "no", "False", "OFF"])
def test_an_sdk_is_not_installed_where_that_is_forbidden(tmp_path: Path, value: str) -> None:
    with pytest.raises(ModelError) as raised:
        prepare(tmp_path, value)
    assert raised.value.summary == (
        "clarifai==11.5.6, which requirements.txt names, is not installed, "
        "and CLARIFAI_EMULATOR_INSTALL forbids it."
    )
    assert raised.value.hint == (
        "Unset CLARIFAI_EMULATOR_INSTALL, or deploy the model once: its environment is used then."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [None, "1", "yes", ""])
def test_it_is_installed_otherwise(tmp_path: Path, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def built(*_: object) -> Path:
        return Path("python")

    monkeypatch.setattr(sdk_environment, "ensure_built", built)
    assert prepare(tmp_path, value) == Path("python")


def test_one_that_was_installed_before_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def built(*_: object) -> Path:
        return Path("python")

    monkeypatch.setattr(sdk_environment, "ensure_built", built)

    def is_complete(target: Path) -> bool:
        return target.name.startswith("sdk-")

    monkeypatch.setattr(sdk_environment, "is_complete", is_complete)
    assert prepare(tmp_path, "0") == Path("python")


def test_the_variable_is_documented() -> None:
    assert f"| `{MAY_INSTALL}` |" in (ROOT / "docs/settings.md").read_text(encoding="utf-8")
