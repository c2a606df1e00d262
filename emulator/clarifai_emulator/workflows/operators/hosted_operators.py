"""Finds the operator that a node's model is: by the type of the model, or by its name in Clarifai's own app."""

from __future__ import annotations

import re

from clarifai_grpc.grpc.api.resources_pb2 import Model
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.operators.operator_table import OPERATORS, REFUSED, Operator

HOSTS = ("clarifai", "main")
# Croppers of Clarifai with their margin in hundredths: the SDK's own workflow fixtures name margin-110-image-crop.
_CROPPER = re.compile(r"margin-(\d{2,3})-image-crop")


def hosted_operator(user_id: str, app_id: str, model_id: str) -> Model | None:
    """Return an operator in Clarifai's app, as a model with its type and settings; None for any other name."""
    if (user_id, app_id) != HOSTS:
        return None
    cropper = _CROPPER.fullmatch(model_id)
    type_id = "image-crop" if cropper else model_id
    if type_id not in OPERATORS and type_id not in REFUSED:
        return None
    model = Model(id=model_id, name=model_id, user_id=user_id, app_id=app_id, model_type_id=type_id)
    if cropper:
        model.model_version.output_info.params["margin"] = int(cropper[1]) / 100
    return model


def operator_of(model: Model) -> Operator | None:
    """Return the operator that answers for a model; None for a model that a deployment answers for. Raises
    ``CallerError`` 10040 for an operator that does not run here."""
    if model.model_version.method_signatures:
        return None  # somebody's own model, of whatever type
    type_id = model.model_type_id
    if type_id in REFUSED:
        raise CallerError(
            StatusCode.NOT_IMPLEMENTED,
            f"The emulator does not run the operator {type_id}: {REFUSED[type_id]}.",
            hint=f"It runs {', '.join(sorted(OPERATORS))}. Put a model of yours, or a stand-in, in its place.",
            row="workflows.refused-operators",
        )
    return OPERATORS.get(type_id)
