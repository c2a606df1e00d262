"""Tests where no warm parent is started ahead."""

from __future__ import annotations

import os

import pytest

from clarifai_emulator.backends.process.parent import launch_early


def test_where_replicas_are_not_forked_there_is_none() -> None:
    assert launch_early("http://127.0.0.1:7878", "spawn") is None


def test_on_a_single_core_the_emulator_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert launch_early("http://127.0.0.1:7878") is None
