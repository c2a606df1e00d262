"""A broken edit for people: where, why, and the code around it."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError, ConfigError, ModelError
from clarifai_emulator.reload.failure import BrokenCode, code_frame, failure_of


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.py").write_text("import helper\n\n\nclass A:\n    x = helper.y\n")
    (tmp_path / "helper.py").write_text("raise ValueError('no')\n")
    return tmp_path


def test_the_last_place_in_the_models_own_code_is_shown_with_the_lines_around_it(directory: Path) -> None:
    trace = (
        f'Traceback\n  File "{directory}/1/model.py", line 5\n  File "/usr/lib/python3/os.py", line 9\nNameError: y'
    )
    failure = failure_of(
        ModelError("model.py cannot be used: NameError: y", hint="deploy again.", log=trace), directory
    )
    assert (failure.file, failure.line) == ("1/model.py", 5)
    assert failure.frame == "  3 |\n  4 | class A:\n> 5 |     x = helper.y"
    assert failure.hint == "save."
    assert failure.summary == "1/model.py:5: model.py cannot be used: NameError: y"
    assert failure.text == f"{failure.summary}\n{failure.frame}\nsave."


def test_an_error_in_a_helper_is_shown_there(directory: Path) -> None:
    trace = f'  File "{directory}/1/model.py", line 1\n  File "{directory}/helper.py", line 1\nValueError: no'
    failure = failure_of(ModelError("ValueError: no", log=trace), directory)
    assert (failure.file, failure.line, failure.frame) == ("helper.py", 1, "> 1 | raise ValueError('no')")


def test_what_points_at_no_code_is_told_without_any(directory: Path) -> None:
    assert (
        failure_of(ModelError("uv failed", log="no such package"), directory).text == "uv failed\nno such package"
    )
    refused = CallerError(StatusCode.MODEL_DEPLOYING, "No room.", hint="Wait.")
    assert failure_of(refused, directory) == BrokenCode("No room.", "Wait.")
    assert failure_of(ConfigError("It cannot be read:", ["a"]), directory).summary == "It cannot be read: - a"


def test_a_file_that_is_gone_or_shorter_has_no_frame(directory: Path) -> None:
    assert code_frame(directory / "gone.py", 1) == ""
    assert code_frame(directory / "helper.py", 7) == ""
