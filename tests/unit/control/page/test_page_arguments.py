"""The values of a form become the same messages as the SDK makes of a call in Python."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy
import pytest
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video
from clarifai.runners.utils.data_utils import Param
from clarifai.runners.utils.method_signatures import build_function_signature, serialize
from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.contracts.signatures.shapes import MethodShape, method_shape
from clarifai_emulator.control.page.page_arguments import write_arguments, write_stream_item
from clarifai_emulator.errors import EmulatorError

FILE = base64.b64encode(b"\x89PNG").decode()
Named: Any = NamedFields(name=str, count=int)


def signature_of(kind: Any, default: Any = inspect.Parameter.empty) -> Any:
    def method(value: Any) -> str: ...

    parameter = inspect.Parameter(
        "value", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=kind, default=default
    )
    method.__signature__ = inspect.Signature([parameter], return_annotation=Iterator[str])  # pyright: ignore[reportFunctionMemberAccess]
    return build_function_signature(method)


def shape_of(kind: Any, default: Any = inspect.Parameter.empty) -> MethodShape:
    return method_shape(signature_of(kind, default))


def written(kind: Any, value: Any) -> Any:
    data = Data()
    write_arguments(data, shape_of(kind), {"value": value})
    return data


def refused(kind: Any, value: Any) -> str:
    with pytest.raises(EmulatorError) as caught:
        written(kind, value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given_value", "in_python"),
    [
        (str, "", ""),
        (str, "grüß 🙂 <b>", "grüß 🙂 <b>"),
        (int, 0, 0),
        (int, "9007199254740993", 9007199254740993),
        (int, 3.0, 3),
        (float, 3, 3.0),
        (float, "1e-3", 0.001),
        (float, "inf", float("inf")),
        (bool, False, False),
        (bytes, {"base64": FILE}, b"\x89PNG"),
        (bytes, "ab", b"ab"),
        (bytes, {"text": "ä"}, "ä".encode()),
        (dict, {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        (dict, {}, {}),
        (list, [1, "two", None], [1, "two", None]),
        (Text, "hi", Text("hi")),
        (Text, {"url": "https://x/y"}, Text("", "https://x/y")),
        (Image, {"base64": FILE}, Image(bytes=b"\x89PNG")),
        (Image, {"url": "https://x/y.png"}, Image(url="https://x/y.png")),
        (Audio, {"base64": FILE}, Audio(bytes=b"\x89PNG")),
        (Video, {"url": "https://x/y.mp4"}, Video(url="https://x/y.mp4")),
        (Concept, "a cat!", Concept("a cat!")),
        (Concept, {"name": "cat", "value": 0.25, "id": "c"}, Concept("cat", 0.25, "c")),
        (
            Region,
            {"id": "r", "box": [0, 0.25, 1, 0.5], "concepts": ["cat"], "text": "t", "track_id": "k"},
            Region(id="r", box=[0, 0.25, 1, 0.5], concepts=[Concept("cat")], text="t", track_id="k"),
        ),
        (Region, {"id": "r", "point": [0.5, 0.25, 0]}, Region(id="r", point=(0.5, 0.25, 0.0))),
        (
            Region,
            {"id": "r", "mask": {"url": "https://x/m.png"}},
            Region(id="r", mask=Image(url="https://x/m.png")),
        ),
        (
            Frame,
            {"image": {"base64": FILE}, "time": 1.5, "index": 3, "regions": [{"id": "r"}]},
            Frame(image=Image(bytes=b"\x89PNG"), time=1.5, index=3, regions=[Region(id="r")]),
        ),
        (Frame, {"base64": FILE}, Frame(image=Image(bytes=b"\x89PNG"))),
        (numpy.ndarray, [[1, 2], [3, 4]], numpy.array([[1, 2], [3, 4]])),
        (numpy.ndarray, [1.5, 2], numpy.array([1.5, 2])),
        (numpy.ndarray, 7, numpy.array(7)),
        (numpy.ndarray, [], numpy.array([])),
        (numpy.ndarray, {"values": [[1.5]], "dtype": "float32"}, numpy.array([[1.5]], dtype="float32")),
        (numpy.ndarray, {"values": [255, 1.0], "dtype": "uint8"}, numpy.array([255, 1], dtype="uint8")),
        (list[str], ["a", ""], ["a", ""]),
        (list[str], [], []),
        (list[list[int]], [[1], [], [2, 3]], [[1], [], [2, 3]]),
        (list[Concept], ["a", "b"], [Concept("a"), Concept("b")]),
        (tuple[str, int], ["a", 1], ("a", 1)),
        (Named, {"name": "a", "count": 2}, NamedFields(name="a", count=2)),
    ],
)
def test_a_value_becomes_what_the_sdk_makes_of_it(kind: Any, given_value: Any, in_python: Any) -> None:
    expected = serialize({"value": in_python}, signature_of(kind).input_fields)
    assert written(kind, given_value) == expected


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
        ),
        max_leaves=10,
    ).filter(lambda value: isinstance(value, (dict, list)))
)
def test_any_json_becomes_what_the_sdk_makes_of_it(value: Any) -> None:
    assert written(dict, value) == serialize({"value": value}, signature_of(dict).input_fields)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["url", "base64", "values", "dtype", "name", "value", "box", "image"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=6,
    )
)
def test_whatever_is_given_is_sent_or_refused_in_words(value: Any) -> None:
    for kind in (
        str,
        int,
        float,
        bool,
        bytes,
        dict,
        numpy.ndarray,
        Text,
        Image,
        Concept,
        Region,
        Frame,
        list[int],
        tuple[str, int],
        Named,
    ):
        with suppress(EmulatorError):
            written(kind, value).SerializeToString()


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (str, 3, "Argument 'value' needs text; the number 3 was given."),
        (str, None, "Argument 'value' needs text; nothing was given."),
        (str, "\ud800", "Argument 'value' has half of a character in it (a lone surrogate), which cannot be sent."),
        (int, "three", "Argument 'value' needs a whole number; the text 'three' was given."),
        (int, 1.5, "Argument 'value' needs a whole number; the number 1.5 was given."),
        (int, True, "Argument 'value' needs a whole number; true or false was given."),
        (int, 2**63, "Argument 'value' needs a whole number of 64 bits (-2**63 to 2**63-1)"),
        (float, "", "Argument 'value' needs a number; the text '' was given."),
        (float, "١", ""),
        (bool, "true", "Argument 'value' needs true or false; the text 'true' was given."),
        (bytes, {"base64": "%"}, "Argument 'value' needs its content as base64; the text '%' was given."),
        (dict, "x", "Argument 'value' needs JSON: an object {…} or a list […]; the text 'x' was given."),
        (Image, {}, "Argument 'value' needs the file of the image as {\"base64\": …}, or its address"),
        (Image, "https://x", "Argument 'value' needs the file of the image"),
        (Image, {"path": "x"}, "Argument 'value' has a field 'path' that is not known; it has url, base64."),
        (Region, {"box": [1, 2]}, "Argument 'value': 'box' needs a list of 4 numbers; a list of 2 was given."),
        (Concept, {"name": "a", "value": 1e39}, "Argument 'value': 'value' needs a number that a 32-bit float"),
        (Frame, {"index": -1}, "Argument 'value': 'index' needs a number from 0 to 2**32; the number -1"),
        (numpy.ndarray, [[1], [1, 2]], "Argument 'value' needs numbers in lists of the same length"),
        (numpy.ndarray, {"values": [300], "dtype": "uint8"}, "Argument 'value' has a number that uint8"),
        (numpy.ndarray, {"values": [1.5], "dtype": "uint8"}, "Argument 'value' has a number that uint8"),
        (numpy.ndarray, {"values": [1], "dtype": "object"}, "Argument 'value' needs one of the dtypes int8, int16"),
        (list[int], "1", "Argument 'value' needs a list; the text '1' was given."),
        (list[int], [1, "x"], "Argument 'value', item 2, needs a whole number; the text 'x' was given."),
        (tuple[str, int], ["a"], "Argument 'value' needs 2 values (Tuple[str, int]); a list of 1 was given."),
        (Named, {"name": "a"}, "Argument 'value' lacks the field 'count' (int)."),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_argument_and_what_is_expected(kind: Any, value: Any, said: str) -> None:
    if said:
        assert refused(kind, value).startswith(said)


def test_arguments_that_are_missing_or_unknown_are_named() -> None:
    shape, data = shape_of(int), Data()
    with pytest.raises(EmulatorError, match=r"argument 'value' \(int\) is required and not given"):
        write_arguments(data, shape, {})
    with pytest.raises(EmulatorError, match="there is no argument 'valu'; it takes value"):
        write_arguments(data, shape, {"valu": 1})


def test_an_argument_that_is_left_out_has_no_part() -> None:
    data = Data()
    write_arguments(data, shape_of(float, Param(0.5, min_value=0.1)), {})
    assert data == Data()


def test_the_further_items_of_a_stream_are_sent_by_themselves() -> None:
    data = Data()
    write_stream_item(data, shape_of(Iterator[str]), "second")
    assert [(part.id, part.data.string_value) for part in data.parts] == [("value", "second")]


@pytest.mark.parametrize("make", [lambda inner: {"a": inner}, lambda inner: [inner]])
def test_json_that_is_sent_can_be_read_again_and_no_deeper_one_is_sent(make: Any) -> None:
    value: Any = {}
    for _ in range(29):
        value = make(value)
    request = PostModelOutputsRequest()
    request.inputs.add().data.CopyFrom(written(dict, value))
    assert PostModelOutputsRequest.FromString(request.SerializeToString()) == request
    for _ in range(100):
        value = make(value)
    assert refused(dict, value) == "Argument 'value' is nested too deeply: 30 levels can be sent."
