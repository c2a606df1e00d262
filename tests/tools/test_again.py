"""CI looks at a few failed tests a second time, alone, and says which passed only then."""

from __future__ import annotations

import subprocess
import sys
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
CALL = "def test_{name}():\n    fail('{name}', {times})\n"
TEARDOWN = "@pytest.fixture\ndef late():\n    yield\n    fail('late', 1)\n\ndef test_late(late): pass\n"


def run(folder: Path, *tests: str) -> tuple[int, str, str]:
    """Run a suite as a stage; return the exit code, the output, and what passed only the second time."""
    (folder / "test_suite.py").write_text(SUITE.format(tests="\n".join(tests)))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, ROOT / ".ci" / "again.py", "stage", sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(
        [*command, "--numprocesses=2", "-p", "no:clarifai_emulator"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    listed = folder / ".pytest_cache" / "ci" / "again.txt"
    return done.returncode, done.stdout, listed.read_text() if listed.exists() else ""


def failing(times: int, *names: str) -> list[str]:
    return [CALL.format(name=name, times=times) for name in names]


def test_what_passes_the_second_time_is_listed(tmp_path: Path) -> None:
    code, said, listed = run(tmp_path, *failing(1, "a", "b"), *failing(0, "c"))
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
    assert run(tmp_path, source)[::2] == (code, "")


def test_what_passes_at_once_is_run_once(tmp_path: Path) -> None:
    assert run(tmp_path, *failing(0, "a"))[::2] == (0, "")
