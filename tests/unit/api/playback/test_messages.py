"""Messages as they stand in a cassette."""

from __future__ import annotations

import math

from clarifai_grpc.grpc.api.service_pb2 import (
    MultiOutputResponse,
    MultiSecretResponse,
    PatchSecretsRequest,
    PostSecretsRequest,
    SingleSecretResponse,
)

from clarifai_emulator.api.playback.messages import answer_from_dict, as_plain


def test_numbers_that_json_does_not_have_are_recorded_in_words() -> None:
    answer = MultiOutputResponse()
    answer.outputs.add().data.metadata.update({"score": math.inf, "other": "x"})
    told = as_plain(answer, frozenset())
    assert told == {"outputs": [{"data": {"metadata": {"score": "Infinity", "other": "x"}}}]}
    played = answer_from_dict("PostModelOutputs", told)
    assert played.outputs[0].data.metadata["score"] == "Infinity"


def test_credentials_stand_nowhere() -> None:
    answer = MultiOutputResponse()
    answer.status.details = "the token very-secret is not known"
    told = as_plain(answer, frozenset(["very-secret"]))
    assert "very-secret" not in str(told)
    assert told["status"]["details"].startswith("the token ")


def test_the_values_of_secrets_are_told_to_no_cassette() -> None:
    posted = PostSecretsRequest(secrets=[{"id": "S", "value": "very-secret"}])
    patched = PatchSecretsRequest(secret=[{"id": "S", "value": "very-secret"}])
    listed = MultiSecretResponse(secrets=[{"id": "S", "value": "very-secret"}])
    shown = SingleSecretResponse(secret={"id": "S", "value": "very-secret"})
    for message in (posted, patched, listed, shown):
        assert "very-secret" not in str(as_plain(message, frozenset()))
