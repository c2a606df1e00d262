"""Runs the whole corpus through ``check``, and writes what became of it as the tables of the documentation.

``CLARIFAI_TEST_SEED`` draws other programs; the tables of the documentation are those of the seed below.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.calls.client_check import GivenModel
from clarifai_emulator.contracts.calls.given_models import KnownModel, read_models
from clarifai_emulator.contracts.signatures.method import Method
from corpus import every_method
from corpus.notebook_programs import notebook_programs
from corpus.program import Program
from corpus.request_programs import request_programs
from corpus.sample_models import url_of, write_models
from corpus.sdk_programs import SdkPrograms, sample_methods
from corpus.tally import Judged, by_dimension, by_mutation, judged

SEED = 18
BEGIN, END = "<!-- the corpus, by `make docs` -->", "<!-- the end of the corpus -->"
_MODELS = Path(__file__).parents[2] / "fixtures" / "models"
_FIXTURES = ("hello", "types", "batch", "large", "openai", "mcp")


def seed() -> int:
    """Return the seed of this run."""
    return int(os.environ.get("CLARIFAI_TEST_SEED", SEED))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Holds what ``check`` says of the whole corpus. ``changes``: of clients whose model was changed."""

    results: Sequence[Judged]
    changes: Sequence[Judged]

    @property
    def shapes(self) -> int:
        return len({(each.program.dimension, each.program.shape) for each in self.results})

    def those(self, outcome: str) -> list[str]:
        """Describe the programs that came to this: what was made wrong, what ``check`` said, the text."""
        return [
            f"{each.program.dimension}: {each.program.shape}: {each.program.wrong or 'right'}\n"
            + "".join(f"    {one.severity} {one.rule}: {one.message}\n" for one in each.findings)
            + each.program.text
            for each in (*self.results, *self.changes)
            if each.outcome == outcome
        ]


def run(folder: Path, number: int) -> Corpus:
    """Check all programs of a seed below an empty folder."""
    fixtures = [_MODELS / name for name in _FIXTURES]
    models = read_models(
        [GivenModel(each) for each in (*write_models(folder / "models"), *fixtures)], None, static=True
    )
    own = {each.name: [one.signature for one in each.methods] for each in models[: -len(_FIXTURES)]}
    rolls = random.Random(number)
    ruled = [
        (f"https://clarifai.com/me/{each.address.app_id}/models/{each.name}", one.signature)
        for each in models[-len(_FIXTURES) : -2]
        for one in each.methods
    ]
    programs = [
        *SdkPrograms(sample_methods(own), number).programs(),
        *_by_rule(ruled, rolls),
        *request_programs(number),
        *notebook_programs(number),
    ]
    clients, changed = _of_changed_models([*ruled, *_signatures(own)], folder, rolls)
    return Corpus(judged(programs, models, folder / "programs"), judged(clients, changed, folder / "changed"))


def _signatures(own: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Any]]:
    for name, several in own.items():
        yield from ((url_of(name), each) for each in several)


def _by_rule(signatures: list[tuple[str, Any]], rolls: random.Random) -> Iterator[Program]:
    for number, each in enumerate(every_method.correct(signatures, rolls)):
        yield Program("every method in several forms", str(number), each.text)
    for each in every_method.mutations(signatures, rolls):
        yield Program("every method in several forms", "", each.text, each.rule)


def _of_changed_models(
    signatures: Iterable[tuple[str, Any]], folder: Path, rolls: random.Random
) -> tuple[list[Program], list[KnownModel]]:
    """Return clients of models that were changed since, and those models."""
    programs: list[Program] = []
    changed: list[KnownModel] = []
    for _, signature in signatures:
        for what, new in every_method.changed_models(signature, rolls):
            name = f"changed-{len(changed)}"
            call = every_method.call_of(signature, f"https://clarifai.com/me/demo/models/{name}")
            # A program that gives arguments by their position does not mind another name.
            by_name = every_method.fixed(rolls, "keywords", "variables", "unpacked")
            one = every_method.program(call, list(call.arguments), by_name)
            programs.append(Program("changed models", name, one.text, what))
            changed.append(KnownModel(name, folder, Address("me", "demo", name), (Method(new),), "import", ()))
    return programs, changed


def page_with(corpus: Corpus, page: str) -> str:
    """Return a page with the tables of the corpus in their place."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(corpus)}\n{END}{rest.split(END)[1]}"


def tables(corpus: Corpus) -> str:
    """Return the tables, as Markdown."""
    right = by_dimension(corpus.results)
    lines = ["| right programs | | checked | named | false |", "|---|---|---|---|---|"]
    lines += [_row(what, each, ("passed", "named", "false")) for what, each in right.items()]
    lines += [_total(right.values(), ("passed", "named", "false")), ""]
    for title, results in (("made wrong in a program", corpus.results), ("changed in a model", corpus.changes)):
        wrong = by_mutation(results)
        lines += [f"| {title} | | found | named | silent |", "|---|---|---|---|---|"]
        lines += [_row(what, each, ("found", "named", "silent")) for what, each in sorted(wrong.items())]
        lines += [_total(wrong.values(), ("found", "named", "silent")), ""]
    return "\n".join(lines)


def _row(what: str, counts: Counter[str], columns: Sequence[str]) -> str:
    return f"| {what} | {counts.total()} | {' | '.join(str(counts[each]) for each in columns)} |"


def _total(several: Iterable[Counter[str]], columns: Sequence[str]) -> str:
    total: Counter[str] = sum(several, Counter())
    return _row("**all**", total, columns)
