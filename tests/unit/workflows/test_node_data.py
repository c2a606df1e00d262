"""Data of several nodes becomes one, parts become what the next model takes, and concepts are limited."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Input, OutputConfig, Region
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.workflows.node_data import (
    PLACEHOLDER,
    by_region,
    echoed,
    holds,
    in_regions,
    limited,
    merged,
    passed_on,
    text_in,
)


def test_lists_of_several_nodes_are_joined_and_of_anything_else_the_last_stands() -> None:
    first = Data(concepts=[Concept(id="a")], text={"raw": "one"}, image={"url": "http://x/1.png"})
    first.metadata.update({"kept": 1, "both": "first"})
    second = Data(concepts=[Concept(id="b")], text={"raw": "two"}, image={"base64": b"2"})
    second.metadata.update({"both": "second"})

    found = merged([first, second])

    assert [each.id for each in found.concepts] == ["a", "b"]
    assert found.text.raw == "two"
    assert found.image == second.image  # not half of one and half of the other
    assert dict(found.metadata) == {"kept": 1, "both": "second"}


def test_a_result_in_a_part_is_passed_on_without_its_name() -> None:
    given = Data(parts=[{"id": "return", "data": {"string_value": "hi"}}])
    assert passed_on(given) == Data(string_value="hi", text={"raw": "hi"})
    several = Data(parts=[{"id": "0", "data": {"string_value": "hi"}}, {"id": "1", "data": {"int_value": 3}}])
    assert passed_on(several) == Data(string_value="hi", int_value=3, text={"raw": "hi"})
    plain = Data(text={"raw": "as it is"})
    assert passed_on(plain) is plain


def test_data_says_what_it_holds() -> None:
    assert holds(Data()) == "nothing"
    assert holds(Data(text={"raw": "x"})) == "text"
    assert holds(Data(text={"raw": "x"}, image={"url": "u"}, concepts=[Concept()])) == "image, concepts and text"


def test_a_text_by_url_is_no_text() -> None:
    assert text_in(Data(text={"raw": "x"})) == "x"
    assert text_in(Data(text={})) == ""
    assert text_in(Data(string_value="x")) == "x"
    assert text_in(Data(text={"url": "http://x"})) is None
    assert text_in(Data(image={"url": "http://x"})) is None


def cropped() -> Data:
    regions = [Region(id=each, data={"image": {"base64": each.encode()}}) for each in "ab"]
    regions[0].region_info.bounding_box.right_col = 0.5
    return Data(regions=regions)


def test_images_in_regions_are_asked_about_one_by_one_and_the_answers_lie_in_the_regions() -> None:
    data = cropped()
    asked = by_region(data)
    assert asked is not None
    assert [each.image.base64 for each in asked] == [b"a", b"b"]

    found = in_regions(data, [Data(concepts=[Concept(id="x")]), Data(parts=[{"data": {"string_value": "y"}}])])

    assert [(each.id, each.region_info.bounding_box.right_col) for each in found.regions] == [("a", 0.5), ("b", 0)]
    assert found.regions[0].data == Data(concepts=[Concept(id="x")])
    assert found.regions[1].data.text.raw == "y"


def test_regions_beside_an_image_or_without_images_are_asked_about_as_they_are() -> None:
    assert by_region(Data()) is None
    assert by_region(Data(regions=[Region(data={"concepts": [Concept()]})])) is None
    beside = cropped()
    beside.image.base64 = b"whole"
    assert by_region(beside) is None


def test_concepts_are_limited_wherever_they_lie() -> None:
    concepts = [Concept(id="a", value=0.2), Concept(id="b", name="bee", value=0.9), Concept(id="c", value=0.5)]
    data = Data(concepts=concepts, regions=[Region(data={"concepts": concepts})])

    def ids(config: OutputConfig) -> list[list[str]]:
        found = limited(data, config)
        return [[each.id for each in where.concepts] for where in (found, found.regions[0].data)]

    assert ids(OutputConfig()) == [["a", "b", "c"]] * 2
    assert ids(OutputConfig(min_value=0.5)) == [["b", "c"]] * 2
    assert ids(OutputConfig(max_concepts=2)) == [["b", "c"]] * 2
    assert ids(OutputConfig(select_concepts=[{"id": "a"}, {"name": "bee"}])) == [["a", "b"]] * 2
    assert len(data.concepts) == 3  # what a node gave stays whole


@given(st.lists(st.floats(0, 1, width=32)), st.floats(0, 1, width=32), st.integers(0, 5))
def test_the_concepts_that_stay_are_the_highest_in_their_order(
    values: list[float], least: float, most: int
) -> None:
    data = Data(concepts=[Concept(id=str(number), value=value) for number, value in enumerate(values)])
    found = [each.value for each in limited(data, OutputConfig(min_value=least, max_concepts=most)).concepts]
    allowed = sorted((value for value in values if value >= least), reverse=True)
    assert sorted(found, reverse=True) == (allowed[:most] if most else allowed)


def test_an_input_is_shown_with_an_id_and_a_text_with_an_address() -> None:
    assert echoed(Input(data={"text": {"raw": "x"}}), "i") == Input(
        id="i", data={"text": {"raw": "x", "url": PLACEHOLDER}}
    )
    given = Input(id="mine", data={"text": {"url": "http://x"}, "image": {"url": "http://y"}})
    assert echoed(given, "i") == given
