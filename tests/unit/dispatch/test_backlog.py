"""A slow client reads what is left in order, whole, and with little of it in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.dispatch import backlog as module
from clarifai_emulator.dispatch.backlog import Backlog
from clarifai_emulator.messages.outline import outline


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_MEMORY", 100)


def response(text: str) -> Any:
    answer = MultiOutputResponse()
    answer.status.description = text
    return answer


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@given(st.lists(st.one_of(st.none(), st.integers(0, 80))))
def test_what_goes_in_comes_out_in_order_wherever_it_was_kept(steps: list[int | None]) -> None:
    backlog, expected = Backlog(), list[Any]()
    for number, size in enumerate(steps):
        if size is not None:
            expected.append(response(f"{number}" * size))
            backlog.append(expected[-1], expected[-1].ByteSize())
        elif expected:
            assert backlog.popleft() == (expected[0], expected.pop(0).ByteSize(), b"")
        assert len(backlog) == len(expected)
        assert backlog.bytes == sum(each.ByteSize() for each in expected)
    backlog.clear()
    assert (len(backlog), backlog.bytes) == (0, 0)


def test_beyond_its_memory_it_is_one_file_without_a_name_that_is_closed_when_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = descriptors()
    backlog = Backlog()
    for _ in range(3):
        backlog.append(response("x" * 90), 94)
    assert descriptors() == before + 1
    assert list(tmp_path.iterdir()) == []
    assert [backlog.popleft()[0].status.description for _ in range(3)] == ["x" * 90] * 3
    assert descriptors() == before


def test_one_that_is_large_stays_in_memory_as_it_is_taken_next() -> None:
    before = descriptors()
    backlog = Backlog()
    backlog.append(response("x" * 200), 204)
    assert descriptors() == before
    backlog.append(response("y" * 50), 54)
    assert descriptors() == before + 1
    assert [backlog.popleft()[0].status.description[0] for _ in range(2)] == ["x", "y"]
    backlog.append(response("z" * 200), 204)
    assert descriptors() == before


def test_dropping_it_closes_the_file() -> None:
    before = descriptors()
    backlog = Backlog()
    for _ in range(3):
        backlog.append(response("x" * 90), 94)
    backlog.clear()
    assert descriptors() == before


def test_without_room_on_disk_it_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise OSError("no space left on device")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refuse)
    backlog = Backlog()
    for number in range(3):
        backlog.append(response(f"{number}" * 90), 94)
    assert [backlog.popleft()[0].status.description[0] for _ in range(3)] == ["0", "1", "2"]


def test_an_outline_comes_back_with_the_bytes_that_it_is_of_also_from_the_file() -> None:
    data = MultiOutputResponse(outputs=[{"data": {"bytes_value": b"x" * 100_000}}]).SerializeToString()
    read = outline(MultiOutputResponse, data)
    backlog = Backlog()
    for _ in range(2):
        backlog.append(read, len(data), data)
    for _ in range(2):
        assert backlog.popleft() == (read, len(data), data)
