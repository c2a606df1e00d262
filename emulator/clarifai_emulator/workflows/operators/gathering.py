"""Makes one thing of many regions: their text in reading order, and how many objects there are."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Data, Region, Text

from clarifai_emulator.workflows.node_data import text_in
from clarifai_emulator.workflows.operators.operator import OperatorInput, unsupported
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings


def gather_text(_: OperatorSettings, item: OperatorInput) -> Data:
    """Return the texts of the regions, from left to right and from top to bottom, with a space between two: regions
    are in one line while the middle of each lies within the height of the line's first."""
    if item.data.ListFields() and not item.data.regions:
        raise unsupported(item, "regions with text")
    left = sorted((each for each in item.data.regions if text_in(each.data)), key=_top)
    ordered: list[Region] = []
    while left:
        first = left[0].region_info.bounding_box
        line = [left[0], *(each for each in left[1:] if first.top_row <= _middle(each) < first.bottom_row)]
        ordered += sorted(line, key=lambda each: each.region_info.bounding_box.left_col)
        in_line = {id(each) for each in line}
        left = [each for each in left if id(each) not in in_line]
    text = " ".join(text_in(each.data) or "" for each in ordered)
    return Data(text=Text(raw=text)) if text else Data()


def count_objects(_: OperatorSettings, item: OperatorInput) -> Data:
    """Return how many regions have a concept, as ``metadata.object_count``."""
    made = Data()
    made.metadata["object_count"] = sum(1 for each in item.data.regions if each.data.concepts)
    return made


def _top(region: Region) -> float:
    return region.region_info.bounding_box.top_row


def _middle(region: Region) -> float:
    box = region.region_info.bounding_box
    return (box.top_row + box.bottom_row) / 2
