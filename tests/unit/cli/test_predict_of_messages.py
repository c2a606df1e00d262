"""The command that calls methods says what to do about a model that has none, as it answers messages."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli import predict
from clarifai_emulator.cli.output import Failure
from clarifai_emulator.messages.address import ModelAddress


class OldModelClient:
    """Stands in for the SDK's client of a model that answers whatever it is asked."""

    def fetch(self) -> None:
        raise ValueError("Expecting value: line 1 column 1 (char 0)")


def test_a_model_on_messages_is_told_from_one_with_methods() -> None:
    with pytest.raises(Failure) as told:
        predict._signatures(OldModelClient(), ModelAddress("me", "demo", "old"))  # pyright: ignore[reportPrivateUsage]
    assert told.value.message == (
        "Model me/demo/models/old answers messages, as models were written before clarifai 11.3.0: it has no "
        "methods that this command could call."
    )
    assert told.value.hint == (
        'Call it with the SDK: `Model(url="https://clarifai.com/me/demo/models/old")'
        '.predict_by_bytes(b"…", input_type="text")`.'
    )
