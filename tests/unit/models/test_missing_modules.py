"""A module that lies beside model.py is told from one that is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.backends.model_errors import unusable_model
from clarifai_emulator.models.missing_modules import hint_for_missing


def failing_trace(folder: Path) -> str:
    line = f'  File "{folder / "model.py"}", line 1, in <module>'
    return f"Traceback (most recent call last):\n{line}\n    import helper\n"


@pytest.mark.parametrize("there", ["helper.py", "helper"])
def test_a_module_beside_model_py_is_told_with_the_line_that_finds_it(tmp_path: Path, there: str) -> None:
    (tmp_path / there).mkdir()
    error = unusable_model(
        "ModuleNotFoundError: No module named 'helper'", "ModuleNotFoundError", failing_trace(tmp_path)
    )
    assert error.hint == (
        f"{there} is beside model.py, where Python does not look by itself: write "
        "`sys.path.insert(0, os.path.dirname(__file__))`, with `import os, sys`, above the import."
    )


def test_a_module_that_is_nowhere_is_to_be_added(tmp_path: Path) -> None:
    error = unusable_model(
        "ModuleNotFoundError: No module named 'helper'", "ModuleNotFoundError", failing_trace(tmp_path)
    )
    assert error.hint == (
        "Add the package to requirements.txt, or the module to the model directory, and deploy again."
    )


def test_a_part_of_a_package_beside_model_py_counts_as_the_package(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    assert hint_for_missing("No module named 'lib.part'", tmp_path).startswith("lib is beside model.py")
    assert hint_for_missing("ImportError: cannot import name 'x' from 'lib'", tmp_path) == ""
    assert hint_for_missing("No module named 'lib'", None) == ""
