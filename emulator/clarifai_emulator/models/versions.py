"""Tells which versions of a model may serve: not one that is being built, or whose build failed."""

from __future__ import annotations

from collections.abc import Iterable

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

# Descriptions of a version that can serve, that is being built, and that no replica has served yet while another
# version serves.
TRAINED = "Model is trained and ready for deployment"
BUILDING = "Model image is currently being built."
ON_TRIAL = "Its first replica is being started"
_FAILED = (StatusCode.MODEL_BUILDING_FAILED, StatusCode.MODEL_BUILD_UNEXPECTED_ERROR)


def is_building(version: ModelVersion) -> bool:
    """Tell whether a version's upload is complete and its build is not."""
    return version.status.code == StatusCode.MODEL_BUILDING


def is_on_trial(version: ModelVersion) -> bool:
    """Tell whether a version was deployed from a directory while another one serves, and has not served yet."""
    return version.status.code == StatusCode.MODEL_DEPLOYING


def build_failed(version: ModelVersion) -> bool:
    """Tell whether a version can never serve."""
    return version.status.code in _FAILED


def newest_usable(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    """Return the first of these (newest first) that is built; the first of all when none is, and None of none.

    An upload does not take the place of what serves before it is built, and never if it cannot be; nor does a
    directory that is deployed before a replica of it serves.
    """
    first: ModelVersion | None = None
    for version in versions:
        if not is_building(version) and not build_failed(version) and not is_on_trial(version):
            return version
        first = first or version
    return first
