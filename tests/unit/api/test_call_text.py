"""A request is shown as a call: long values shortened, media described, secrets left out."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data
from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest

from clarifai_emulator.api.call_text import call_text


def request(**arguments: Any) -> Any:
    made = PostModelOutputsRequest()
    data = made.inputs.add().data
    for name, value in arguments.items():
        part = data.parts.add(id=name)
        if isinstance(value, Data):
            part.data.CopyFrom(value)
        elif isinstance(value, str):
            part.data.string_value = value
        elif isinstance(value, bytes):
            part.data.bytes_value = value
        else:
            part.data.int_value = value
    return made


def text(**arguments: Any) -> str:
    return call_text(request(**arguments), "predict")


def test_arguments_are_written_as_in_code() -> None:
    assert text(text="hi", top=3) == "predict(text='hi', top=3)"
    assert text() == "predict()"
    assert call_text(PostModelOutputsRequest(), "predict") == "predict()"


def test_long_text_is_shortened_and_its_length_said() -> None:
    found = text(text="x" * 5000)
    assert len(found) < 120
    assert "5002 characters" in found


def test_bytes_and_images_are_described() -> None:
    image = Data()
    image.image.base64 = b"\x89PNG" * 3000
    assert text(data=b"\x00" * 2048, picture=image) == "predict(data=<2.0 kB>, picture=<image, 12.0 kB>)"
    image = Data()
    image.image.url = "https://example.com/a.png?signature=abc"
    assert text(picture=image) == "predict(picture=<image 'https://example.com/a.png'>)"


def test_a_large_value_of_many_parts_is_described_by_its_size() -> None:
    many = Data()
    for number in range(20_000):
        many.parts.add().data.int_value = number
    assert text(vector=many).startswith("predict(vector=<1")


@pytest.mark.parametrize(
    "name", ["api_key", "openai_apikey", "password", "secret", "hf_token", "pat", "Authorization"]
)
def test_arguments_that_are_secrets_by_name_are_hidden(name: str) -> None:
    assert text(**{name: "hunter2-hunter2"}) == f"predict({name}=<hidden>)"


def test_names_that_only_sound_like_it_are_shown() -> None:
    assert text(path="a.txt", max_tokens=7, keyboard="qwerty") == (
        "predict(path='a.txt', max_tokens=7, keyboard='qwerty')"
    )


@pytest.mark.parametrize(
    "secret", ["sk-abcdefghijklmnop", "hf_abcdefghijklmnop", "ghp_abcdefghijklmnop", "Bearer abcdefghijklmnop"]
)
def test_values_that_look_like_secrets_are_hidden_wherever_they_stand(secret: str) -> None:
    assert "abcdefghijklmnop" not in text(prompt=f"use {secret} please")


def test_secrets_in_json_text_are_hidden() -> None:
    assert text(msg='{"model": "m", "api_key": "hunter2"}') == (
        'predict(msg=\'{"model": "m", "api_key": "<hidden>"}\')'
    )


def test_further_inputs_are_counted() -> None:
    made = request(text="a")
    made.inputs.add()
    made.inputs.add()
    assert call_text(made, "predict") == "predict(text='a') and 2 more inputs"


def test_an_input_of_older_clients_is_its_value() -> None:
    made = PostModelOutputsRequest()
    made.inputs.add().data.string_value = "hi"
    assert call_text(made, "predict") == "predict('hi')"
