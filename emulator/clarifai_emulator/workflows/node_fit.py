"""Tells whether data has what a model's ``predict`` needs, so that a node refuses what it cannot take. Pure."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Data, Model, ModelTypeField

from clarifai_emulator.workflows.node_data import holds
from clarifai_emulator.workflows.operators.operator import unsupported_format

_Type = ModelTypeField.DataType
# By the type of an argument: the fields of an input that the SDK's runner makes it of (``DataConverter``). Others
# than these it makes of fields that cannot be told from their defaults, or not at all.
_MADE_OF: dict[int, tuple[str, ...]] = {
    _Type.STR: ("text", "string_value"),
    _Type.TEXT: ("text",),
    _Type.IMAGE: ("image",),
    _Type.VIDEO: ("video",),
    _Type.AUDIO: ("audio",),
}


def require_fit(model: Model, data: Data) -> None:
    """Raise ``CallerError`` 30101 for data without what ``predict`` needs. A model whose signatures are not known,
    and one that is given parts, judges by itself."""
    if data.parts:
        return
    signature = next((each for each in model.model_version.method_signatures if each.name == "predict"), None)
    for argument in signature.input_fields if signature is not None else ():
        fields = _MADE_OF.get(argument.type, ())
        if fields and argument.required and not any(_has(data, field) for field in fields):
            raise unsupported_format(
                f"`{argument.name}` of its method predict takes {fields[0]}, and it was given {holds(data)}."
            )


def _has(data: Data, field: str) -> bool:
    return bool(data.string_value) if field == "string_value" else data.HasField(field)  # pyright: ignore[reportArgumentType]
