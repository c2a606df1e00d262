"""An input without what a model's predict needs is refused in the platform's words."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, MethodSignature, Model, ModelTypeField, ModelVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.node_fit import require_fit

TYPES = ModelTypeField.DataType


def model(*arguments: tuple[str, int, bool], method: str = "predict") -> Model:
    fields = [ModelTypeField(name=name, type=kind, required=required) for name, kind, required in arguments]  # pyright: ignore[reportArgumentType]
    return Model(model_version=ModelVersion(method_signatures=[MethodSignature(name=method, input_fields=fields)]))


def test_an_image_for_a_model_of_text_is_an_unsupported_format() -> None:
    with pytest.raises(CallerError) as refused:
        require_fit(model(("prompt", TYPES.STR, True)), Data(image={"base64": b"x"}))
    assert refused.value.code == StatusCode.INPUT_UNSUPPORTED_FORMAT
    assert refused.value.description == "Input format unsupported"
    assert refused.value.message == (
        "`prompt` of its method predict takes text, and it was given image. Send an input that the node takes, or "
        "put a node before it that gives this."
    )


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        ([("prompt", TYPES.STR, True)], Data(text={"raw": "x"})),
        ([("prompt", TYPES.STR, True)], Data(string_value="x")),
        ([("image", TYPES.IMAGE, True)], Data(image={"url": "x"})),
        ([("image", TYPES.IMAGE, True), ("prompt", TYPES.STR, False)], Data(image={"url": "x"})),
        ([("prompt", TYPES.STR, True)], Data(parts=[{"id": "other"}])),  # the runner says what it misses
        ([("count", TYPES.INT, True)], Data(text={"raw": "x"})),  # 0 and nothing are the same
    ],
)
def test_what_has_all_that_is_needed_or_cannot_be_told_passes(
    arguments: list[tuple[str, int, bool]], data: Data
) -> None:
    require_fit(model(*arguments), data)


def test_a_model_without_a_known_predict_judges_by_itself() -> None:
    require_fit(Model(), Data(image={"url": "x"}))
    require_fit(model(("prompt", TYPES.STR, True), method="generate"), Data(image={"url": "x"}))
