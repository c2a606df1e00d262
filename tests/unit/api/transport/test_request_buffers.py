"""Buffers bound what waits for clients, and give up first what has stood still for the longest time."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from clarifai_emulator.api.transport.request_buffers import Buffers, ConnectionBuffers, Pieces, RequestBuffer

HEAD = 8 * 1024  # what a request costs that has said nothing
MIB = 1024 * 1024


class Asked:
    """A request that notes the reason for which it was given up."""

    def __init__(self, connection: ConnectionBuffers) -> None:
        self.reason = ""
        self.buffer: RequestBuffer = connection.request(self._give_up)

    def _give_up(self, reason: str) -> None:
        self.reason = reason


@contextmanager
def without_collector() -> Iterator[None]:
    """Let only what nothing refers to any more be freed."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_what_is_held_is_counted_and_ended() -> None:
    buffers = Buffers(10 * MIB, MIB)
    connection = buffers.connection()
    asked = Asked(connection)
    asked.buffer.hold(1000)
    assert (buffers.size, connection.size) == (HEAD + 1000, HEAD + 1000)
    asked.buffer.hold(10)
    assert buffers.size == HEAD + 10
    asked.buffer.end()
    asked.buffer.hold(1000)
    assert (buffers.size, connection.size) == (0, 0)


def test_of_a_connection_that_holds_too_much_the_request_that_stood_still_longest_is_given_up() -> None:
    connection = Buffers(10 * MIB, MIB).connection()
    first, second, third = Asked(connection), Asked(connection), Asked(connection)
    for each in (second, first, third):
        each.buffer.hold(300_000)
    third.buffer.hold(600_000)
    assert (first.reason, third.reason) == ("", "")
    assert second.reason == (
        "The requests and answers that wait on this connection have more than 1048576 bytes together, the most "
        "that a connection may hold (--max-connection-buffer-bytes). Send fewer at once, and read the answers."
    )


def test_of_all_connections_the_request_that_stood_still_longest_is_given_up() -> None:
    buffers = Buffers(MIB, MIB)
    first, second = Asked(buffers.connection()), Asked(buffers.connection())
    first.buffer.hold(500_000)
    second.buffer.hold(700_000)
    assert second.reason == ""
    assert first.reason == (
        "The requests and answers that wait on all connections have more than 1048576 bytes together, the most "
        "that the emulator holds (--max-buffer-bytes). Send it again later, or fewer at once."
    )
    assert buffers.size == HEAD + 700_000


def test_what_a_handler_has_in_hand_stays_and_the_one_that_asks_for_more_is_refused() -> None:
    connection = Buffers(10 * MIB, MIB).connection()
    served, late = Asked(connection), Asked(connection)
    served.buffer.hold(1_000_000)
    served.buffer.put_in_hand(True)
    late.buffer.hold(100_000)
    assert served.reason == ""
    assert late.reason.startswith("The requests and answers that wait on this connection")


def test_one_request_that_is_too_large_by_itself_is_given_up() -> None:
    asked = Asked(Buffers(10 * MIB, MIB).connection())
    asked.buffer.hold(2 * MIB)
    assert asked.reason


def test_requests_cost_something_before_they_say_anything() -> None:
    connection = Buffers(10 * MIB, MIB).connection()
    asked = [Asked(connection) for _ in range(200)]
    assert asked[0].reason
    assert not asked[-1].reason
    assert connection.size <= MIB


def test_a_connection_that_is_closed_holds_nothing() -> None:
    buffers = Buffers(10 * MIB, MIB)
    connection = buffers.connection()
    for _ in range(3):
        Asked(connection).buffer.hold(1000)
    connection.close()
    assert (buffers.size, connection.requests) == (0, set())


def test_what_a_large_request_has_held_is_told_when_it_ends() -> None:
    freed: list[int] = []
    connection = Buffers(10 * MIB, 10 * MIB, freed.append).connection()
    large, small = Asked(connection), Asked(connection)
    large.buffer.hold(2 * MIB)
    small.buffer.hold(1000)
    large.buffer.end()
    small.buffer.end()
    assert freed == [2 * MIB + HEAD]


def test_who_may_send_more_than_others_is_let() -> None:
    connection = Buffers(10 * MIB, MIB).connection()
    connection.allow(4 * MIB)
    asked = Asked(connection)
    asked.buffer.hold(4 * MIB)
    assert not asked.reason


def test_small_pieces_are_kept_together_and_in_order() -> None:
    pieces = Pieces()
    sent = [b"a" * 10_000, *(bytes([number % 256]) * 2 for number in range(100_000)), b"b" * 10_000, b"c"]
    for each in sent:
        pieces.add(each)
    assert pieces.size == sum(map(len, sent))
    taken = pieces.take()
    assert b"".join(taken) == b"".join(sent)
    assert len(taken) < 10
    assert (pieces.size, pieces.take()) == (0, [])


def test_a_request_that_has_ended_leaves_nothing_for_the_garbage_collector() -> None:
    connection = Buffers(10 * MIB, MIB).connection()
    for end in (RequestBuffer.end, partial(RequestBuffer.refuse, reason="no room")):
        asked = Asked(connection)
        end(asked.buffer)
        is_there = weakref.ref(asked)
        with without_collector():
            del asked
            assert is_there() is None
