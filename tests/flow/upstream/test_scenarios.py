"""The map of scenarios is whole: it has every test of the SDK's suite, and what it names of ours exists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from clarifai_emulator.conformance.suites import suites
from flow.upstream.scenarios import MAP, MODULES, names_in

FLOW = Path(__file__).parents[1]
CHECKOUT = os.environ.get("CLARIFAI_SDK_CHECKOUT", "")
# Tests of the suite that pytest counts more often than once, as they are parametrised.
PARAMETRISED = {
    *("runners/test_num_threads_config.py", "test_auth.py"),
    *(f"workflow/test_{name}.py" for name in ("create_delete", "nodes_display", "validate")),
}


@cache
def ours(module: str) -> frozenset[str]:
    return frozenset(names_in(FLOW / module))


def named() -> Iterator[tuple[str, str, str]]:
    """Yield each of our tests that the map names, with the test that it stands for."""
    for module, tests in MODULES.items():
        for test, scenarios in tests.items():
            for each in scenarios if isinstance(scenarios, list) else []:
                yield module, test, str(each)  # pyright: ignore[reportUnknownArgumentType]


def test_every_test_of_ours_that_is_named_exists() -> None:
    gone = [
        (test, each)
        for _, test, each in named()
        for module, _, name in (each.partition("::"),)
        if not (FLOW / module).is_file() or name not in ours(module)
    ]
    assert not gone, "scenarios.yaml names tests that are not there"


def test_a_test_without_a_scenario_has_a_reason() -> None:
    given = {
        scenarios["none"]
        for tests in MODULES.values()
        for scenarios in tests.values()
        if isinstance(scenarios, dict)
    }
    assert given == set(MAP["reasons"]), "each reason is described, and each description is used"
    for module, tests in MODULES.items():
        for test, scenarios in tests.items():
            assert isinstance(scenarios, dict) or scenarios, (module, test)


def test_it_has_as_many_tests_of_each_module_as_a_run_of_the_suite_had() -> None:
    assert MAP["suite"] == {"repository": suites().sdk.repository, "commit": suites().sdk.commit}
    for each in suites().sdk.modules:
        if each.module in MAP["outside"]:
            continue
        ran = each.passed + sum(each.not_for_us.values()) + sum(each.differs.values())
        known = len(MODULES[each.module])
        assert known == ran or (each.module in PARAMETRISED and known < ran), (each.module, known, ran)


def test_the_table_of_the_suite_names_where_the_scenarios_are() -> None:
    held = {module: {each.partition("::")[0] for of, _, each in named() if of == module} for module in MODULES}
    for each in suites().sdk.modules:
        if each.module in MAP["outside"]:
            continue
        files = {f"tests/flow/{file}" for file in held.get(each.module, ())}
        assert set(each.scenarios) == files, (
            f"suites.yaml, {each.module}: scenarios should be {', '.join(sorted(files))}"
        )


@pytest.mark.skipif(not CHECKOUT, reason="CLARIFAI_SDK_CHECKOUT names no checkout of the SDK's repository")
def test_it_has_the_tests_of_a_checkout() -> None:
    """Run this when the commit changes: the suite is in no package."""
    root = Path(CHECKOUT) / "tests"
    found = {str(path.relative_to(root)): set(names_in(path)) for path in root.rglob("*test*.py")}
    for module in (*MAP["outside"], *(module for module, tests in found.items() if not tests)):
        found.pop(module, None)
    assert {module: set(tests) for module, tests in MODULES.items()} == found
