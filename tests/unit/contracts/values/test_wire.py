"""Messages are checked against a signature: right requests made by the SDK pass, everything else is told.

Written without the __future__ import of annotations, with which the SDK sees text instead of types.
"""

from typing import Any

import numpy as np
import pytest
from clarifai.runners.utils.data_types import Concept, NamedFields, Text
from clarifai.runners.utils.data_utils import DataConverter, Param
from clarifai.runners.utils.method_signatures import build_function_signature, deserialize, serialize
from clarifai_grpc.grpc.api.resources_pb2 import Data

from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.contracts.values.wire import WireMethod


def method(annotation: Any) -> tuple[Any, WireMethod]:
    def f(a: annotation) -> annotation: ...

    signature = build_function_signature(f)
    return signature, WireMethod(method_shape(signature))


RIGHT = [
    (str, "Hello"),
    (str, ""),
    (bytes, b"\xff"),
    (int, 0),
    (int, -7),
    (float, 0.5),
    (bool, False),
    (dict, {"k": 1.5}),
    (list, [1, "a"]),
    (np.ndarray, np.zeros(2)),
    (Text, Text("x")),
    (Concept, Concept("c")),
    (list[str], ["ab", "c"]),
    (list[str], []),
    (list[Concept], [Concept("c")]),
    (tuple[str, int], ("a", 1)),
    (list[list[int]], [[1], []]),
    (NamedFields(x=int, tags=list[str]), {"x": 1, "tags": ["ab"]}),
]


@pytest.mark.parametrize(("annotation", "value"), RIGHT)
def test_what_the_sdk_makes_of_right_values_passes(annotation: Any, value: Any) -> None:
    signature, wire = method(annotation)
    assert wire.input_problems(serialize({"a": value}, signature.input_fields)) == ()
    assert wire.output_problems(serialize({"return": value}, signature.output_fields)) == ()


@pytest.mark.parametrize(("annotation", "value"), RIGHT)
def test_what_is_right_for_another_type_does_not(annotation: Any, value: Any) -> None:
    """A client with older signatures sends such values; a zero value leaves no trace of its type."""
    for other in (str, int, dict, bool):
        signature, wire = method(other)
        data = serialize({"a": value}, method(annotation)[0].input_fields)
        sent, expected = {f.name for f, _ in data.parts[0].data.ListFields()}, signature.input_fields[0]
        problems = [each.rule for each in wire.input_problems(data)]
        field = {1: "string_value", 3: "int_value", 7: "struct_value", 5: "bool_value"}[expected.type]
        if sent <= {field}:
            assert problems == []
        else:
            assert problems in (["wrong-type"], ["bytes-for-text"])


def test_a_result_that_is_not_there_or_another_is_told() -> None:
    _, wire = method(str)
    (missing,) = wire.output_problems(Data())
    assert (missing.rule, missing.message) == ("result-missing", "the result is missing, and str is declared.")
    data = Data()
    data.parts.add(id="return").data.int_value = 3
    (wrong,) = wire.output_problems(data)
    assert (wrong.rule, wrong.message) == (
        "result-type",
        "the result came as int_value, and str (string_value) is declared.",
    )


def test_an_inlined_result_is_read_from_the_fields_themselves() -> None:
    """The runner answers an input without parts like this; it copies a string into ``text``."""
    _, wire = method(str)
    data = Data()
    data.string_value = data.text.raw = "x"
    assert wire.output_problems(data, inlined=True) == ()
    (wrong,) = wire.output_problems(Data(int_value=3), inlined=True)
    assert wrong.message == "the result came as int_value, and str (string_value) is declared."


EMPTY = [
    (str, ""),
    (bytes, b""),
    (int, 0),
    (float, 0.0),
    (bool, False),
    (np.ndarray, np.zeros(0)),
    (dict, {}),
    (list, []),
    (list[str], []),
    (list[Concept], []),
    (Text, Text("")),
    (NamedFields(text=str), {"text": ""}),
]


@pytest.mark.parametrize(("annotation", "value"), RIGHT + EMPTY)
def test_an_inlined_result_in_whose_place_the_sdk_reads_an_empty_dict_is_told(annotation: Any, value: Any) -> None:
    signature, wire = method(annotation)
    made = serialize({"return": value}, signature.output_fields, is_output=True)
    data = DataConverter.convert_output_data_to_old_format(made)
    read = deserialize(data, signature.output_fields, is_output=True)
    is_lost = annotation is not dict and isinstance(read, dict) and not read
    assert [each.rule for each in wire.output_problems(data, inlined=True)] == ["result-lost"] * is_lost


def test_a_lost_result_is_told_as_it_was_and_as_it_arrives() -> None:
    _, wire = method(str)
    (lost,) = wire.output_problems(Data(), inlined=True)
    assert lost.message == "the result of a call without arguments is '': the SDK's client gets {} in its place."
    assert lost.hint == 'Return it in a dict, such as {"text": ""}, or have clients give an argument.'


def test_limits_tuples_and_letters() -> None:
    def f(
        t: float = Param(0.5, min_value=0.0, max_value=1.0),
        pair: tuple[str, int] = ("a", 1),
        texts: list[str] = [],  # noqa: B006
    ) -> str: ...

    signature = build_function_signature(f)
    wire = WireMethod(method_shape(signature))
    data = serialize({"t": 2.0, "texts": "abc"}, signature.input_fields)
    data.parts.add(id="pair").data.parts.add().data.string_value = "x"
    assert [each.message for each in wire.input_problems(data)] == [
        "argument 't' is 2.0, and 0 to 1 is declared.",
        "argument 'texts' is 3 single letters: it looks like a str given for List[str].",
        "argument 'pair' has 1 values, and Tuple[str, int] has 2.",
    ]


def test_later_messages_of_a_stream_carry_their_items_only() -> None:
    signature, wire = method(str)
    assert [each.rule for each in wire.input_problems(Data())] == ["missing-argument"]
    assert wire.input_problems(Data(), first=False) == ()
    assert not wire.is_inlined(serialize({"a": "x"}, signature.input_fields))
    old = Data()
    old.text.raw = "x"
    assert wire.is_inlined(old)
