"""The archive of a pipeline step is looked through: what is missing, or cannot be, is said."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from clarifai_emulator.models.step_archive import step_archive_problem

WHOLE = ("config.yaml", "requirements.txt", "1/pipeline_step.py")


def packed(*names: str, size: int = 0) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, None if size else io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize("data", [packed(*WHOLE), gzip.compress(packed(*(f"./{each}" for each in WHOLE)))])
def test_a_whole_step_is_taken_plain_or_zipped(data: bytes) -> None:
    assert step_archive_problem(io.BytesIO(data)) == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no archive", "The archive cannot be read: file could not be opened successfully"),
        (gzip.compress(packed(*WHOLE))[:60], "The archive cannot be read: "),
        (packed("config.yaml"), "The archive has no requirements.txt, no 1/pipeline_step.py; a step's folder has "
         "config.yaml, requirements.txt, 1/pipeline_step.py. Add it."),
        (packed(*WHOLE, size=5 * 2**30),
         "The archive holds more than 4294967296 bytes or 100000 files. Leave data out."),
    ],
    ids=["none", "cut off", "incomplete", "too large"],
)  # fmt: skip
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    assert step_archive_problem(io.BytesIO(data)).startswith(says)
