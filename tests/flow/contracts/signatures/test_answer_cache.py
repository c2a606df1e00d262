"""An unchanged model is not run again; what may have changed unseen is."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.contracts.signatures import imported
from clarifai_emulator.contracts.signatures.read_signatures import read_many
from written_models import HEAD, PLAIN, write


def test_what_is_kept_and_what_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "lib"
    outside.mkdir()
    (outside / "shared_code.py").write_text("N = 1\n")
    head = f"import sys; sys.path.insert(0, {str(outside)!r})\nimport shared_code\n"
    plain = write(tmp_path / "plain", PLAIN)
    broken = write(tmp_path / "broken", "", head="raise ValueError('no')\n")
    leaning = write(tmp_path / "leaning", PLAIN, head=head + HEAD)
    everything = [plain, broken, leaning]
    cache = tmp_path / "cache"
    first = read_many(everything, cache_dir=cache)

    run: list[Path] = []
    original = imported._read

    async def watched(backend: object, directory: Path, *more: object) -> object:
        run.append(directory)
        return await original(backend, directory, *more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(imported, "_read", watched)
    again = read_many(everything, cache_dir=cache)
    assert again == first
    assert run == [broken, leaning], "what failed, and what leans on code elsewhere, is read again"

    run.clear()
    (plain / "1" / "model.py").write_text((plain / "1" / "model.py").read_text().replace("a: str", "b: str"))
    (changed,) = read_many([plain], cache_dir=cache)
    assert run == [plain]
    assert [each.name for each in changed.methods[0].signature.input_fields] == ["b"]
