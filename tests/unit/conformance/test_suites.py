"""The tables of other people's suites tell of every module and every example, with a reason for each failure."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.conformance.suites import suites

ROOT = Path(__file__).parents[3]


def test_every_test_that_does_not_pass_has_a_reason() -> None:
    modules = suites().sdk.modules
    assert len({each.module for each in modules}) == len(modules) > 50
    for each in modules:
        assert each.passed or each.not_for_us or each.differs, each.module
        for why, count in (*each.not_for_us.items(), *each.differs.items()):
            assert count > 0, (each.module, why)
            assert len(why) > 10, (each.module, why)


def test_the_scenarios_that_are_named_are_there() -> None:
    gone = [file for each in suites().sdk.modules for file in each.scenarios if not (ROOT / file).exists()]
    assert not gone


def test_each_of_the_28_examples_is_told_by_name() -> None:
    models = suites().examples.models
    assert len({each.name for each in models}) == len(models) == 28
    assert not [each.name for each in models if len(each.what) < 10]
