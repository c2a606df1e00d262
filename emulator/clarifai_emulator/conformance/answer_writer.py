"""Writes ``answers/``: what an emulator answers to every probe. Run by ``make conformance-answers``.

Each probe runs twice, on an emulator of its own: an observation that differs by itself is no answer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from clarifai_emulator.conformance.expected import write_answers
from clarifai_emulator.conformance.own_target import own_emulator, probed
from clarifai_emulator.conformance.probe import Probe, all_probes
from clarifai_emulator.conformance.probe_runs import differences, run_probes


def answers_of(probes: Sequence[Probe]) -> tuple[Mapping[str, Any], list[str]]:
    """Return what a fresh emulator answers to each probe, and what is wrong."""
    with own_emulator() as emulator, probed(emulator) as target:
        results = run_probes(target.client, probes)
        wrong = [f"{each.key}: {each.reason}" for each in results if each.verdict == "could not tell"]
        wrong += [f"{each.thing.kind} {each.thing.id} stays: {each.why}" for each in target.clean()]
    return {each.key: each.seen for each in results if each.verdict != "could not tell"}, wrong


def main(only: Sequence[str]) -> int:
    """Write the answers of the probes whose keys begin with one of ``only``, or of all."""
    probes = [each for each in all_probes().values() if not only or each.key.startswith(tuple(only))]
    first, wrong = answers_of(probes)
    second, more = answers_of(probes)
    wrong += [each for each in more if each not in wrong]
    for key in first.keys() & second.keys():
        for path, one, other in differences(first[key], second[key]):
            wrong.append(f"{key} is not the same twice, at {path or 'its top'}: {one!r}, then {other!r}")
    for file in write_answers(first, known=set(all_probes())):
        print(f"wrote {file.name}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(first)} probes answered, {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
