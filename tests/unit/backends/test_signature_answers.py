"""A reader of signatures that ended without an answer: whose fault it was, and what to do."""

from __future__ import annotations

import pytest

from clarifai_emulator.backends.backend import Exit
from clarifai_emulator.backends.signature_answers import decode_answer
from clarifai_emulator.errors import ModelError

# As clarifai 11.5.6 ends where pip has chosen protobuf 7 for it.
BROKEN_SDK = """Traceback (most recent call last):
  File "/tmp/clarifai-emulator/inspect_main.py", line 61, in examine
  File "/venv/lib/python3.11/site-packages/clarifai/runners/utils/data_utils.py", line 12, in <module>
    if field.label == FieldDescriptor.LABEL_REPEATED:
AttributeError: 'google._upb._message.FieldDescriptor' object has no attribute 'label'
"""


def test_an_sdk_that_cannot_be_imported_is_not_taken_for_a_model_that_ends_its_interpreter() -> None:
    with pytest.raises(ModelError) as caught:
        decode_answer(b"", Exit(code=1), BROKEN_SDK.splitlines())
    assert caught.value.summary == (
        "The Clarifai SDK of this model's environment cannot be imported: AttributeError: "
        "'google._upb._message.FieldDescriptor' object has no attribute 'label'."
    )
    assert "protobuf<7" in caught.value.hint
    assert "FieldDescriptor.LABEL_REPEATED" in caught.value.log


@pytest.mark.parametrize(
    ("exit_", "lines"),
    [
        (
            Exit(code=1),
            ["Traceback (most recent call last):", '  File "/home/nonroot/main/1/model.py"', "ValueError"],
        ),
        (Exit(code=1), []),
        (Exit(signal=11), BROKEN_SDK.splitlines()),
    ],
)
def test_a_model_that_ends_its_interpreter_is_told_so(exit_: Exit, lines: list[str]) -> None:
    with pytest.raises(ModelError, match="ended the interpreter while it was being imported") as caught:
        decode_answer(b"", exit_, lines)
    assert "os._exit()" in caught.value.hint
