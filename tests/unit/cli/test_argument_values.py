"""Command-line values become what a method's signature asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

from clarifai_emulator.cli.argument_values import chosen_method, read_arguments
from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.signatures import chosen_methods, command_line, example_call, example_lines, snippet

STR = {"name": "value", "type": "STR", "required": True}


def field(kind: str, *parts: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "value",
        "type": kind,
        "required": True,
        "type_args": [{"name": f"part_{n}", "type": part} for n, part in enumerate(parts)],
        **more,
    }


def method(*fields: dict[str, Any], name: str = "predict", kind: str = "UNARY_UNARY") -> dict[str, Any]:
    return {"name": name, "method_type": kind, "input_fields": list(fields)}


def read(wanted: dict[str, Any], text: str) -> Any:
    return read_arguments(method(wanted), [f"value={text}"], [])["value"]


@pytest.mark.parametrize(
    ("wanted", "text", "expected"),
    [
        (field("STR"), "a=b", "a=b"),
        (field("STR"), "@not-a-file", "@not-a-file"),
        (field("STR"), "", ""),
        (field("BYTES"), "héllo", "héllo".encode()),
        (field("INT"), "3", 3),
        (field("FLOAT"), "1", 1.0),
        (field("BOOL"), "true", True),
        (field("JSON_DATA"), '{"a": [1, null]}', {"a": [1, None]}),
        (field("LIST", "STR"), '["a", "b"]', ["a", "b"]),
        (field("LIST", "BYTES"), '["a"]', [b"a"]),
        (field("TUPLE", "STR", "INT"), '["a", 2]', ("a", 2)),
    ],
)
def test_plain_values(wanted: dict[str, Any], text: str, expected: Any) -> None:
    value = read(wanted, text)
    assert value == expected
    assert type(value) is type(expected)


def test_values_of_the_sdks_own_types(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"jpeg")
    array = tmp_path / "array.npy"
    numpy.save(array, numpy.eye(2))
    assert read(field("TEXT"), "hi").text == "hi"
    for kind in ("IMAGE", "AUDIO", "VIDEO"):
        assert read(field(kind), f"@{file}").bytes == b"jpeg"
        assert read(field(kind), "https://example.org/x").url == "https://example.org/x"
    assert read(field("FRAME"), f"@{file}").image.bytes == b"jpeg"
    assert read(field("LIST", "IMAGE"), f'["@{file}"]')[0].bytes == b"jpeg"
    assert read(field("CONCEPT"), "cat").name == "cat"
    assert read(field("CONCEPT"), '{"name": "cat", "value": 0.5}').value == 0.5
    region = read(field("REGION"), '{"box": [0, 0, 1, 0.5], "concepts": ["cat"]}')
    assert (region.box, region.concepts[0].name) == ([0, 0, 1, 0.5], "cat")
    assert read(field("NDARRAY"), "[[1, 2]]").tolist() == [[1, 2]]
    assert read(field("NDARRAY"), f"@{array}").tolist() == [[1, 0], [0, 1]]
    named = read(field("NAMED_FIELDS", "STR", "INT"), '{"part_0": "a", "part_1": 1}')
    assert dict(named.items()) == {"part_0": "a", "part_1": 1}


@pytest.mark.parametrize(
    ("wanted", "text", "said"),
    [
        (field("INT"), "many", "value=many: this is not JSON"),
        (field("INT"), '"3"', "value=3: this cannot be INT: it is str."),
        (field("INT"), "true", "value=True: this cannot be INT: it is bool."),
        (field("BOOL"), "1", "value=1: this cannot be BOOL: it is int."),
        (field("LIST", "INT"), "3", "this cannot be LIST: it is not a list."),
        (field("LIST", "INT"), '["a"]', "part_0=a: this cannot be INT: it is str."),
        (field("TUPLE", "STR", "INT"), '["a"]', "this cannot be TUPLE: it is not a list of 2."),
        (field("NAMED_FIELDS", "STR"), '{"other": 1}', "this cannot be NAMED_FIELDS: 'part_0'."),
        (field("IMAGE"), "photo.jpg", "this cannot be IMAGE: give a file as @path, or a URL."),
        (field("IMAGE"), "@/no/photo.jpg", "There is no file /no/photo.jpg."),
        (field("CONCEPT"), '{"nam": "cat"}', "this cannot be CONCEPT: "),
    ],
)
def test_values_that_do_not_fit(wanted: dict[str, Any], text: str, said: str) -> None:
    with pytest.raises(Failure) as caught:
        read(wanted, text)
    assert said in caught.value.message
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_streamed_arguments() -> None:
    signature = method({**field("INT"), "iterator": True}, kind="STREAMING_STREAMING")
    assert list(read_arguments(signature, ["value=1", "value=2"], [])["value"]) == [1, 2]
    assert list(read_arguments(signature, ["-"], ["3\n", "4\n"])["value"]) == [3, 4]
    with pytest.raises(Failure, match="'predict' needs value"):
        read_arguments(signature, [], [])
    with pytest.raises(Failure, match="'-' reads a stream from stdin, and 'predict' takes none"):
        read_arguments(method(STR), ["-"], [])


def test_arguments_that_the_method_does_not_have() -> None:
    with pytest.raises(Failure, match="'n=1' is not an argument of 'predict', which takes value") as caught:
        read_arguments(method(STR), ["n=1"], [])
    signature, example = str(caught.value.hint).splitlines()
    assert signature.startswith("Signature: predict(value: str)")
    assert example == "For example: clarifai-emulator predict MODEL value=Hello"
    with pytest.raises(Failure, match="Did you mean 'value'"):
        read_arguments(method(STR), ["valeu=1"], [])


def test_a_method_that_is_almost_there() -> None:
    with pytest.raises(Failure) as caught:
        chosen_method([method(name="classify"), method(name="predict")], "clasify")
    assert str(caught.value.hint).startswith("Did you mean 'classify'? ")


def test_the_method_that_is_meant() -> None:
    one, other = method(name="classify"), method(name="predict")
    assert chosen_method([one], "") is one
    assert chosen_method([one, other], "") is other
    assert chosen_method([one, other], "classify") is one
    with pytest.raises(
        Failure, match=r"(?s)no method 'predict'; say which.*model.classify\(\)\n  model.detect\(\)"
    ):
        chosen_method([one, method(name="detect")], "")


# ── example calls ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "expression"),
    [
        (field("STR"), '"Hello"'),
        (field("BYTES"), 'b"Hello"'),
        (field("INT"), "1"),
        (field("FLOAT"), "0.5"),
        (field("BOOL"), "True"),
        (field("NDARRAY"), "np.zeros((2, 2))"),
        (field("JSON_DATA"), '{"key": "value"}'),
        (field("TEXT"), 'Text("Hello")'),
        (field("IMAGE"), 'Image.from_pil(PIL.Image.new("RGB", (8, 8)))'),
        (field("AUDIO"), 'Audio(bytes=b"...")'),
        (field("VIDEO"), 'Video(bytes=b"...")'),
        (field("FRAME"), 'Frame(image=Image.from_pil(PIL.Image.new("RGB", (8, 8))))'),
        (field("CONCEPT"), 'Concept("cat", value=0.9)'),
        (field("REGION"), "Region(box=[0.1, 0.1, 0.9, 0.9])"),
        (field("LIST", "CONCEPT"), '[Concept("cat", value=0.9)]'),
        (field("TUPLE", "STR", "INT"), '("Hello", 1)'),
        (field("TUPLE", "STR"), '("Hello",)'),
        (field("NAMED_FIELDS", "STR", "INT"), 'NamedFields(part_0="Hello", part_1=1)'),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_an_example_of_every_data_type(wanted: dict[str, Any], expression: str) -> None:
    assert example_call(method(wanted)) == f"model.predict(value={expression})"
    compile(snippet([method(wanted)], model_url="https://clarifai.com/me/app/models/m"), "snippet", "exec")


@pytest.mark.parametrize(
    ("kind", "default", "shown"),
    [
        ("STR", "plain", "value='plain'"),
        ("INT", "2", "value=2"),
        ("FLOAT", "0.5", "value=0.5"),
        ("BOOL", "false", "value=False"),
        ("INT", "None", ""),
        ("INT", "two", ""),
        ("JSON_DATA", "{}", ""),
        ("STR", None, ""),
    ],
)
def test_optional_arguments_show_their_plain_defaults(kind: str, default: str | None, shown: str) -> None:
    assert example_call(method(field(kind, required=False, default=default))) == f"model.predict({shown})"


def test_how_the_answer_is_used() -> None:
    streamed = method({**STR, "iterator": True}, name="stream", kind="STREAMING_STREAMING")
    assert example_lines(method(STR)) == ['print(model.predict(value="Hello"))']
    assert example_lines(streamed) == [
        'for chunk in model.stream(value=iter(["Hello", "Hello"])):',
        "    print(chunk)",
    ]


def test_a_snippet_imports_what_it_uses() -> None:
    text = snippet(
        [method(field("LIST", "CONCEPT")), method(field("NDARRAY"))],
        model_url="https://clarifai.com/me/app/models/m",
        deployment_id="d",
    )
    assert text.splitlines()[:5] == [
        "import numpy as np",
        "from clarifai.client import Model",
        "from clarifai.runners.utils.data_types import Concept",
        "",
        'model = Model("https://clarifai.com/me/app/models/m", deployment_id="d")',
    ]


def test_one_method_of_each_kind_is_shown() -> None:
    first, usual = method(name="classify"), method(name="predict")
    stream = method(name="chat", kind="STREAMING_STREAMING")
    assert chosen_methods([first, stream, usual]) == [usual, stream]
    assert chosen_methods([first]) == [first]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (field("STR"), "value=Hello"),
        (field("IMAGE"), "value=@image-file"),
        (field("LIST", "INT"), "'value=[1]'"),
        (field("NAMED_FIELDS", "STR", "INT"), """'value={"part_0": "Hello", "part_1": 1}'"""),
        (field("INT", iterator=True), "value=1 value=1"),
        (field("INT", required=False), ""),
    ],
)
def test_the_command_that_calls_a_method(wanted: dict[str, Any], words: str) -> None:
    assert command_line(method(wanted), "m") == f"clarifai-emulator predict m {words}".rstrip()
    named = method(wanted, name="classify")
    assert command_line(named, "m").startswith("clarifai-emulator predict m classify")
