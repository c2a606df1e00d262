"""Answers GetModelType and ListModelTypes: which data models of a type take and give.

The SDK asks before ``predict_by_url(url)`` and its like without an input type. By the proto's comment an entry of
``input_fields`` names fields of the Data message, with commas where an input has several. The ids are those of the
SDK's constants, Clarifai's examples and the documentation's list of types; their fields follow from their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelType
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.listing import page_of
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.identifiers import id_hint

_REGIONS = ("regions[...].region_info.bounding_box", "regions[...].data.concepts")
# Each with what an input has, and what an output has.
_FIELDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "visual-classifier": ("image", ("concepts",)),
    "visual-detector": ("image", _REGIONS),
    "visual-segmenter": ("image", ("regions[...].region_info.mask", "regions[...].data.concepts")),
    "visual-embedder": ("image", ("embeddings",)),
    "visual-anomaly": ("image", ("heatmaps",)),
    "embedding-classifier": ("embeddings", ("concepts",)),
    "clusterer": ("embeddings", ("clusters",)),
    "text-classifier": ("text", ("concepts",)),
    "text-embedder": ("text", ("embeddings",)),
    "text-to-text": ("text", ("text",)),
    "text-to-image": ("text", ("image",)),
    "text-to-audio": ("text", ("audio",)),
    "text-to-video": ("text", ("video",)),
    "image-to-text": ("image", ("text",)),
    "image-to-image": ("image", ("image",)),
    "audio-to-text": ("audio", ("text",)),
    "audio-classifier": ("audio", ("concepts",)),
    "audio-embedder": ("audio", ("embeddings",)),
    "video-to-text": ("video", ("text",)),
    "multimodal-to-text": ("image,text", ("text",)),
    "multimodal-embedder": ("image,text", ("embeddings",)),
    "any-to-any": ("parts", ("parts",)),
    "openai": ("parts", ("parts",)),
    "mcp": ("parts", ("parts",)),
    # Operators of workflows (Clarifai/docs, pages about them).
    "prompter": ("text", ("text",)),
    "rag-prompter": ("text", ("text",)),
    "regex-based-classifier": ("text", ("concepts",)),
    "language-id-operator": ("text", ("concepts",)),
    "barcode-operator": ("image", ("regions[...].data.text",)),
    "concept-thresholder": ("concepts", ("concepts",)),
    "region-thresholder": ("regions[...].data.concepts", ("regions[...].data.concepts",)),
    "random-sample": ("any", ("any",)),
    "image-crop": ("image,regions[...].region_info.bounding_box", ("regions[...].data.image",)),
    "image-tiling-operator": ("image", ("regions[...].data.image", "regions[...].region_info.bounding_box")),
    "text-aggregation-operator": ("regions[...].data.text", ("text",)),
    "object-counter": ("regions[...].data.concepts", ("metadata",)),
}
_TRAINABLE = frozenset({"visual-classifier", "visual-detector", "visual-segmenter", "visual-embedder", "clusterer",
                        "text-classifier", "embedding-classifier", "text-to-text"})  # fmt: skip


def handlers() -> dict[str, Handler]:
    """Return the RPCs of model types."""
    return {"GetModelType": _get, "ListModelTypes": _list}


def _get(call: ApiCall, request: Any) -> Any:
    """Show one type. Raises ``CallerError`` 11101 for one that is not known."""
    if request.model_type_id not in _FIELDS:
        raise CallerError(
            StatusCode.CONN_DOES_NOT_EXIST,
            f"Model type {request.model_type_id!r} does not exist.",
            hint=id_hint(request.model_type_id, _FIELDS, noun="model type"),
        )
    return call.rpc.response_type(model_type=_type(request.model_type_id))


def _list(call: ApiCall, request: Any) -> Any:
    return call.rpc.response_type(model_types=map(_type, page_of(request, list(_FIELDS))))


def _type(type_id: str) -> ModelType:
    taken, given = _FIELDS[type_id]
    return ModelType(
        id=type_id,
        title=" ".join(part.capitalize() for part in type_id.split("-")),
        input_fields=[taken],
        output_fields=given,
        trainable=type_id in _TRAINABLE,
        creatable=True,
    )
