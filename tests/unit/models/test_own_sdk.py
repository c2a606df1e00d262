"""The SDK beside the emulator is of its user's choosing: which models can run with it."""

from __future__ import annotations

import pytest

from clarifai_emulator.models.own_sdk import reasons_against_own_sdk, sdk_for_models
from clarifai_emulator.models.requirements import Installed, Line


def here(**versions: str) -> Installed:
    """Return an environment that has these packages."""
    return Installed(version=lambda name: versions.get(name.replace("-", "_")), requires=lambda _: [])


def test_a_recent_sdk_runs_every_model_whose_requirements_it_satisfies() -> None:
    recent = here(clarifai="12.2.2", protobuf="7.36.2", clarifai_protocol="0.0.59")
    assert reasons_against_own_sdk([Line("clarifai")], recent) == []
    assert sdk_for_models(recent) == "clarifai==12.2.2"


@pytest.mark.parametrize("requirements", [[], ["clarifai"], ["clarifai>=11.0"], ["clarifai==12.*"], ["numpy"]])
def test_models_that_leave_the_sdk_open_get_a_newer_one_than_an_old_project_has(requirements: list[str]) -> None:
    old = here(clarifai="11.7.5", protobuf="6.33.6")
    assert reasons_against_own_sdk([Line(each) for each in requirements], old) == [
        "clarifai 11.7.5 is installed, and the model's requirements allow a newer one"
    ]
    assert sdk_for_models(old) == "clarifai>=12.2.2"


@pytest.mark.parametrize("requirement", ["clarifai==11.7.5", "clarifai<12", "clarifai~=11.7"])
def test_a_model_that_pins_the_old_sdk_of_its_project_runs_with_it(requirement: str) -> None:
    assert reasons_against_own_sdk([Line(requirement)], here(clarifai="11.7.5", protobuf="6.33.6")) == []


def test_an_sdk_that_cannot_be_imported_beside_the_protobuf_here_runs_none() -> None:
    assert reasons_against_own_sdk([Line("clarifai==12.1.7")], here(clarifai="12.1.7", protobuf="7.36.2")) == [
        "protobuf<7 is required, 7.36.2 is installed beside clarifai 12.1.7"
    ]


def test_without_an_sdk_every_model_brings_its_own() -> None:
    assert reasons_against_own_sdk([Line("numpy")], here()) == ["clarifai is not installed"]
    assert sdk_for_models(here()) == "clarifai>=12.2.2"
