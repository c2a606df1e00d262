"""The fixture works as its reader would use it: in a test file of another project."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HELLO = Path(__file__).parents[2] / "fixtures" / "models" / "hello"


def test_a_test_calls_its_model_through_the_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_hello(clarifai_emulator):
            deployed = clarifai_emulator.deploy({str(HELLO)!r})
            from clarifai.client import Model
            assert Model(url=deployed.model_url).predict(prompt="test") == "Hello, test!"
            assert clarifai_emulator.events("route.decided")[0].fields["rule"] == "owner_default"
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_faults_that_a_test_adds_end_with_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from clarifai_emulator import Fault

        def test_one(clarifai_emulator, clarifai_faults):
            clarifai_emulator.faults.add(Fault(id="mine", throttle=True))
            clarifai_faults.add(Fault(id="busy", throttle=True))
            assert [each.id for each in clarifai_faults] == ["mine", "busy"]
            clarifai_faults.remove("busy")

        def test_two(clarifai_emulator):
            assert list(clarifai_emulator.faults) == []
            clarifai_emulator.faults.add(Fault(id="kept", throttle=True))

        def test_three(clarifai_faults):
            clarifai_faults.add(Fault(id="busy", throttle=True))

        def test_four(clarifai_emulator):
            assert [each.id for each in clarifai_emulator.faults] == ["kept"]
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:randomly").assert_outcomes(passed=4)


def test_a_session_without_the_fixture_imports_nothing_of_the_emulator(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            assert not [name for name in sys.modules if name.split(".")[0] in ("clarifai_emulator", "grpc")]
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
