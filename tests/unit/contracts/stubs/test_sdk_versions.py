"""The table of the SDK's versions says what each had, and agrees with the SDK that is installed."""

from __future__ import annotations

from importlib import metadata

from clarifai_emulator.contracts.stubs.sdk_surface import SdkParameter, SdkSurface, sdk_folder, surface_of
from clarifai_emulator.contracts.stubs.sdk_versions import (
    published,
    surface_of_version,
    table_of,
    versions_with,
)


def test_the_table_agrees_with_the_installed_sdk() -> None:
    folder = sdk_folder()
    assert folder is not None

    installed = surface_of(folder)

    version = metadata.version("clarifai")
    assert version not in published() or installed == surface_of_version(version)


def test_functions_that_left_are_known_by_their_versions() -> None:
    assert versions_with("predict_by_url", "deployment_id") == ("10.8.9", "11.2.3")
    assert versions_with("predict_by_url", "speed") is None
    assert "available_methods" not in surface_of_version("11.2.3").client
    assert "available_methods" in surface_of_version("12.5.0").client


def test_a_version_that_is_not_there_is_as_the_one_before_it() -> None:
    assert surface_of_version("11.2.9").version == "11.2.3"
    assert surface_of_version("9.0.0").version == published()[0]


def test_ranges_are_joined_where_nothing_changed() -> None:
    url = SdkParameter("url", required=True)
    surfaces = [
        SdkSurface("1.0", {"ask": (url,)}),
        SdkSurface("1.1", {"ask": (url,)}, model_values=frozenset({"id"})),
        SdkSurface("1.2", {"ask": (url, SdkParameter("more", required=False, star="**"))}),
    ]

    table = table_of(surfaces)

    assert '"ask": [[0, 1, "url"], [2, 2, "url **more"]]' in table
    assert '"id": [[1, 1, "-"]]' in table
