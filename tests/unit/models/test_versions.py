"""The newest version of a model that may serve is found."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.models.versions import newest_usable

BUILDING, FAILED = StatusCode.MODEL_BUILDING, StatusCode.MODEL_BUILDING_FAILED
BROKEN, TRAINED = StatusCode.MODEL_BUILD_UNEXPECTED_ERROR, StatusCode.MODEL_TRAINED


@pytest.mark.parametrize(
    ("newest_first", "found"),
    [
        ([], None),
        ([TRAINED, TRAINED], "0"),
        ([BUILDING, TRAINED], "1"),
        ([BROKEN, FAILED, BUILDING, TRAINED, TRAINED], "3"),
        ([BUILDING, FAILED], "0"),
        ([StatusCode.ZERO, TRAINED], "0"),
    ],
)
def test_what_is_not_built_takes_the_place_of_nothing(newest_first: list[int], found: str | None) -> None:
    versions = [ModelVersion(id=f"{at}", status={"code": code}) for at, code in enumerate(newest_first)]  # type: ignore[arg-type]
    newest = newest_usable(versions)
    assert (newest.id if newest is not None else None) == found
