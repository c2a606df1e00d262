"""Tests that replacing pdb imports nothing that hides a model's own files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clarifai_emulator.inside.zygote_main import beside


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
