"""The tests in the SDK's source distribution pass as they are, but for those that `suites.yaml` leaves out."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from clarifai_emulator.conformance.suites import suites
from clarifai_emulator.control.thread import EmulatorThread
from flow.processes import TOKEN, environment
from flow.upstream.scenarios import MAP, MODULES, names_in
from flow.upstream.sdk_suite import outcomes, sdk_suite

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_the_tests_of_the_source_distribution_pass(emulator: EmulatorThread, tmp_path: Path) -> None:
    suite, left_out = sdk_suite(), suites().not_run
    options = [f"--{'ignore' if each.endswith('.py') else 'deselect'}=tests/{each}" for each in left_out]
    environ = environment(
        CLARIFAI_API_BASE=emulator.url,
        CLARIFAI_USER_ID="me",
        CLARIFAI_PAT=TOKEN,
        HOME=str(tmp_path),
        PATH=f"{suite.python.parent}{os.pathsep}{os.environ['PATH']}",
    )
    report = tmp_path / "report.xml"
    done = suite.run(environ, report, options)
    assert report.exists(), done.stdout + done.stderr
    found = dict(outcomes(report))
    failed = [name for name, outcome in found.items() if outcome in ("failure", "error")]
    assert not failed, done.stdout
    assert Counter(found.values())["passed"] >= 200, found


def test_the_map_of_scenarios_has_every_test_of_the_source_distribution() -> None:
    source = sdk_suite().source / "tests"
    missing = [
        f"{path.name}::{test}"
        for path in source.glob("test_*.py")
        for test in names_in(path)
        if path.name not in MAP["outside"] and test not in MODULES.get(path.name, {})
    ]
    assert not missing, "tests/flow/upstream/scenarios.yaml misses tests"


def test_what_is_left_out_is_there() -> None:
    source = sdk_suite().source / "tests"
    gone = [each for each in suites().not_run if not _is_in(source, each)]
    assert not gone, "take these out of suites.yaml: the source distribution has them no more"


def _is_in(source: Path, name: str) -> bool:
    module, *inside = name.split("::")
    file = source / module
    return file.is_file() and all(each in file.read_text() for each in inside)
