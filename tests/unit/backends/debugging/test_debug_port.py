"""The debug port reads along what an editor and debugpy say, and so knows while the model stands still."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clarifai_emulator.backends.debugging.debug_port import Messages, _Session


def framed(**message: Any) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class Holder:
    """Counts who holds it."""

    def __init__(self) -> None:
        self.holders = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.holders += 1
        try:
            yield
        finally:
            self.holders -= 1


@pytest.fixture
def holder() -> Holder:
    return Holder()


@pytest.fixture
def session(holder: Holder) -> _Session:
    return _Session(holder.hold, lambda: None)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_messages_are_read_however_they_are_cut(size: int) -> None:
    data = framed(seq=1, event="stopped") + framed(seq=2, command="continue")
    messages, found = Messages(), list[Any]()
    for start in range(0, len(data), size):
        found += messages.feed(data[start : start + size])
    assert [each["seq"] for each in found] == [1, 2]


def test_a_message_too_long_to_look_at_is_passed_over_and_the_next_is_read() -> None:
    long = framed(seq=1, text="x" * 2_000_000)
    messages = Messages()
    found = messages.feed(long[:1000]) + messages.feed(long[1000:]) + messages.feed(framed(seq=2))
    assert [each["seq"] for each in found] == [2]


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"Content-Length: x\r\n\r\n", b"\r\n\r\n\r\n\r\n"])
def test_what_is_no_message_is_passed_over(garbage: bytes) -> None:
    assert [each["seq"] for each in Messages().feed(garbage + framed(seq=1))] == [1]


def test_it_is_held_from_a_stop_until_the_editor_lets_the_model_go_on(session: _Session, holder: Holder) -> None:
    session.told(framed(event="stopped", body={"threadId": 1, "allThreadsStopped": True}))
    assert holder.holders == 1
    session.asked(framed(command="stackTrace", arguments={"threadId": 1}))
    assert holder.holders == 1
    session.asked(framed(command="next", arguments={"threadId": 1}))
    assert holder.holders == 0
    session.told(framed(event="stopped", body={"threadId": 1}))
    session.told(framed(event="continued", body={"threadId": 1, "allThreadsContinued": True}))
    assert holder.holders == 0


def test_two_threads_that_stand_still_hold_it_until_both_go_on(session: _Session, holder: Holder) -> None:
    session.told(framed(event="stopped", body={"threadId": 1}) + framed(event="stopped", body={"threadId": 2}))
    assert holder.holders == 1
    session.asked(framed(command="continue", arguments={"threadId": 1, "singleThread": True}))
    assert holder.holders == 1
    session.asked(framed(command="continue", arguments={"threadId": 2, "singleThread": True}))
    assert holder.holders == 0


def test_an_editor_that_is_gone_holds_nothing(session: _Session, holder: Holder) -> None:
    session.told(framed(event="stopped", body={"threadId": 1}))
    session.end()
    assert holder.holders == 0
