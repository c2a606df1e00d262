"""Commands that call models with the SDK want a recent one; the emulator itself stands beside older ones."""

from __future__ import annotations

import pytest

from clarifai_emulator.cli.output import Failure
from clarifai_emulator.cli.sdk import require_recent_sdk


def test_a_recent_sdk_is_taken() -> None:
    require_recent_sdk("12.2.2")


def test_an_older_one_stays_and_the_way_out_is_said() -> None:
    with pytest.raises(Failure) as refused:
        require_recent_sdk("11.7.5")
    assert refused.value.message == (
        "This command calls models with the Clarifai SDK 12.2.2 or newer; beside it is 11.7.5."
    )
    assert "install `clarifai-emulator[sdk]` in an environment of its own" in refused.value.hint
