"""Tests that the outline of the SDK is the one of the SDK that is installed."""

from __future__ import annotations

from importlib import metadata

import pytest
from docs.generate_sdk_outline import HEAD, outline

from clarifai_emulator.contracts.stubs.sdk_surface import OUTLINE


def test_the_outline_is_what_the_generator_writes_now() -> None:
    there = {
        file.relative_to(OUTLINE / "clarifai").as_posix(): file.read_text()
        for file in (OUTLINE / "clarifai").rglob("*.pyi")
    }
    if not there["client/__init__.pyi"].startswith(HEAD.format(version=metadata.version("clarifai"))):
        pytest.skip("another version of the SDK is installed than the outline is of")
    assert there == outline(), "Run `make docs`"
