"""Strangers send what nobody asked for: it is refused by their credential first, and what waits is bounded."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from clarifai_grpc.grpc.api import service_pb2
from hpack import Decoder, Encoder

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.config import MEBIBYTE
from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, running

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS = 0x1, 0x4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OUTPUTS = "/v2/users/me/apps/a/models/m/outputs"
NO_ROOM = "The requests and answers that wait on "


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream_id) + payload


def message(data: bytes, *, flag: int = 0) -> bytes:
    return bytes([flag]) + len(data).to_bytes(4, "big") + data


class RawClient:
    """Speaks HTTP/2 frame by frame. ``frames`` are those of the server that came so far."""

    def __init__(self, emulator: EmulatorThread) -> None:
        url = urlsplit(emulator.url)
        self.socket = socket.create_connection((url.hostname, url.port), 20)
        self.is_closed = False
        self._came = b""
        self._decoder = Decoder()
        self.ends: dict[int, dict[str, str]] = {}  # the trailers of each stream
        self.data: dict[int, bytes] = {}
        self.resets: dict[int, int] = {}
        self.pongs = 0
        self.say(PREFACE, frame(SETTINGS, 0, 0))

    def say(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def call(
        self, stream_id: int, rpc: str, *fields: tuple[str, str], token: str = "right", ends: bool = False
    ) -> bytes:
        """Return the headers of a call."""
        block = Encoder().encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", rpc_table()[rpc].path),
                (":authority", "localhost"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("authorization", f"Key {token}"),
                *fields,
            ]
        )
        return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream_id, block)

    def hear(self, *streams: int) -> None:
        """Read until all of these streams have ended, or the connection has."""
        while not self.is_closed and any(each not in self.ends and each not in self.resets for each in streams):
            self._read()

    def settle(self) -> None:
        """Wait until the server has taken all that was said."""
        self.pongs = 0
        self.say(frame(PING, 0, 0, bytes(8)))
        while not self.pongs:
            self._read()

    def hear_all(self) -> None:
        """Read until the server closes the connection."""
        while not self.is_closed:
            self._read()

    def _read(self) -> None:
        came = self.socket.recv(1 << 16)
        self.is_closed = not came
        self._came += came
        while len(self._came) >= 9 and len(self._came) >= 9 + (length := int.from_bytes(self._came[:3], "big")):
            kind, flags, stream_id = self._came[3], self._came[4], int.from_bytes(self._came[5:9], "big")
            payload, self._came = self._came[9 : 9 + length], self._came[9 + length :]
            if kind == HEADERS:
                fields = dict(self._decoder.decode(payload))
                if flags & END_STREAM:
                    self.ends[stream_id] = fields
            elif kind == DATA:
                self.data[stream_id] = self.data.get(stream_id, b"") + payload
            elif kind == RST:
                self.resets[stream_id] = int.from_bytes(payload, "big")
            elif kind == PING:
                self.pongs += 1

    def status(self, stream_id: int) -> tuple[str, str]:
        """Return the status of gRPC and its message with which a call has ended."""
        self.hear(stream_id)
        end = self.ends[stream_id]
        return end["grpc-status"], end.get("grpc-message", "")

    def answer(self, stream_id: int) -> service_pb2.SingleUserResponse:
        """Return the answer to GetUser."""
        assert self.status(stream_id) == ("0", "")
        return service_pb2.SingleUserResponse.FromString(self.data[stream_id][5:])


@contextmanager
def raw_client(emulator: EmulatorThread) -> Iterator[RawClient]:
    client = RawClient(emulator)
    try:
        yield client
    finally:
        client.socket.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[EmulatorThread]:
    """An emulator that knows one token."""
    with running(pats={"right": "me"}) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def small() -> Iterator[EmulatorThread]:
    """An emulator that holds little."""
    with running(max_connection_buffer_bytes=2 * MEBIBYTE, max_buffer_bytes=5 * MEBIBYTE) as emulator:
        yield emulator


# Credentials


@pytest.mark.parametrize(
    ("fields", "begun"),
    [
        ((), b"\0" + (100 * MEBIBYTE).to_bytes(4, "big") + bytes(100_000)),
        ((), b""),
        ((("grpc-encoding", "gzip"),), message(gzip.compress(bytes(20 * MEBIBYTE)), flag=1)),
    ],
    ids=["half a message", "nothing", "a bomb"],
)
def test_a_call_with_a_wrong_token_is_refused_before_its_message_has_come(
    guarded: EmulatorThread, fields: Sequence[tuple[str, str]], begun: bytes
) -> None:
    with raw_client(guarded) as client:
        client.say(client.call(1, "GetUser", *fields, token="wrong"), frame(DATA, 0, 1, begun))
        answer = client.answer(1)
        assert answer.status.code == 11009
        assert client.ends[1]["x-clarifai-request-id"] == answer.status.req_id
        client.settle()
        assert client.resets == {1: 0}, "the client is told to send no more, and that this is no failure"
        client.say(client.call(3, "GetUser"), frame(DATA, END_STREAM, 3, message(b"")))
        assert client.answer(3).user.id == "me"
    refused = [event for event in guarded.events("request.finished") if event.fields.get("status") == 11009]
    assert refused[-1].fields["rpc"] == "GetUser"


def test_a_stream_with_a_wrong_token_is_refused_before_its_message_has_come(guarded: EmulatorThread) -> None:
    with raw_client(guarded) as client:
        client.say(client.call(1, "GenerateModelOutputs", token="wrong"))
        assert client.status(1) == ("0", "")
        assert b"API key not found" in client.data[1]


# Room


def half(size: int, announced: int = 100 * MEBIBYTE) -> bytes:
    """Return the begin of a message."""
    return b"\0" + announced.to_bytes(4, "big") + bytes(size)


def data(stream_id: int, said: bytes) -> bytes:
    """Return frames of data."""
    return b"".join(frame(DATA, 0, stream_id, said[at : at + 16_384]) for at in range(0, len(said), 16_384))


def test_half_messages_of_a_connection_are_bounded_and_the_oldest_is_refused(small: EmulatorThread) -> None:
    with raw_client(small) as client:
        for stream_id in (1, 3, 5):
            client.say(client.call(stream_id, "PostModelOutputs"), data(stream_id, half(900_000)))
        status, why = client.status(1)
        assert (status, why.startswith(f"{NO_ROOM}this connection have more than 2097152 bytes together")) == (
            "8",
            True,
        )
        client.say(client.call(7, "GetUser"), frame(DATA, END_STREAM, 7, message(b"")))
        assert client.answer(7).user.id == "me"
        assert set(client.ends) == {1, 7}
    assert small.events("connection.buffers")[-1].fields["what"].startswith(NO_ROOM)


def test_half_messages_of_all_connections_are_bounded_and_who_comes_is_served(small: EmulatorThread) -> None:
    clients = [RawClient(small) for _ in range(4)]
    try:
        for client in clients:
            client.say(client.call(1, "PostModelOutputs"), data(1, half(1_500_000)))
            client.settle()
        assert clients[0].status(1)[0] == "8"
        assert f"{NO_ROOM}all connections have more than 5242880 bytes together" in clients[0].status(1)[1]
        good = Client(small.url)
        assert good.call("GetUser").user.id == "me"
        good.close()
    finally:
        for client in clients:
            client.socket.close()


def test_bodies_that_do_not_end_are_bounded_over_http_too(small: EmulatorThread) -> None:
    url = urlsplit(small.url)
    sockets = [socket.create_connection((url.hostname, url.port), 20) for _ in range(4)]
    try:
        for each in sockets:
            each.sendall(f"POST {OUTPUTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key x\r\n".encode())
            each.sendall(b"content-length: 1600000\r\n\r\n" + bytes(1_500_000))
        answered, _, _ = select.select(sockets, [], [], 20)
        answer = answered[0].recv(65536)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert f"{NO_ROOM}all connections".encode() in answer
    finally:
        for each in sockets:
            each.close()


def test_a_body_that_unpacks_to_more_than_there_is_room_for_is_refused(small: EmulatorThread) -> None:
    connection = http.client.HTTPConnection(urlsplit(small.url).netloc, timeout=20)
    packed = gzip.compress(bytes(20 * MEBIBYTE))
    connection.request("POST", OUTPUTS, packed, {"authorization": "Key x", "content-encoding": "gzip"})
    answer = connection.getresponse()
    assert answer.status == 429
    assert json.loads(answer.read())["status"]["details"].startswith(f"{NO_ROOM}this connection")
    connection.close()


def test_json_counts_as_what_becomes_of_it(small: EmulatorThread) -> None:
    connection = http.client.HTTPConnection(urlsplit(small.url).netloc, timeout=20)
    body = b'{"inputs": [' + b"{}," * 50_000 + b"{}]}"
    connection.request("POST", OUTPUTS, body, {"authorization": "Key x"})
    answer = connection.getresponse()
    assert answer.status == 429
    connection.close()


def test_answers_that_nobody_reads_are_bounded(small: EmulatorThread) -> None:
    client = Client(small.url)
    client.call("PostApps", apps=[{"id": "much", "description": "x" * 200_000}])
    client.close()
    with raw_client(small) as raw:
        raw.say(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))  # no room for any answer
        asked = message(service_pb2.ListAppsRequest(user_app_id={"user_id": "me"}).SerializeToString())
        for number in range(15):
            stream_id = 2 * number + 1
            raw.say(raw.call(stream_id, "ListApps"), frame(DATA, END_STREAM, stream_id, asked))
        assert raw.status(1)[0] == "8"
        raw.say(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)), frame(WINDOW, 0, 29, struct.pack(">I", 1 << 20)))
        assert raw.status(29) == ("0", "")


# What is no proper request


def test_a_call_without_its_one_message_is_told_so_by_every_rpc(guarded: EmulatorThread) -> None:
    with raw_client(guarded) as client:
        for number, rpc in enumerate(each for each in rpc_table().values() if not each.client_streaming):
            stream_id = 2 * number + 1
            client.say(client.call(stream_id, rpc.name, ends=True))
            status, why = client.status(stream_id)
            assert status == "12"
            assert why == f"{rpc.name} takes one request; none came." or "does not have yet" in why


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        (gzip.compress(b"")[:-6], "it breaks off"),
        (gzip.compress(b"") * 2, "something follows its end"),
        (gzip.compress(b"") + b"more", "something follows its end"),
    ],
    ids=["cut", "twice", "and more"],
)
def test_packed_messages_that_are_not_whole_are_refused(guarded: EmulatorThread, packed: bytes, what: str) -> None:
    with raw_client(guarded) as client:
        said = frame(DATA, END_STREAM, 1, message(packed, flag=1))
        client.say(client.call(1, "GetUser", ("grpc-encoding", "gzip")), said)
        assert client.status(1) == ("13", f"The request is said to be gzip and is not: {what}.")


def test_a_client_that_says_goodbye_in_mid_request_has_its_answer_and_then_the_connection_ends(
    guarded: EmulatorThread,
) -> None:
    with raw_client(guarded) as client:
        client.say(
            client.call(1, "GetUser"), frame(GOAWAY, 0, 0, bytes(8)), frame(DATA, END_STREAM, 1, message(b""))
        )
        assert client.answer(1).user.id == "me"
        client.hear_all()


@pytest.mark.parametrize("host", ["LOCALHOST", "Localhost:7878", "localhost."])
def test_a_host_is_known_however_it_is_written(guarded: EmulatorThread, host: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(guarded.url).netloc, timeout=20)
    connection.request("GET", "/v2/users/me", headers={"authorization": "Key right", "host": host})
    assert connection.getresponse().status == 200
    connection.close()


def test_two_lengths_of_one_body_are_refused_and_end_the_connection(guarded: EmulatorThread) -> None:
    url = urlsplit(guarded.url)
    with socket.create_connection((url.hostname, url.port), 20) as client:
        client.sendall(f"POST {OUTPUTS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Key right\r\n".encode())
        client.sendall(b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The request is no proper HTTP/1.1: both Transfer-Encoding and Content-Length." in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_archive_is_uploaded_in_one_part_over_rest(emulator: EmulatorThread) -> None:
    def lines(path: str, *objects: Any) -> list[Any]:
        connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=20)
        body = "\n".join(map(json.dumps, objects))
        connection.request("POST", path, body, {"authorization": "Key x"})
        answer = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        connection.close()
        return answer

    lines("/v2/users/me/apps", {"apps": [{"id": "a"}]})
    lines("/v2/users/me/apps/a/models", {"model": {"id": "m", "model_type_id": "any-to-any"}})
    config = {"user_app_id": {"user_id": "me", "app_id": "a"}, "model_id": "m", "total_size": 4}
    part = {"part_number": 1, "data": base64.b64encode(b"data").decode()}
    answers = lines("/v2/models/versions/upload", {"upload_config": config}, {"content_part": part})
    assert [each["status"]["code"] for each in answers] == [68000, 68001, 21107]
