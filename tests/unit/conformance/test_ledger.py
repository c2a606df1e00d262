"""The file of what a run makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clarifai_emulator.conformance.ledger import Ledger, MadeThing, head_of, left_in

APP, CLUSTER = MadeThing("app", "cfm-1-app"), MadeThing("compute_cluster", "cfm-1-cluster")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledgers" / "run.jsonl"


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path, prefix="cfm-1-", target="https://api.clarifai.com", user_id="ada")
    try:
        yield ledger
    finally:
        ledger.close()


def test_what_is_left_is_known_after_a_kill_in_the_middle_of_a_line(path: Path) -> None:
    with opened(path) as ledger:
        ledger.note(APP)
        ledger.note(CLUSTER)
        ledger.remove(APP)
    with path.open("a") as file:
        file.write('{"made": {"kind": "ap')
    assert list(left_in(path)) == [CLUSTER]
    assert head_of(path) == {"prefix": "cfm-1-", "target": "https://api.clarifai.com", "user_id": "ada"}


def test_a_run_goes_on_with_the_ledger_that_it_finds(path: Path) -> None:
    with opened(path) as ledger:
        ledger.note(APP)
    with opened(path) as again:
        again.note(CLUSTER)
        assert again.left == [CLUSTER, APP]


def test_the_file_goes_when_nothing_is_left_and_is_for_its_owner_only(path: Path) -> None:
    with opened(path) as ledger:
        ledger.note(APP)
        assert path.stat().st_mode & 0o777 == 0o600
        ledger.remove(APP)
    assert not path.exists()
