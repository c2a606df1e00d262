"""Makes what a node takes of what the nodes before it gave, and tells what data holds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Input, OutputConfig

from clarifai_emulator.messages.descriptors import is_repeated

MEDIA = ("image", "text", "video", "audio")
PLACEHOLDER = "https://samples.clarifai.com/placeholder.gif"


def merged(given: Sequence[Data]) -> Data:
    """Return one ``Data`` of what several nodes gave: lists are joined, metadata too, and of anything else the last
    one stands, whole: half of one image and half of another are no image."""
    made = Data()
    for data in given:
        for field, value in data.ListFields():
            if is_repeated(field):
                getattr(made, field.name).extend(value)
            elif field.name == "metadata":
                made.metadata.MergeFrom(value)
            elif field.message_type is not None:
                getattr(made, field.name).CopyFrom(value)
            else:
                setattr(made, field.name, value)
    return made


def passed_on(data: Data) -> Data:
    """Return what a model's output is for the next node: what lies in its parts, without names.

    A model that was asked with parts answers in parts, named after its results; the next model's arguments have
    other names, and its runner takes an input without parts by the types of the arguments."""
    if not data.parts:
        return data
    made = merged([each.data for each in data.parts])
    if made.string_value and not made.HasField("text"):
        made.text.raw = made.string_value
    return made


def is_empty(data: Data) -> bool:
    """Tell whether data holds nothing that a node could take."""
    return not data.ListFields()


def holds(data: Data) -> str:
    """Return the names of the fields that data has, for people: ``image and regions``; ``nothing``."""
    names = [field.name for field, _ in data.ListFields() if field.name != "metadata"]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else (names or ["nothing"])[0]


def text_in(data: Data) -> str | None:
    """Return the text that data holds; None where it holds none, or only its address."""
    if data.HasField("text") and (data.text.raw or not data.text.url):
        return data.text.raw
    return data.string_value or None


def by_region(data: Data) -> list[Data] | None:
    """Return the images that lie in the regions of data, each as data of its own: a model that follows a cropper
    looks at each of them. None where the data has media itself, or a region has no image."""
    if not data.regions or any(data.HasField(name) for name in MEDIA):
        return None
    if not all(region.data.HasField("image") for region in data.regions):
        return None
    return [region.data for region in data.regions]


def in_regions(data: Data, answers: Sequence[Data]) -> Data:
    """Return the regions of ``data`` with an answer in each, in place of the image that was asked about."""
    made = Data()
    for region, answer in zip(data.regions, answers, strict=True):
        new = made.regions.add(id=region.id, value=region.value, track_id=region.track_id)
        if region.HasField("region_info"):
            new.region_info.CopyFrom(region.region_info)
        new.data.CopyFrom(passed_on(answer))
    return made


def limited(data: Data, config: OutputConfig) -> Data:
    """Return data with the concepts only that ``config`` lets through: those selected, with at least ``min_value``,
    and ``max_concepts`` of them, the highest. Concepts of regions, frames and time segments, too."""
    if not (config.min_value or config.max_concepts or config.select_concepts):
        return data
    made = Data()
    made.CopyFrom(data)
    for each in _with_concepts(made):
        kept = list(_let_through(each, config))
        if len(kept) < len(each.concepts):
            del each.concepts[:]
            each.concepts.extend(kept)
    return made


def _with_concepts(data: Data) -> Iterator[Data]:
    if data.concepts:
        yield data
    for part in data.parts:
        yield from _with_concepts(part.data)
    for below in (data.regions, data.frames, data.time_segments):
        for each in below:
            yield from _with_concepts(each.data)


def _let_through(data: Data, config: OutputConfig) -> list[Concept]:
    ids = {each.id for each in config.select_concepts if each.id}
    names = {each.name for each in config.select_concepts if each.name}
    kept = [
        each
        for each in data.concepts
        if each.value >= config.min_value and (not config.select_concepts or each.id in ids or each.name in names)
    ]
    if config.max_concepts and len(kept) > config.max_concepts:
        highest = sorted(kept, key=lambda each: -each.value)[: config.max_concepts]
        chosen = {id(each) for each in highest}
        kept = [each for each in kept if id(each) in chosen]
    return kept


def echoed(given: Input, input_id: str) -> Input:
    """Return an input as the answer shows it: with an id, and a text with the address that the platform shows for
    one (recorded in 2023, Clarifai/docs, output examples of workflows)."""
    made = Input()
    made.CopyFrom(given)
    made.id = given.id or input_id
    if made.data.text.raw and not made.data.text.url:
        made.data.text.url = PLACEHOLDER
    return made
