"""Every row of the fidelity table has a probe, or says why none can be; every probe sees what is written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clarifai_emulator.conformance.expected import expected_answers
from clarifai_emulator.conformance.fidelity_rows import all_rows
from clarifai_emulator.conformance.own_target import ProbedTarget, own_emulator, probed
from clarifai_emulator.conformance.probe import Probe, all_probes
from clarifai_emulator.conformance.probe_runs import differences, run_probe

# Rows whose probe is still to be written. It may only get shorter.
PENDING = Path(__file__).with_name("pending_probes.txt")


FREE = [each for each in all_probes().values() if each.level == "free"]
DEPLOYING = [each for each in all_probes().values() if each.level != "free"]


def key_of(probe: Probe) -> str:
    return probe.key


@pytest.fixture(scope="module")
def target() -> Iterator[ProbedTarget]:
    with own_emulator() as emulator, probed(emulator) as target:
        yield target
        left = target.clean()
    assert left == [], "the kit removes what its probes make"


@pytest.mark.parametrize("probe", FREE, ids=key_of)
def test_a_free_probe_sees_what_is_written_down(target: ProbedTarget, probe: Probe) -> None:
    _holds(target, probe)


@pytest.mark.slow
@pytest.mark.parametrize("probe", DEPLOYING, ids=key_of)
def test_a_probe_that_deploys_sees_what_is_written_down(target: ProbedTarget, probe: Probe) -> None:
    _holds(target, probe)


def _holds(target: ProbedTarget, probe: Probe) -> None:
    result = run_probe(target.client, probe)
    assert not result.reason
    wrong = "\n".join(
        f"  {path or 'all of it'}: {expected!r} is written down, {seen!r} was seen"
        for path, expected, seen in differences(result.expected, result.seen)
    )
    assert not wrong, f"{wrong}\nIf the change is right: make conformance-answers ARGS={probe.row}"


def test_every_row_has_a_probe_or_says_why_none_can_be() -> None:
    probed_rows = {probe.row for probe in all_probes().values()}
    pending = set(PENDING.read_text().split())
    lacking = [row.id for row in all_rows() if row.id not in probed_rows and not row.no_probe]
    assert [each for each in lacking if each not in pending] == []
    assert sorted(pending - set(lacking)) == [], "these are pending no more: take them out of pending_probes.txt"


def test_no_row_that_has_a_probe_says_that_none_can_be() -> None:
    probed_rows = {probe.row for probe in all_probes().values()}
    assert [row.id for row in all_rows() if row.id in probed_rows and row.no_probe] == []


def test_no_answer_is_of_a_probe_that_is_not_there() -> None:
    assert sorted(expected_answers().keys() - all_probes().keys()) == []
