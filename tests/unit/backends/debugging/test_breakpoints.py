"""Breakpoints where nobody can answer are passed, and pdb is replaced without being imported."""

from __future__ import annotations

import importlib.util
import pdb
import subprocess
import sys
from pathlib import Path

import pytest

from clarifai_emulator.backends.debugging import breakpoints
from clarifai_emulator.inside.zygote_main import beside


def test_without_a_terminal_a_breakpoint_is_passed_and_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pdb, "set_trace", _untouched())
    breakpoints.install()
    try:
        for _ in range(2):
            pdb.set_trace()
    finally:
        breakpoints.uninstall()
    said = capsys.readouterr().err
    assert said.count("was passed: this process has no terminal.") == 1
    assert "clarifai-emulator dev DIR --backend inprocess" in said


def test_a_debugger_that_somebody_else_has_put_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs() -> None: ...

    monkeypatch.setattr(pdb, "set_trace", theirs)
    breakpoints.install()
    assert pdb.set_trace is theirs
    breakpoints.uninstall()
    assert pdb.set_trace is theirs


def test_a_models_own_files_are_not_hidden_by_what_pdb_imports(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("mine = True\n")
    script = Path(str(beside("debug_main").__file__))
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('debug_main', {str(script)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "module.pass_breakpoints()\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import code\n"
        "assert code.mine\n"
        "breakpoint()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("was passed") == 1


def _untouched() -> object:
    """Return ``pdb.set_trace`` as Python has it: pytest has put its own there."""
    spec = importlib.util.find_spec("pdb")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.set_trace
