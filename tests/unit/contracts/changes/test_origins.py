"""Tests which files below a folder are taken for origins of contracts."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.contracts.changes.lock import LOCK_FILE
from clarifai_emulator.contracts.changes.origins import lock_files


def test_lock_files_of_installed_packages_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    project = tmp_path / "venv" / "project"  # where the project itself lies, does not matter
    for folder in (".", "clients", ".venv/lib", "venv/lib", "web/node_modules/x", ".git/worktrees"):
        (project / folder).mkdir(parents=True)
        (project / folder / LOCK_FILE).touch()
    assert lock_files(project) == [project / LOCK_FILE, project / "clients" / LOCK_FILE]
