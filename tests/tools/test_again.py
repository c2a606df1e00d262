"""CI looks at a few failed tests a second time, alone, and says which passed only then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each test of the suite fails as often as its parameter says.
SUITE = """
from pathlib import Path
import pytest

def fail(name, times):
    tries = Path(name)
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    assert len(tries.read_text()) > times

{tests}
"""
SETTINGS = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
COMMAND = [sys.executable, str(ROOT / ".ci" / "again.py"), "stage", sys.executable, "-m", "pytest", "-q"]
COMMAND += ["-p", "no:clarifai_emulator", "-p", "no:schemathesis"]
CALL = "def test_{name}():\n    fail('{name}', {times})\n"
TEARDOWN = "@pytest.fixture\ndef late():\n    yield\n    fail('late', 1)\n\ndef test_late(late): pass\n"


def run(folder: Path, *tests: str, workers: int = 0) -> tuple[int, str, str]:
    """Run a suite as a stage; return the exit code, the output, and what passed only the second time."""
    (folder / "test_suite.py").write_text(SUITE.format(tests="\n".join(tests)))
    (folder / "pytest.ini").write_text(SETTINGS)
    done = subprocess.run(
        [*COMMAND, f"--numprocesses={workers}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    listed = folder / ".pytest_cache" / "ci" / "again.txt"
    return done.returncode, done.stdout, listed.read_text() if listed.exists() else ""


# A leak that is found behind the last test.
LEAK = """
def test_leak():
    import gc
    gc.disable()
    class Left:
        def __del__(self):
            raise ValueError("nobody closed it")
    left = Left()
    left.itself = left
"""
SKIPPED = "def test_{0}():\n    if Path('{0}').exists():\n        pytest.skip('gone')\n    fail('{0}', 1)\n"
# The test has another name the second time.
RENAMED = """
@pytest.mark.parametrize("tries", [Path("renamed").exists()])
def test_renamed(tries):
    fail("renamed", 1)
"""
# The test takes longer to clean up than an impatient parent waits.
CLEANING = """
def test_cleaning():
    import time
    try:
        Path("begun").touch()
        time.sleep(60)
    finally:
        time.sleep(1)
        Path("cleaned").touch()
"""


def failing(times: int, *names: str) -> list[str]:
    return [CALL.format(name=name, times=times) for name in names]


def test_what_passes_the_second_time_is_listed(tmp_path: Path) -> None:
    code, said, listed = run(tmp_path, *failing(1, "a", "b"), *failing(0, "c"), workers=2)
    assert code == 0
    assert "== once more, alone:" in said
    assert sorted(listed.splitlines()) == ["stage: test_suite.py::test_a", "stage: test_suite.py::test_b"]
    assert (tmp_path / "c").read_text() == "x"  # once


def test_what_fails_twice_has_failed(tmp_path: Path) -> None:
    code, _, listed = run(tmp_path, *failing(2, "a"), *failing(1, "b"))
    assert (code, listed) == (1, "")


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    code, said, listed = run(tmp_path, *failing(1, "a", "b", "c", "d"))
    assert (code, listed) == (1, "")
    assert "once more" not in said


def test_an_error_behind_a_test_is_looked_at_again_too(tmp_path: Path) -> None:
    code, _, listed = run(tmp_path, TEARDOWN)
    assert (code, listed) == (0, "stage: test_suite.py::test_late\n")


@pytest.mark.parametrize(("source", "code"), [("import nothing_of_this_name", 1), ("def broken(:", 1)])
def test_a_file_that_cannot_be_read_is_no_accident(tmp_path: Path, source: str, code: int) -> None:
    assert run(tmp_path, source, workers=2)[::2] == (code, "")


def test_what_passes_at_once_is_run_once(tmp_path: Path) -> None:
    assert run(tmp_path, *failing(0, "a"))[::2] == (0, "")


def test_the_stage_says_at_its_end_what_passed_only_the_second_time(tmp_path: Path) -> None:
    _, said, _ = run(tmp_path, *failing(1, "a"))
    assert said.endswith("== PASSED ONLY WHEN RUN AGAIN, a defect to be mended:\n   test_suite.py::test_a\n")


def test_what_nobody_closed_is_not_forgotten_over_a_test_that_passes_the_second_time(tmp_path: Path) -> None:
    code, said, listed = run(tmp_path, *failing(1, "a"), LEAK)
    assert (code, listed) == (3, "")
    assert "once more" not in said


def test_what_nobody_closed_fails_a_stage_whose_tests_all_pass(tmp_path: Path) -> None:
    assert run(tmp_path, LEAK)[::2] == (3, "")


@pytest.mark.parametrize("second", [SKIPPED.format("gone"), RENAMED], ids=["skipped", "renamed"])
def test_what_is_not_run_the_second_time_has_failed(tmp_path: Path, second: str) -> None:
    code, said, listed = run(tmp_path, second, *failing(1, "a"))
    assert (code, listed) == (5, "")
    assert "== not each of the 2 passed when it was run again" in said


@pytest.mark.parametrize(("number", "to_the_group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_an_interrupted_stage_is_left_time_to_clean_up(
    tmp_path: Path, number: signal.Signals, to_the_group: bool
) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE.format(tests=CLEANING))
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text(
        "import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\n"
    )
    with subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.DEVNULL, start_new_session=True) as stage:
        while not (tmp_path / "begun").exists():
            assert stage.poll() is None
            time.sleep(0.05)
        if to_the_group:
            os.killpg(stage.pid, number)
        else:
            stage.send_signal(number)
        assert stage.wait(timeout=60) == 130
    assert (tmp_path / "cleaned").exists()
