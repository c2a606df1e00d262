"""Files of runs, and what contributed ones say of rows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from clarifai_emulator.conformance import run_files
from clarifai_emulator.conformance.probe_runs import ProbeResult
from clarifai_emulator.conformance.run_files import Journal, contributed, report_of, verified

PAGE = Path(__file__).parents[3] / "docs" / "generate_fidelity.py"
HOLDS = ProbeResult("ids.taken", "ids.taken", "holds", seen="a", expected="a", seconds=1.0, requests=2)
UNTOLD = ProbeResult("ids.me", "ids.me", "could not tell", reason="no second account")


def contributed_files(
    monkeypatch: pytest.MonkeyPatch, folder: Path, seen: object, *, date: str = "2027-01-02"
) -> None:
    """Contribute one run that saw this of the row ids.taken."""
    result = ProbeResult("ids.taken", "ids.taken", "differs", seen=seen)
    report = report_of([result, UNTOLD], date=date, target="https://api.clarifai.com", level="free")
    (folder / f"{date}-12.6.0.json").write_text(json.dumps(report))
    monkeypatch.setattr(run_files, "CONTRIBUTED", folder)
    monkeypatch.setattr(run_files.contributed, "__defaults__", (folder,))
    verified.cache_clear()


def page() -> str:
    return runpy.run_path(str(PAGE))["page"]()


def test_the_page_says_what_was_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contributed_files(monkeypatch, tmp_path, run_files.expected_answers()["ids.taken"])
    assert "the text is ours; *verified on 2027-01-02* |" in page()
    verified.cache_clear()


def test_the_page_says_what_differs_with_both_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contributed_files(monkeypatch, tmp_path, "11101 CONN_DOES_NOT_EXIST")
    text = page()
    assert "[*differs*](#differs-ids.taken) (2027-01-02)" in text
    assert "| 40010 DATABASE_DUPLICATE_KEY | 11101 CONN_DOES_NOT_EXIST | 2027-01-02 |" in text
    verified.cache_clear()


def test_a_file_of_another_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    assert list(contributed(tmp_path)) == []


def test_a_journal_gives_back_what_could_be_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j" / "run.journal")
    journal.add(HOLDS)
    journal.add(UNTOLD)
    with journal.path.open("a") as file:
        file.write('{"key": "ids')
    assert journal.results() == [HOLDS]
    journal.remove()
    assert journal.results() == []
