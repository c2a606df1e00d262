"""Tests addresses that cannot be one."""

from __future__ import annotations

import pytest

from clarifai_emulator.control.network import reach
from clarifai_emulator.errors import ControlError

TOKEN = "CLARIFAI_EMULATOR_TOKEN"


@pytest.mark.parametrize(
    "text", ["ftp://box", "http://", "http://box:x", "http://box:99999", "http://u:p@box", "http://b/v2"]
)
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(ControlError, match="is no address of an emulator") as caught:
        reach(text, {TOKEN: "t"})
    assert (caught.value.reason, caught.value.hint) == (
        "usage",
        "Write http://HOST:PORT, as `clarifai-emulator up` prints it.",
    )
