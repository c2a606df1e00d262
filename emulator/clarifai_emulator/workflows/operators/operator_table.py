"""Lists the operators of the platform: those that run here, and those that are refused by name, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from clarifai_emulator.workflows.operators import gathering, image_cutting, pattern_search, prompting, sampling
from clarifai_emulator.workflows.operators.operator import Operator, each_alone
from clarifai_emulator.workflows.operators.thresholds import threshold_concepts, threshold_regions

_ALL = (
    Operator("prompter", "text", "text", each_alone(prompting.prompt)),
    Operator("regex-based-classifier", "text", "concepts", pattern_search.classify, takes_time=True),
    Operator("concept-thresholder", "concepts", "concepts", each_alone(threshold_concepts)),
    Operator("region-thresholder", "regions", "regions", each_alone(threshold_regions)),
    Operator("random-sample", "anything", "what it took, or nothing", each_alone(sampling.sample)),
    Operator("image-crop", "regions, image", "regions", each_alone(image_cutting.crop), True, looks_back=True),
    Operator("image-tiling-operator", "image", "regions", each_alone(image_cutting.tile), takes_time=True),
    Operator("text-aggregation-operator", "regions", "text", each_alone(gathering.gather_text), takes_time=True),
    Operator("object-counter", "regions", "metadata", each_alone(gathering.count_objects)),
)
OPERATORS: Mapping[str, Operator] = {each.type_id: each for each in _ALL}

_SEARCHES = "it searches the inputs of an app, and the emulator keeps none"
_WRITES = "it writes to the inputs of an app, and the emulator keeps none"
_OUTSIDE = "it sends data to somebody else"
_TRACKS = "it follows objects through a video, frame by frame"
_CONCEPTS = "it looks up relations of concepts, and the emulator keeps none"
# By the documentation's pages about operators.
REFUSED: Mapping[str, str] = {
    "rag-prompter": _SEARCHES,
    "language-id-operator": "it needs the models of langdetect or fastText",
    "barcode-operator": "it needs a reader of barcodes",
    "image-align": "it needs the points of a face",
    "annotation-writer": _WRITES,
    "set-operator": _WRITES,
    "aws-lambda": _OUTSIDE,
    "email": _OUTSIDE,
    "sms": _OUTSIDE,
    "byte-tracker": _TRACKS,
    "centroid-tracker": _TRACKS,
    "kalman-filter-hungarian-tracker": _TRACKS,
    "kalman-reid-tracker": _TRACKS,
    "neural-lite-tracker": _TRACKS,
    "neural-tracker": _TRACKS,
    "concept-synonym-mapper": _CONCEPTS,
    "text-embed-operator": "it needs a model that embeds",
}
