"""Output of a replica becomes lines, whatever the pieces it comes in."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest

from clarifai_emulator.backends.replica_output import OutputPipe


class Scene:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pipe = OutputPipe(self.lines.append)

    async def write(self, *pieces: bytes) -> None:
        """Write as the replica prints: piece by piece, each read on its own."""
        for piece in pieces:
            os.write(self.pipe.write_fd, piece)
            await asyncio.sleep(0.05)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_each_line_is_told_when_it_is_complete(scene: Scene) -> None:
    await scene.write(b"one\ntw")
    assert scene.lines == ["one"]
    await scene.write(b"o\n\nthree\n")
    assert scene.lines == ["one", "two", "", "three"]
    scene.pipe.close()


async def test_the_last_line_needs_no_end(scene: Scene) -> None:
    await scene.write(b"one\nno end")
    scene.pipe.close()
    assert scene.lines == ["one", "no end"]


async def test_what_was_printed_just_before_the_end_is_read_by_close(scene: Scene) -> None:
    os.write(scene.pipe.write_fd, b"x" * 40_000 + b"\nlast words\n")
    scene.pipe.close()
    assert scene.lines[-1] == "last words"


async def test_a_character_in_two_pieces_is_one_character(scene: Scene) -> None:
    await scene.write(b"caf\xc3", b"\xa9\n")
    scene.pipe.close()
    assert scene.lines == ["café"]


async def test_bytes_that_are_no_text_are_replaced_not_dropped(scene: Scene) -> None:
    await scene.write(b"\xff\xfe\n")
    scene.pipe.close()
    assert scene.lines == ["��"]


async def test_a_line_without_an_end_is_told_in_pieces_and_nothing_of_it_is_lost(scene: Scene) -> None:
    for _ in range(10):
        await scene.write(b"x" * 10_000)
    await scene.write(b"\nnext\n")
    scene.pipe.close()
    assert len(scene.lines) > 3
    assert max(map(len, scene.lines)) <= 26_384
    assert "".join(scene.lines) == "x" * 100_000 + "next"


async def test_the_pipe_ends_by_itself_when_the_replica_has_closed_it(scene: Scene) -> None:
    await scene.write(b"bye")
    scene.pipe.give_away()
    await asyncio.sleep(0.05)
    assert scene.lines == ["bye"]
    scene.pipe.close()
    scene.pipe.close()
    assert scene.lines == ["bye"]


async def test_close_does_not_wait_for_something_that_the_replica_started_and_that_still_writes() -> None:
    lines: list[str] = []
    pipe = OutputPipe(lines.append)
    held = os.dup(pipe.write_fd)
    os.write(held, b"from a grandchild\n")
    pipe.close()
    assert lines == ["from a grandchild"]
    with pytest.raises(BrokenPipeError):
        os.write(held, b"nobody reads this")
    os.close(held)


async def test_a_flood_is_told_a_little_at_a_time_and_others_have_their_turn_in_between(scene: Scene) -> None:
    told: list[int] = []  # lines that were told in each turn of the event loop
    os.write(scene.pipe.write_fd, b"\n" * 60_000)
    while len(scene.lines) < 60_000:
        before = len(scene.lines)
        await asyncio.sleep(0.001)
        told.append(len(scene.lines) - before)
    assert max(told) <= 100
    scene.pipe.close()


async def test_a_replica_that_floods_waits_with_what_it_prints(scene: Scene) -> None:
    os.set_blocking(scene.pipe.write_fd, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(scene.pipe.write_fd, b"x" * 4095 + b"\n")
    await asyncio.sleep(0.05)
    os.write(scene.pipe.write_fd, b"there is room again\n")
    scene.pipe.close()
    assert scene.lines[-1] == "there is room again"


async def test_of_a_flood_that_ends_the_last_lines_are_told_and_how_many_are_left_out(scene: Scene) -> None:
    os.write(scene.pipe.write_fd, b"\n" * 60_000 + b"last words\n")
    scene.pipe.close()
    assert scene.lines[-1] == "last words"
    assert scene.lines[0] == ("[emulator] 35001 lines are left out here: the replica ended while it printed")
    assert len(scene.lines) == 25_001


async def test_a_flood_of_something_that_outlives_the_replica_does_not_hold_up_its_end() -> None:
    lines: list[str] = []
    pipe = OutputPipe(lines.append)
    held = os.dup(pipe.write_fd)
    read = os.read

    def read_and_refill(fd: int, size: int) -> bytes:
        os.write(held, b"x" * 9_999 + b"\n")
        return read(fd, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "read", read_and_refill)
        pipe.close()
    os.close(held)
    assert 100 <= len(lines) < 200
