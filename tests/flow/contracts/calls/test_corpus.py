"""Of many shapes of client and model, no right program is called wrong, and no wrong one passes in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus import tables
from corpus.tables import SEED, Corpus, page_with, run, seed

PAGE = Path(__file__).parents[4] / "docs" / "contracts-calls.md"
SHOWN = 5


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Return what is said of the whole corpus. Its seed is printed; ``CLARIFAI_TEST_SEED`` gives another."""
    print(f"\nCLARIFAI_TEST_SEED={seed()}", flush=True)
    found = run(tmp_path_factory.mktemp("corpus"), seed())
    print(tables.tables(found))
    return found


def shown(programs: list[str]) -> str:
    return f"{len(programs)} with CLARIFAI_TEST_SEED={seed()}, of these:\n\n" + "\n\n".join(programs[:SHOWN])


def test_it_has_hundreds_of_shapes(corpus: Corpus) -> None:
    assert corpus.shapes >= 400


def test_no_right_program_is_called_wrong(corpus: Corpus) -> None:
    said = corpus.those("false")
    assert not said, shown(said)


def test_no_wrong_program_passes_in_silence(corpus: Corpus) -> None:
    silent = corpus.those("silent")
    assert not silent, shown(silent)


def test_most_wrong_programs_are_found_and_not_only_named(corpus: Corpus) -> None:
    wrong = [each for each in corpus.results if each.program.wrong]
    assert sum(each.outcome == "found" for each in wrong) >= 0.6 * len(wrong)


@pytest.mark.skipif(seed() != SEED, reason="the tables of the documentation are those of the usual seed")
def test_the_tables_of_the_documentation_are_those_of_this_run(corpus: Corpus) -> None:
    page = PAGE.read_text()
    assert page_with(corpus, page) == page, "run `make docs`"
