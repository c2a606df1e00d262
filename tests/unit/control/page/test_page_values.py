"""Values of messages are shown as the method's signature says, cut where they are long, and without secrets."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, Image, ModelTypeField, NDArray, Region, Text

from clarifai_emulator.api.secret_texts import SecretTexts
from clarifai_emulator.control.page.page_values import MOST_IN_ALL, MOST_OF_TEXT, ValueView, shown_values
from clarifai_emulator.control.page.value_files import value_file

TYPE = ModelTypeField.DataType
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
NONE = SecretTexts()


def part(name: str = "value", **fields: Any) -> Data:
    data = Data()
    data.parts.add(id=name).data.CopyFrom(Data(**fields))
    return data


def field(kind: Any, name: str = "value", *args: Any) -> Any:
    return ModelTypeField(name=name, type=kind, type_args=args)


def one(data: Data, kind: Any = None, **view: Any) -> dict[str, Any]:
    view = {"address_of": lambda path: f"?{path}", **view}  # pyright: ignore[reportUnknownLambdaType]
    found = shown_values(data, [kind] if kind is not None else [], ValueView(**view))
    assert len(found) == 1
    return found[0]


def as_struct(content: Any) -> Data:
    data = Data()
    data.struct_value.update(content)
    return data


@pytest.mark.parametrize(
    ("fields", "kind", "shown"),
    [
        ({"string_value": "hi"}, TYPE.STR, ("text", "hi")),
        ({}, TYPE.STR, ("text", "")),
        ({"int_value": 2**60}, TYPE.INT, ("number", str(2**60))),
        ({}, TYPE.INT, ("number", "0")),
        ({"float_value": 0.5}, TYPE.FLOAT, ("number", "0.5")),
        ({"float_value": float("nan")}, TYPE.FLOAT, ("number", "NaN")),
        ({}, TYPE.BOOL, ("bool", "False")),
        ({"text": Text(raw="hi")}, TYPE.TEXT, ("text", "hi")),
        ({"string_value": "hi"}, None, ("text", "hi")),
    ],
)
def test_a_plain_value_is_shown_as_its_type_says(fields: dict[str, Any], kind: Any, shown: tuple[str, str]) -> None:
    found = one(part(**fields), field(kind) if kind is not None else None)
    assert (found["name"], found["kind"], found["text"]) == ("value", *shown)
    assert found["type"] == {TYPE.STR: "str", TYPE.INT: "int", TYPE.BOOL: "bool"}.get(kind, found["type"])


def test_nothing_is_told_from_an_empty_text_by_the_signature_only() -> None:
    assert one(part())["kind"] == "none"
    assert one(part(), field(TYPE.IMAGE))["kind"] == "none"


def test_a_long_text_is_cut_and_names_the_address_of_the_whole() -> None:
    text = "ä" * (MOST_OF_TEXT + 1)
    found = one(part(string_value=text))
    assert (len(found["text"]), found["characters"]) == (MOST_OF_TEXT, MOST_OF_TEXT + 1)
    assert found["whole"] == "?parts.0.string_value"
    file = value_file(part(string_value=text), "parts.0.string_value", NONE)
    assert file is not None
    assert file.content.decode() == text
    assert "whole" not in one(part(string_value="short"))


def test_many_long_texts_are_bounded_together() -> None:
    data = Data()
    for number in range(90):
        data.parts.add(id=f"a{number}").data.string_value = "x" * MOST_OF_TEXT
    found = shown_values(data, (), ValueView())
    assert sum(len(each["text"]) for each in found) < MOST_IN_ALL + 90 * 300
    assert len(found[-1]["text"]) == 200


def test_very_many_values_are_counted() -> None:
    data = Data()
    for number in range(1000):
        data.parts.add(id=f"a{number}").data.int_value = number
    found = shown_values(data, (), ValueView())
    assert found[-1] == {"name": "", "kind": "left_out", "count": 900}


def test_json_is_shown_as_text_in_order_and_a_large_one_is_cut() -> None:
    found = one(part(struct_value=as_struct({"b": [1, 2.5, None, True], "a": {}}).struct_value))
    assert json.loads(found["text"]) == {"b": [1, 2.5, None, True], "a": {}}
    assert not found["is_cut"]
    listed = one(part(struct_value=as_struct({"_list": [1, "x"]}).struct_value), field(TYPE.JSON_DATA))
    assert json.loads(listed["text"]) == [1, "x"]
    large = part(struct_value=as_struct({"texts": ["x" * 100] * 2_000}).struct_value)
    cut = one(large)
    assert cut["is_cut"]
    assert len(cut["text"]) == MOST_OF_TEXT
    file = value_file(large, cut["whole"][1:], NONE)
    assert file is not None
    assert json.loads(file.content) == {"texts": ["x" * 100] * 2_000}


def test_numbers_that_json_has_not_are_shown_all_the_same() -> None:
    data = part(struct_value=as_struct({"a": float("nan"), "b": float("-inf")}).struct_value)
    assert one(data)["text"] == '{\n  "a": NaN,\n  "b": -Infinity\n}'


@pytest.mark.parametrize(
    ("content", "kind", "is_shown"),
    [
        (PNG, "image/png", True),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "", False),
        (b"<html><script>alert(1)</script>", "", False),
        (b"", "", False),
    ],
)
def test_only_what_is_certainly_an_image_is_shown_as_one(content: bytes, kind: str, is_shown: bool) -> None:
    data = part(image=Image(base64=content, url="" if content else "https://example.com/a.png?signature=s"))
    found = one(data, field(TYPE.IMAGE))
    assert (found["kind"], found["media"], found.get("file_type", "")) == ("media", "image", kind)
    if not content:
        assert found["elsewhere"] == "https://example.com/a.png"
        return
    file = value_file(data, found["whole"][1:], NONE)
    assert file is not None
    assert file.content == content
    assert (file.kind == kind, file.name == "") == (is_shown, is_shown)
    assert is_shown or file.kind == "application/octet-stream"


def test_bytes_are_shown_as_text_where_they_are_one_and_as_numbers_where_not() -> None:
    assert one(part(bytes_value="häh".encode()))["text"] == "häh"
    assert one(part(bytes_value=b"\x00\xff"))["hex"] == "00 ff"
    long = one(part(bytes_value="ä".encode() * 10_000))
    assert long["text"].startswith("ä")
    assert long["size"] == 20_000
    assert one(part(bytes_value=PNG))["file_type"] == "image/png"


def test_an_array_shows_its_type_its_shape_and_its_first_values() -> None:
    array = NDArray(buffer=struct.pack("<40f", *range(40)), shape=[4, 10], dtype="float32")
    found = one(part(ndarray=array), field(TYPE.NDARRAY))
    assert (found["dtype"], found["shape"], found["first"][:3], len(found["first"])) == (
        *("float32", [4, 10], ["0", "1", "2"]),
        24,
    )
    strange = NDArray(buffer=b"abc", shape=[3], dtype="<script>" * 100)
    found = one(part(ndarray=strange))
    assert found["first"] is None
    assert len(found["dtype"]) == 40
    file = value_file(part(ndarray=strange), "parts.0.ndarray", NONE)
    assert file is not None
    assert file.content == b"abc"


def test_lists_tuples_and_named_fields_hold_values() -> None:
    listed = Data()
    for number in range(150):
        listed.parts.add().data.string_value = "" if number == 1 else str(number)
    found = one(part(parts=listed.parts), field(TYPE.LIST, "value", field(TYPE.STR)))
    assert (found["kind"], found["count"], len(found["items"])) == ("list", 150, 100)
    assert found["items"][1] == {"kind": "text", "text": "", "characters": 0}
    named = Data()
    named.parts.add(id="name").data.string_value = "cat"
    named.parts.add(id="count")
    fields = field(TYPE.NAMED_FIELDS, "value", field(TYPE.STR, "name"), field(TYPE.INT, "count"))
    found = one(part(parts=named.parts), fields)
    assert [(each["name"], each["text"]) for each in found["fields"]] == [("name", "cat"), ("count", "0")]
    assert one(part(), field(TYPE.LIST, "value", field(TYPE.STR)))["items"] == []


def test_a_value_inside_a_value_is_loaded_by_its_path() -> None:
    inner = Data()
    inner.parts.add(id="0").data.string_value = "y" * (MOST_OF_TEXT + 1)
    data = part(parts=inner.parts)
    found = one(data)["items"][0]
    assert found["whole"] == "?parts.0.parts.0.string_value"
    assert value_file(data, "parts.0.parts.0.string_value", NONE) is not None


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "parts", "parts.0", "parts.1.string_value", "parts.-1.string_value", "parts.x.string_value"),
        *("parts.²2.string_value", "DESCRIPTOR", "parts.0.SerializeToString", "parts.0.image", "x." * 100 + "text"),
    ],
)
def test_a_path_that_leads_nowhere_gives_no_file(path: str) -> None:
    assert value_file(part(string_value="x"), path, NONE) is None


def test_concepts_regions_and_frames_are_json_without_the_bytes_of_their_images() -> None:
    concepts = one(part(concepts=[Concept(id="cat", value=0.5)]), field(TYPE.CONCEPT))
    assert json.loads(concepts["text"]) == [{"id": "cat", "value": 0.5}]
    region = Region(id="r")
    region.region_info.mask.image.base64 = bytes(900)
    regions = one(part(regions=[region]))
    assert "<900 bytes>" in regions["text"]
    frame = Frame(data=Data(image=Image(base64=PNG)))
    frame.frame_info.index = 3
    found = one(part(frames=[frame]), field(TYPE.FRAME))["items"][0]["fields"]
    assert found[0]["name"] == "frame_info"
    assert (found[1]["kind"], found[1]["file_type"], found[1]["whole"]) == (
        *("media", "image/png"),
        "?parts.0.frames.0.image",
    )
    assert value_file(part(frames=[frame]), "parts.0.frames.0.image", NONE) is not None


def test_messages_of_older_clients_have_values_without_names() -> None:
    data = Data(text=Text(raw="hi"))
    data.metadata.update({"_method_name": "predict"})
    assert (one(data)["name"], one(data)["text"]) == ("", "hi")
    both = Data(text=Text(raw="hi"), image=Image(base64=PNG))
    found = shown_values(both, (), ValueView(address_of=str))
    assert [(each["name"], each["kind"]) for each in found] == [("image", "media"), ("text", "text")]
    assert found[0]["whole"] == "image"


def test_secrets_are_hidden_wherever_they_are() -> None:
    secrets = SecretTexts(["swordfish"])
    token = "replica-" + "0123456789abcdef" * 3
    shown = [
        one(part("api_key", string_value="abc"), secrets=secrets),
        one(part("config", parts=part("password", string_value="abc").parts), secrets=secrets),
        one(part(string_value=f"the swordfish and {token} and sk-0123456789abc"), secrets=secrets),
        one(part(bytes_value=b"the swordfish"), secrets=secrets),
        one(
            part(struct_value=as_struct({"secret": {"a": "abc"}, "b": ["swordfish"]}).struct_value), secrets=secrets
        ),
        one(part(string_value="x" * (MOST_OF_TEXT - 4) + "swordfish"), secrets=secrets),
    ]
    said = json.dumps(shown)
    for secret in ("abc", "swordfish", "sword", token):
        assert f'"{secret}' not in said
        assert f" {secret}" not in said
    assert shown[5]["text"].endswith("x<hid")
    assert one(part("max_tokens", int_value=5))["text"] == "5"


def test_no_file_holds_a_secret() -> None:
    secrets = SecretTexts(["swordfish"])
    assert value_file(part("api_key", string_value="abc"), "parts.0.string_value", secrets) is None
    for fields, name in (
        ({"string_value": "a swordfish"}, "string_value"),
        ({"bytes_value": b"\x00\xffa swordfish"}, "bytes_value"),
        ({"struct_value": as_struct({"a": "swordfish"}).struct_value}, "struct_value"),
    ):
        file = value_file(part(**fields), f"parts.0.{name}", secrets)
        assert file is not None
        assert b"swordfish" not in file.content
        assert b"<hidden>" in file.content


def test_a_value_in_the_form_of_older_clients_is_shown_once() -> None:
    data = Data(string_value="both", text=Text(raw="both"))
    shown = shown_values(data, [field(TYPE.STR, "return")], ValueView())
    assert [(each["name"], each["text"]) for each in shown] == [("return", "both")]
