"""Tests what a file is by its name, and which files below a folder are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind, files_below


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.py", ClientKind.PYTHON),
        ("script", ClientKind.PYTHON),
        ("Use.ipynb", ClientKind.NOTEBOOK),
        ("a.mts", ClientKind.JAVASCRIPT),
        ("a.sh", ClientKind.SHELL),
        ("Makefile", ClientKind.MAKEFILE),
        ("rules.mk", ClientKind.MAKEFILE),
        ("Dockerfile.gpu", ClientKind.DOCKERFILE),
        ("dockerfile.py", ClientKind.PYTHON),
        ("compose.yaml", ClientKind.YAML),
        ("README.MD", ClientKind.MARKDOWN),
    ],
)
def test_a_name_says_what_a_file_is(name: str, kind: ClientKind) -> None:
    assert client_kind(Path("venv", name)) is kind


def test_markdown_is_looked_at_where_it_is_named_or_asked_for(tmp_path: Path) -> None:
    for name in ("app.py", "docs/use.md", ".github/workflows/ci.yml", ".venv/x.py", ".hidden/y.py", "data.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def below(*paths: Path, docs: bool = False) -> list[str]:
        return sorted(each.relative_to(tmp_path).as_posix() for each in files_below(paths, docs=docs))

    assert below(tmp_path) == [".github/workflows/ci.yml", "app.py"]
    assert below(tmp_path, docs=True) == [".github/workflows/ci.yml", "app.py", "docs/use.md"]
    assert below(tmp_path / "docs/use.md") == ["docs/use.md"]
