"""Makes calls wrong that ``check`` calls right, one thing at a time, and says what it finds of that."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ground.call_counting import CountedCall
from ground.call_edits import mutants
from ground.client_checks import Client, Said, outcome, said_of, write_copy

SEED = 18
Outcomes = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class _Mutant:
    client: Client
    call: CountedCall
    what: str
    copy: Path


def mutated(
    those: Sequence[Client],
    models: Mapping[str, Path],
    contracts: Mapping[str, Mapping[str, Any]],
    root: Path,
    work: Path,
) -> tuple[Outcomes, list[str]]:
    """Return how many mutants of each kind were found, named, or passed in silence, and the places of the latter.
    ``contracts``: what ``contract show`` says of each model's directory."""
    rolls = random.Random(SEED)
    counts: dict[str, Counter[str]] = {}
    silent: list[str] = []
    for stand_in in sorted({each.stand_in for each in those}):
        methods = {each["name"]: each for each in contracts[str(models[stand_in])]["methods"]}
        made = _made([each for each in those if each.stand_in == stand_in], methods, rolls, root, work)
        if not made:
            continue
        options = [f"{models[stand_in]}=*", *(f"{models[stand_in]}={each}" for each in sorted(_addresses(made)))]
        known = {each.client.name: {_place(finding) for finding in each.client.given.findings} for each in made}
        said = said_of([each.copy for each in made], options)
        for each in made:
            new = [
                finding
                for finding in said.get(str(each.copy), Said()).findings
                if _place(finding) not in known[each.client.name]
            ]
            became = _became(new, each.call)
            counts.setdefault(each.what, Counter())[became] += 1
            if became == "silent":
                silent.append(f"{each.client.name}:{each.call.line} {each.what}")
    return {what: dict(sorted(count.items())) for what, count in sorted(counts.items())}, silent


def _made(
    those: Sequence[Client], methods: Mapping[str, Any], rolls: random.Random, root: Path, work: Path
) -> list[_Mutant]:
    made: list[_Mutant] = []
    for client in those:
        for number, call in enumerate(client.calls):
            if call.method not in methods or outcome(client, call, given=True)[0] != "checked":
                continue
            for what, edit in mutants(call.node, methods[call.method], rolls).items():
                place = work / f"{number}-{what.replace(' ', '-')}" / client.path.relative_to(root)
                made.append(_Mutant(client, call, what, write_copy(client, {call.cell: [edit]}, place)))
    return made


def _addresses(made: Sequence[_Mutant]) -> set[str]:
    return {address for each in made for address in each.client.addresses()}


def _place(finding: Mapping[str, Any]) -> tuple[int, int, str]:
    return finding.get("cell", 0), finding["line"], finding["rule"]


def _became(said: Sequence[Mapping[str, Any]], call: CountedCall) -> str:
    """Any new finding in the file counts: what is wrong may be found where a value is made or used."""
    if any(each["severity"] in ("error", "warning") for each in said):
        return "found"
    near = [
        each
        for each in said
        if each.get("cell", 0) == call.cell and call.node.lineno <= each["line"] <= (call.node.end_lineno or 0)
    ]
    return "named" if near else "silent"
