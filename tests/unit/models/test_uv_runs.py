"""Tests where the program uv is found."""

from __future__ import annotations

import shutil
import sys

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.uv_runs import uv_program


def test_that_of_its_package_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", "/elsewhere/{}".format)
    assert uv_program().endswith("/uv")
    assert uv_program() != "/elsewhere/uv"


def test_without_the_package_it_is_taken_from_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", "/elsewhere/{}".format)
    assert uv_program() == "/elsewhere/uv"


def test_where_there_is_none_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelError) as raised:
        uv_program()
    assert raised.value.summary == (
        "A Python environment has to be built for the model, and uv, which builds it, is not installed."
    )
    assert raised.value.hint == "pip install uv"


def test_without_the_program_of_the_package_it_is_taken_from_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FileNotFoundError("uv")

    monkeypatch.setattr("uv.find_uv_bin", missing)
    monkeypatch.setattr(shutil, "which", "/elsewhere/{}".format)
    assert uv_program() == "/elsewhere/uv"
