"""The mutations that a run of the kit has to find fit the source, and one is found; the kit costs little itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import mutations
from benchmarks.conform import interrupted_runs, processor_time
from benchmarks.mutations import (
    PACKAGE,
    Mutation,
    copies,
    place_of,
    refusals,
    registry,
    run_mutation,
    unseen_refusals,
)

from clarifai_emulator.conformance.fidelity_rows import rows_by_id

KNOWN = registry()


def test_there_are_many_and_each_is_of_a_row() -> None:
    assert len(KNOWN) >= 90
    assert {each.row for each in KNOWN} <= rows_by_id().keys()


@pytest.mark.parametrize("mutation", [each for each in KNOWN if not each.line], ids=lambda each: each.name[:80])
def test_what_it_changes_stands_once_in_the_source(mutation: Mutation) -> None:
    text = (PACKAGE / mutation.file).read_text()
    assert text.count(mutation.old) == 1, f"benchmarks/mutations.yaml: {mutation.row}"
    compile(mutation.mutated(text), mutation.file, "exec")


def test_refusals_that_no_client_gets_are_in_the_source() -> None:
    assert unseen_refusals().keys() <= {place_of(each) for each in refusals()}
    assert all(unseen_refusals().values()), "each says why"


def test_what_a_run_found_stands_beside_runs_with_other_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "mutations.json"
    results.write_text('[{"seed": 3, "found": 1}, {"seed": 1, "found": 1}]')
    monkeypatch.setattr(mutations, "RESULTS", results)
    mutations.keep({"seed": 1, "found": 30})
    assert json.loads(results.read_text()) == [{"seed": 1, "found": 30}, {"seed": 3, "found": 1}]


@pytest.mark.slow
def test_a_mutation_is_found_by_a_probe_of_its_row() -> None:
    mutation = next(each for each in KNOWN if each.row == "ids.taken")
    with copies(1) as free:
        assert run_mutation(mutation, free.get()).is_found


@pytest.mark.slow
def test_a_run_costs_at_most_three_times_what_its_requests_cost() -> None:
    assert processor_time()["ratio"] <= 3


@pytest.mark.slow
def test_nothing_is_left_after_interrupted_runs() -> None:
    figures = interrupted_runs(4, seed=3, longest=3.0)
    assert (figures["left"], figures["ledgers"]) == (0, 0)
