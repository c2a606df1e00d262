"""HTTP/2 as a server speaks it, against another implementation of it, and against frames that break its rules."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    TrailersReceived,
    WindowUpdated,
)
from h2.settings import SettingCodes
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.transport.http2_frames import PREFACE, ConnectionFault, ErrorCode
from clarifai_emulator.api.transport.http2_session import MOST_STREAMS, STREAM_WINDOW, Session

CALL = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "x"), ("te", "trailers")]
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY, ACK = 0x1, 0x4, 0x8, 0x20, 0x1


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def block(fields: Sequence[tuple[str, str]] = CALL) -> bytes:
    return Encoder().encode(fields)


def headers(stream_id: int, flags: int = END_HEADERS, fields: Sequence[tuple[str, str]] = CALL) -> bytes:
    return frame(HEADERS, flags, stream_id, block(fields))


class Heard:
    """Notes what a session tells its listener."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.data = 0

    def request_came(self, stream_id: int, fields: Mapping[str, str]) -> None:
        self.said.append(("request", stream_id, fields.get(":path", "")))

    def data_came(self, stream_id: int, data: bytes, size: int) -> None:
        assert len(data) == size
        self.data += size
        self.said.append(("data", stream_id, data))

    def request_ended(self, stream_id: int) -> None:
        self.said.append(("end", stream_id))

    def stream_was_reset(self, stream_id: int) -> None:
        self.said.append(("reset", stream_id))

    def window_grew(self, stream_id: int) -> None:
        pass

    def all_windows_grew(self) -> None:
        self.said.append(("windows",))


class Peers:
    """A session, and a client of another implementation that it talks to without a wire."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.session = Session(self.heard)
        self.client = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.client.initiate_connection()
        self.exchange()

    def exchange(self) -> list[Event]:
        """Pass on what both have to say, until neither has more; return what the client has heard."""
        events: list[Event] = []
        while True:
            said, answered = self.client.data_to_send(), b"".join(self.session.take())
            if not said and not answered:
                return events
            self.session.receive(said)
            events += self.client.receive_data(answered)

    def ask(self, data: bytes = b"", *, end: bool = True) -> int:
        stream_id = self.client.get_next_available_stream_id()
        self.client.send_headers(stream_id, CALL)
        self.client.send_data(stream_id, data, end_stream=end)
        self.exchange()
        return stream_id


def raw() -> tuple[Session, Heard]:
    """Return a session whose client has said hello."""
    heard = Heard()
    session = Session(heard)
    session.receive(PREFACE + frame(SETTINGS, 0, 0))
    session.take()
    return session, heard


def receive_all(session: Session, said: bytes) -> int:
    """Let a session take all of what was said; return in how many turns it did."""
    session.receive(said)
    turns = 1
    while session.has_more:
        session.receive(b"")
        turns += 1
    return turns


def answers(session: Session) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the frames that a session says: kind, flags, stream, payload."""
    data = b"".join(session.take())
    while data:
        length = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + length]
        data = data[9 + length :]


def test_a_call_goes_in_and_its_answer_with_trailers_comes_out() -> None:
    peers = Peers()
    stream_id = peers.ask(b"question")
    assert peers.heard.said == [("request", 1, "/a.B/C"), ("data", 1, b"question"), ("end", 1)]
    session = peers.session
    head = [(":status", "200"), ("content-type", "application/grpc"), ("x-long", "y" * 300)]
    session.send_headers(stream_id, head)
    session.send_data(stream_id, b"ans", b"wer")
    session.send_headers(stream_id, [("grpc-status", "0"), ("x-who", "me")], end=True)
    began, data, trailers, end = peers.exchange()
    assert isinstance(began, ResponseReceived)
    assert list(began.headers) == head
    assert isinstance(data, DataReceived)
    assert data.data == b"answer"
    assert isinstance(trailers, TrailersReceived)
    assert list(trailers.headers) == [("grpc-status", "0"), ("x-who", "me")]
    assert isinstance(end, StreamEnded)
    assert not session.is_open(stream_id)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_frames_are_found_whatever_pieces_they_come_in(size: int) -> None:
    heard = Heard()
    session = Session(heard)
    said = (
        PREFACE + frame(SETTINGS, 0, 0) + headers(1) + frame(DATA, 0, 1, b"x" * 50) + frame(PING, 0, 0, b"12345678")
    )
    said += frame(DATA, END_STREAM, 1) + headers(3, END_HEADERS | END_STREAM)
    for at in range(0, len(said), size):
        session.receive(said[at : at + size])
    data = b"".join(bytes(each[2]) for each in heard.said if each[0] == "data" and isinstance(each[2], bytes))
    assert data == b"x" * 50
    rest = [each for each in heard.said if each[0] != "data"]
    assert rest == [("request", 1, "/a.B/C"), ("end", 1), ("request", 3, "/a.B/C"), ("end", 3)]


def test_padding_priorities_and_continuations_are_no_part_of_what_is_said() -> None:
    session, heard = raw()
    fields = block()
    first = b"\x03" + struct.pack(">IB", 0, 9) + fields[:4] + b"\0\0\0"
    session.receive(frame(HEADERS, PADDED | HAS_PRIORITY, 1, first))
    session.receive(frame(CONTINUATION, 0, 1, fields[4:8]) + frame(CONTINUATION, END_HEADERS, 1, fields[8:]))
    session.receive(frame(DATA, PADDED | END_STREAM, 1, b"\x02data\0\0"))
    assert heard.said == [("request", 1, "/a.B/C"), ("data", 1, b"data"), ("end", 1)]


def test_what_is_not_known_is_ignored() -> None:
    session, heard = raw()
    session.receive(frame(0x16, 0xFF, 5, b"extension") + frame(GOAWAY, 0, 0, bytes(8)) + headers(1))
    assert heard.said == [("request", 1, "/a.B/C")]


def test_a_client_that_stops_reading_gets_no_more_than_its_window() -> None:
    peers = Peers()
    stream_id = peers.ask()
    peers.session.send_headers(stream_id, [(":status", "200")])
    sent = 0
    while size := peers.session.window(stream_id):
        peers.session.send_data(stream_id, b"x" * size)
        sent += size
    assert sent == 65_535
    events = peers.exchange()
    taken = sum(each.flow_controlled_length for each in events if isinstance(each, DataReceived))
    peers.client.acknowledge_received_data(taken, stream_id)
    peers.exchange()
    assert peers.session.window(stream_id) == 16_384


def test_another_first_window_holds_for_streams_that_are_open_too() -> None:
    peers = Peers()
    stream_id = peers.ask()
    peers.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
    peers.exchange()
    assert peers.session.window(stream_id) == 100
    peers.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    peers.exchange()
    assert peers.session.window(stream_id) == 0


def test_a_client_may_send_more_once_half_a_window_was_read() -> None:
    peers = Peers()
    stream_id = peers.ask(end=False)
    for _ in range(STREAM_WINDOW // 65_536):
        for _ in range(4):
            peers.client.send_data(stream_id, b"x" * 16_384)
        peers.exchange()
    assert peers.client.local_flow_control_window(stream_id) == 0
    peers.session.acknowledge(stream_id, STREAM_WINDOW // 2 - 1)
    assert not [event for event in peers.exchange() if isinstance(event, WindowUpdated)]
    peers.session.acknowledge(stream_id, 1)
    assert [type(event) for event in peers.exchange()] == [WindowUpdated]
    assert peers.client.local_flow_control_window(stream_id) == STREAM_WINDOW // 2


def test_a_client_without_room_for_a_table_of_fields_is_told_that_none_is_used() -> None:
    peers = Peers()
    peers.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: 0})
    for _ in range(2):
        stream_id = peers.ask()
        peers.session.send_headers(stream_id, [(":status", "200"), ("x-who", "me")], end=True)
        assert [type(event) for event in peers.exchange()] == [ResponseReceived, StreamEnded]


def test_a_block_that_is_larger_than_a_frame_goes_on_in_others() -> None:
    peers = Peers()
    stream_id = peers.ask()
    long = [(f"x-{number}", "y" * 6_000) for number in range(6)]
    peers.session.send_headers(stream_id, [(":status", "200"), *long], end=True)
    head, _ = peers.exchange()
    assert isinstance(head, ResponseReceived)
    assert list(head.headers)[1:] == long


def test_a_stream_that_is_reset_here_is_closed_and_what_still_comes_for_it_ignored() -> None:
    session, heard = raw()
    session.receive(headers(1))
    session.reset(1, ErrorCode.CANCEL)
    assert list(answers(session)) == [(RST, 0, 1, struct.pack(">I", 8))]
    session.receive(
        frame(DATA, 0, 1, b"late") + headers(1, END_HEADERS | END_STREAM) + frame(WINDOW, 0, 1, b"\0\0\0\1")
    )
    assert list(answers(session)) == []
    assert heard.said == [("request", 1, "/a.B/C")]


def test_a_client_resets_a_stream() -> None:
    peers = Peers()
    stream_id = peers.ask(end=False)
    peers.client.reset_stream(stream_id)
    peers.exchange()
    assert peers.heard.said[-1] == ("reset", stream_id)
    assert not peers.session.is_open(stream_id)


def test_streams_beyond_the_most_are_refused_and_the_connection_stays() -> None:
    session, heard = raw()
    fields = block()
    for number in range(MOST_STREAMS):
        session.receive(frame(HEADERS, END_HEADERS, 2 * number + 1, fields))
    session.take()
    session.receive(frame(HEADERS, END_HEADERS, 2 * MOST_STREAMS + 1, fields))
    assert list(answers(session)) == [(RST, 0, 2 * MOST_STREAMS + 1, struct.pack(">I", ErrorCode.REFUSED_STREAM))]
    session.receive(frame(RST, 0, 1, bytes(4)) + frame(HEADERS, END_HEADERS, 2 * MOST_STREAMS + 3, fields))
    assert heard.said[-1] == ("request", 2 * MOST_STREAMS + 3, "/a.B/C")


# What breaks a rule of one stream, and how that one ends.
STREAM_FAULTS = {
    "data after the end": (headers(1, END_HEADERS | END_STREAM) + frame(DATA, 0, 1, b"x"), ErrorCode.STREAM_CLOSED),
    "headers after the end": (headers(1, END_HEADERS | END_STREAM) + headers(1), ErrorCode.STREAM_CLOSED),
    "trailers that do not end": (headers(1) + headers(1), ErrorCode.PROTOCOL_ERROR),
    "a window that grows by nothing": (headers(1) + frame(WINDOW, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a window that is too large": (
        headers(1) + frame(WINDOW, 0, 1, struct.pack(">I", 0x7FFFFFFF)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "data beyond the window": (
        headers(1) + frame(DATA, 0, 1, b"x" * 1024 * 1024) * 4 + frame(DATA, 0, 1, b"x"),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
}


@pytest.mark.parametrize("name", STREAM_FAULTS)
def test_what_breaks_a_rule_of_a_stream_ends_that_stream_only(name: str) -> None:
    said, code = STREAM_FAULTS[name]
    session, heard = raw()
    session.receive(said)
    assert (RST, 0, 1, struct.pack(">I", code)) in list(answers(session))
    assert heard.said[-1] == ("reset", 1)
    session.receive(headers(3))
    assert heard.said[-1] == ("request", 3, "/a.B/C")


# What breaks a rule of the connection, and how it ends.
FAULTS = {
    "data that never began": (frame(DATA, 0, 1, b"x"), ErrorCode.PROTOCOL_ERROR),
    "a reset that never began": (frame(RST, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a window that never began": (frame(WINDOW, 0, 1, b"\0\0\0\1"), ErrorCode.PROTOCOL_ERROR),
    "headers of a server": (headers(2), ErrorCode.PROTOCOL_ERROR),
    "headers of no stream": (headers(0), ErrorCode.PROTOCOL_ERROR),
    "headers of a stream that ended": (
        headers(1) + frame(RST, 0, 1, bytes(4)) + headers(1),
        ErrorCode.STREAM_CLOSED,
    ),
    "a frame in the middle of a block": (
        frame(HEADERS, 0, 1, block()) + frame(PING, 0, 0, bytes(8)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "data in the middle of a block": (
        headers(1) + frame(HEADERS, 0, 3, block()) + frame(DATA, 0, 1, b"x"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "another stream's continuation": (
        frame(HEADERS, 0, 1, block()) + frame(CONTINUATION, END_HEADERS, 3, b""),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, 1, block()), ErrorCode.PROTOCOL_ERROR),
    "continuations without end": (
        frame(HEADERS, 0, 1, block()) + frame(CONTINUATION, 0, 1) * 65,
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    "a block that is too large": (
        frame(HEADERS, 0, 1, block()) + frame(CONTINUATION, 0, 1, bytes(30_000)) * 3,
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    "fields that unpack to too much": (
        headers(1, fields=[*CALL, *(("x", "y" * 4_000) for _ in range(17))]),
        ErrorCode.ENHANCE_YOUR_CALM,
    ),
    "fields that cannot be read": (
        frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x7f"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    "a frame that is too large": (struct.pack(">I", 1024 * 1024 + 1)[1:] + bytes(6), ErrorCode.FRAME_SIZE_ERROR),
    "a ping of another size": (frame(PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "a ping on a stream": (frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "settings of another size": (frame(SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "settings on a stream": (frame(SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "a confirmation that says more": (frame(SETTINGS, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    "a push that is neither on nor off": (
        frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2)),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a first window that is too large": (
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "frames that are too small": (frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 100)), ErrorCode.PROTOCOL_ERROR),
    "a window of the connection that grows by nothing": (frame(WINDOW, 0, 0, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a window of the connection that is too large": (
        frame(WINDOW, 0, 0, struct.pack(">I", 0x7FFFFFFF)),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "a reset of another size": (headers(1) + frame(RST, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "a priority of itself": (frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), ErrorCode.PROTOCOL_ERROR),
    "more padding than bytes": (headers(1) + frame(DATA, PADDED, 1, b"\x05abc"), ErrorCode.PROTOCOL_ERROR),
    "a push of a client": (frame(PUSH, 0, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
    "a goodbye on a stream": (frame(GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "less than was announced": (
        headers(1, fields=[*CALL, ("content-length", "9")]) + frame(DATA, END_STREAM, 1, b"x"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "more than was announced": (
        headers(1, fields=[*CALL, ("content-length", "2")]) + frame(DATA, 0, 1, b"xyz"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    "a length that is no number": (
        headers(1, fields=[*CALL, ("content-length", "9" * 5_000)]),
        ErrorCode.PROTOCOL_ERROR,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_a_rule_of_the_connection_ends_it_with_its_code(name: str) -> None:
    said, code = FAULTS[name]
    session, _ = raw()
    with pytest.raises(ConnectionFault) as raised:
        receive_all(session, said)
    assert raised.value.code is code
    session.take()
    session.goodbye(raised.value.code)
    assert [each[0] for each in answers(session)] == [GOAWAY]


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n", PREFACE + frame(PING, 0, 0, bytes(8)), PREFACE + headers(1)]
)
def test_a_connection_that_begins_otherwise_ends(said: bytes) -> None:
    with pytest.raises(ConnectionFault) as raised:
        Session(Heard()).receive(said)
    assert raised.value.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("said", "each"),
    [
        (frame(PING, 0, 0, b"12345678"), (PING, ACK, 0, b"12345678")),
        (frame(SETTINGS, 0, 0), (SETTINGS, ACK, 0, b"")),
        (frame(DATA, 0, 1, b"x"), (RST, 0, 1, struct.pack(">I", ErrorCode.STREAM_CLOSED))),
    ],
)
def test_frames_that_only_ask_for_answers_are_counted(said: bytes, each: tuple[object, ...]) -> None:
    session, _ = raw()
    session.receive(headers(1, END_HEADERS | END_STREAM))
    session.send_headers(1, [("grpc-status", "0")], end=True)
    session.take()
    before = session.unasked
    session.receive(said * 100)
    assert session.unasked == before + 100
    assert list(answers(session)) == [each] * 100


def test_what_comes_at_once_is_dealt_with_some_at_a_time_and_none_is_lost() -> None:
    session, heard = raw()
    requests = b"".join(headers(stream_id, END_HEADERS | END_STREAM) for stream_id in range(1, 101, 2))
    assert receive_all(session, requests + frame(PING, 0, 0, b"12345678") * 500) > 8
    assert [stream_id for said, stream_id, *_ in heard.said if said == "request"] == list(range(1, 101, 2))
    assert list(answers(session)) == [(PING, ACK, 0, b"12345678")] * 500


def test_what_comes_while_more_waits_is_dealt_with_after_it() -> None:
    session, _ = raw()
    session.receive(b"".join(frame(PING, 0, 0, bytes((number, *bytes(7)))) for number in range(200)))
    assert session.has_more
    receive_all(session, frame(PING, 0, 0, bytes((200, *bytes(7))))[:12])
    session.receive(frame(PING, 0, 0, bytes((200, *bytes(7))))[12:])
    assert [payload[0] for _, _, _, payload in answers(session)] == list(range(201))


def test_a_client_whose_requests_are_answered_may_ask_as_many_pings_as_it_likes() -> None:
    session, _ = raw()
    for stream_id in range(1, 2_001, 2):
        session.receive(headers(stream_id, END_HEADERS | END_STREAM) + frame(PING, 0, 0, bytes(8)) * 8)
        session.send_headers(stream_id, [("grpc-status", "0")], end=True)
        session.take()


@pytest.mark.parametrize(
    ("said", "most"),
    [
        (lambda stream_id: frame(PING, 0, 0, bytes(8)), 2_000),
        (lambda stream_id: headers(stream_id) + frame(RST, 0, stream_id, bytes(4)), 1_000),
        (lambda stream_id: headers(1) if stream_id == 1 else frame(DATA, 0, 1), 2_000),
        (lambda stream_id: frame(0x7F, 0, 0, b"unknown"), 2_000),
    ],
    ids=["pings", "resets", "empty data", "unknown frames"],
)
def test_a_client_that_asks_for_nothing_is_let_go(said: Callable[[int], bytes], most: int) -> None:
    session, _ = raw()
    session.pace.tick(0.0)
    for number in range(most - 10):
        session.receive(said(2 * number + 1))
    session.pace.tick(1.0)  # a second gives back 200
    for number in range(most - 10, most + 80):
        session.receive(said(2 * number + 1))
    more = b"".join(said(2 * number + 1) for number in range(most + 80, most + 250))
    with pytest.raises(ConnectionFault) as raised:
        receive_all(session, more)
    assert raised.value.code is ErrorCode.ENHANCE_YOUR_CALM


class Reading(Heard):
    """Reads whatever comes, so that no window ends."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(self)

    def data_came(self, stream_id: int, data: bytes, size: int) -> None:
        self.session.acknowledge(stream_id, size)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                frame,
                st.integers(0, 11),
                st.integers(0, 255),
                st.sampled_from((0, 1, 1, 3, 3, 5, 2)),
                st.binary(max_size=40),
            ),
            st.builds(headers, st.sampled_from((1, 3, 5, 7)), st.sampled_from((0, 1, 4, 5))),
        ),
        max_size=30,
    )
)
def test_whatever_comes_is_understood_or_ends_the_connection_with_a_code(pieces: list[bytes]) -> None:
    heard = Reading()
    heard.session.receive(PREFACE + frame(SETTINGS, 0, 0))
    with contextlib.suppress(ConnectionFault):
        for piece in pieces:
            heard.session.receive(piece)
    heard.session.goodbye()
    kinds = [each[0] for each in answers(heard.session)]
    assert kinds[-1] == GOAWAY
    began = [int(str(each[1])) for each in heard.said if each[0] == "request"]
    assert began == sorted(set(began))
    for stream_id in began:
        assert sum(each[:2] in (("end", stream_id), ("reset", stream_id)) for each in heard.said) <= 2


def test_padding_is_not_kept_and_data_before_it_is_passed_on_as_it_comes() -> None:
    session, heard = raw()
    session.receive(headers(1))
    said = frame(DATA, PADDED | END_STREAM, 1, bytes([255]) + b"x" * 500_000 + bytes(255)) + frame(
        PING, 0, 0, bytes(8)
    )
    for at in range(0, len(said), 999):
        session.receive(said[at : at + 999])
        assert len(session._rest) < 999
    assert heard.data == 500_000
    assert heard.said[-1] == ("end", 1)
    assert list(answers(session))[-1][0] == PING


def test_a_frame_that_is_not_known_is_passed_over_without_keeping_it() -> None:
    session, heard = raw()
    said = frame(0x77, 0, 0, bytes(900_000)) + headers(1, END_HEADERS | END_STREAM)
    for at in range(0, len(said), 9_999):
        session.receive(said[at : at + 9_999])
        assert len(session._rest) < 9_999
    assert heard.said[0] == ("request", 1, "/a.B/C")


@pytest.mark.parametrize("kind", [HEADERS, SETTINGS, PING, GOAWAY])
def test_a_frame_that_has_to_be_whole_is_refused_by_its_size_before_it_comes(kind: int) -> None:
    session, _ = raw()
    with pytest.raises(ConnectionFault, match="a frame of 70000 bytes that is not of data") as raised:
        session.receive(frame(kind, END_HEADERS, 1, bytes(70_000))[:9])
    assert raised.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_more_settings_than_there_are_end_the_connection() -> None:
    session, _ = raw()
    session.receive(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000) * 32))
    with pytest.raises(ConnectionFault, match="more than 32 settings at once"):
        session.receive(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000) * 33))


def test_changing_the_windows_of_many_streams_again_and_again_is_paid_for() -> None:
    session, heard = raw()
    for number in range(6_000):
        session.receive(headers(2 * number + 1))
    said = b"".join(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, size)) for size in (70_000, 60_000) * 20)
    with pytest.raises(ConnectionFault, match="more frames that ask for nothing than requests need"):
        session.receive(said)
    assert 1 <= heard.said.count(("windows",)) < 20


def test_a_client_that_says_goodbye_still_gets_its_answers() -> None:
    session, _ = raw()
    session.receive(headers(1, END_HEADERS | END_STREAM) + frame(GOAWAY, 0, 0, bytes(8)))
    assert session.is_leaving
    assert session.is_open(1)


def test_large_blocks_of_fields_are_read_one_in_each_turn() -> None:
    session, heard = raw()
    much = [*CALL, *((f"field-{number}", "x" * 100) for number in range(150))]
    assert receive_all(session, b"".join(headers(2 * number + 1, fields=much) for number in range(10))) >= 9
    assert len(heard.said) == 10
