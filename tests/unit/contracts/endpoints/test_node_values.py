"""Values of clarifai-nodejs are held against parameters as that client and the runner take them."""

from __future__ import annotations

from pathlib import Path

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature, ModelTypeField

from clarifai_emulator.contracts.endpoints.javascript_code import JavaScriptCode
from clarifai_emulator.contracts.endpoints.node_values import node_findings
from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource
from clarifai_emulator.contracts.endpoints.written_value import known_value
from clarifai_emulator.contracts.rules.finding import Location
from clarifai_emulator.contracts.signatures.shapes import Type, method_shape

WHOLE = "predict(): argument 'v' is 1, a whole number: clarifai-nodejs refuses those for a float."
# The kinds that the client takes for each type, as it was seen to.
KINDS = {
    "'x'": "string",
    "`a ${b}`": "string",
    "1": "whole",
    "2.0": "whole",
    "1.5": "fraction",
    "true": "boolean",
    "null": "null",
    "{ url: 'x' }": "object",
    "[1]": "array",
}
TAKEN = {
    Type.STR: {"string"},
    Type.TEXT: {"string"},
    Type.INT: {"whole"},
    Type.FLOAT: {"fraction"},
    Type.BOOL: {"boolean"},
    Type.JSON_DATA: {"object"},
    Type.NAMED_FIELDS: {"object"},
    Type.LIST: {"array"},
    Type.TUPLE: {"array"},
    Type.IMAGE: {"object", "null"},
    Type.AUDIO: {"object", "null"},
    Type.VIDEO: {"object", "null"},
    Type.CONCEPT: {"object", "null", "array"},
    Type.REGION: {"object", "null", "array"},
    Type.FRAME: {"object", "null", "array"},
    Type.BYTES: set[str](),
    Type.NDARRAY: set[str](),
}
MESSAGES = [
    (Type.STR, "1", "predict(): argument 'v' is 1 (number), and a string is expected (str)."),
    (Type.INT, "'3'", "predict(): argument 'v' is '3' (string), and a whole number is expected (int)."),
    (Type.INT, "1.5", "predict(): argument 'v' is 1.5 (number), and a whole number is expected (int)."),
    (Type.FLOAT, "1", WHOLE),
    (Type.BOOL, "null", "predict(): argument 'v' is null, and a boolean is expected (bool)."),
    (
        Type.JSON_DATA,
        "[1]",
        "predict(): argument 'v' is an array, and an object is expected (dict or list (JSON)).",
    ),
    (
        Type.IMAGE,
        "'https://a/b.png'",
        "predict(): argument 'v' is 'https://a/b.png' (string), and an object, as { url: … }, is expected (Image).",
    ),
    (
        Type.IMAGE,
        "{ ulr: 'x' }",
        "predict(): argument 'v' has a field 'ulr' that Image does not have: it is dropped. Did you mean 'url'?",
    ),
    (
        Type.BYTES,
        "'x'",
        "predict(): argument 'v' is bytes, which clarifai-nodejs cannot send: the model gets nothing.",
    ),
]


def problems(kind: int, source: str) -> list[str]:
    """Return what is said of a value, as JavaScript writes it, for one parameter of this type."""
    code = JavaScriptCode(ForeignSource(Path("client.js"), f"v = {source}".encode()))
    value = code.written(
        next(each for each in code.source.nodes if each.type == "assignment_expression").children[2]
    )
    field = ModelTypeField(name="v", type=kind, required=True)  # pyright: ignore[reportArgumentType]
    if kind in (Type.LIST, Type.TUPLE):
        field.type_args.add(name="v_item", type=Type.INT)
    shape = method_shape(MethodSignature(name="predict", input_fields=[field]))
    return [finding.message for finding, _ in node_findings(shape, {"v": value})]


@pytest.mark.parametrize("kind", TAKEN, ids=Type.Name)
def test_each_type_takes_what_the_client_takes_for_it(kind: Type.ValueType):
    assert {name for source, name in KINDS.items() if not problems(kind, source)} == TAKEN[kind]


@pytest.mark.parametrize(("kind", "source", "message"), MESSAGES)
def test_what_is_wrong_is_said_in_the_words_of_the_client(kind: int, source: str, message: str):
    assert problems(kind, source) == [message]


@pytest.mark.parametrize("kind", [Type.STR, Type.INT, Type.IMAGE, Type.BYTES])
@pytest.mark.parametrize("source", ["given", "given ? 1 : other", "`${given}`", "call()", "process.env.X"])
def test_nothing_is_said_of_what_is_not_known(kind: int, source: str):
    assert problems(kind, source) == []


def test_ranges_and_choices_count_as_elsewhere():
    field = ModelTypeField(name="v", type=Type.INT)
    field.model_type_range_info.min, field.model_type_range_info.max = 1, 3
    shape = method_shape(MethodSignature(name="predict", input_fields=[field]))
    value = known_value(9, Location(Path("client.js")), "9")

    ((finding, about),) = node_findings(shape, {"v": value})

    assert (finding.message, about) == ("predict(): argument 'v' is 9, and 1 to 3 is declared.", value)
