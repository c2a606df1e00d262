"""Secrets are taken out of messages before anything is written of them; what came stays as it was."""

from __future__ import annotations

from clarifai_grpc.grpc.api.service_pb2 import PostModelOutputsRequest

from clarifai_emulator.api.secret_texts import SecretTexts
from clarifai_emulator.control.page.call_scrubbing import scrubbed


def test_texts_bytes_json_and_named_arguments_lose_their_secrets() -> None:
    request = PostModelOutputsRequest()
    data = request.inputs.add().data
    data.parts.add(id="api_key").data.string_value = "abc"
    data.parts.add(id="max_token").data.int_value = 5
    data.parts.add(id="text").data.text.raw = "a swordfish"
    data.parts.add(id="bytes").data.bytes_value = b"\xff swordfish"
    data.parts.add(id="json").data.struct_value.update({"password": ["x"], "list": ["swordfish", 1]})
    data.parts.add(id="image").data.image.base64 = b"swordfish"
    before = request.SerializeToString()
    clean, was_changed = scrubbed(request, SecretTexts(["swordfish"]))
    assert was_changed
    assert request.SerializeToString() == before
    parts = {part.id: part.data for part in clean.inputs[0].data.parts}
    assert parts["api_key"].string_value == "<hidden>"
    assert parts["max_token"].int_value == 5
    assert parts["text"].text.raw == "a <hidden>"
    assert parts["bytes"].bytes_value == b"\xff <hidden>"
    assert dict(parts["json"].struct_value) == {"password": "<hidden>", "list": ["<hidden>", 1]}
    assert parts["image"].image.base64 == b"swordfish", "a picture is no text"


def test_a_message_without_secrets_stays_the_same() -> None:
    request = PostModelOutputsRequest()
    request.inputs.add().data.parts.add(id="prompt").data.string_value = "hi"
    clean, was_changed = scrubbed(request, SecretTexts(["swordfish"]))
    assert (clean, was_changed) == (request, False)
