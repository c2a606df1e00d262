"""Attacks over HTTP/2: frames that break its rules, that ask for nothing, or that only want memory."""

from __future__ import annotations

import gzip
import socket
import struct
import time
from collections.abc import Callable

from attack.beside import SLOWER
from attack.measured import Measure, attack, count
from attack.scene import FEW, Scene
from attack.wire import (
    CONTINUATION,
    DATA,
    EMPTY_MESSAGE,
    END_HEADERS,
    END_STREAM,
    GET_USER,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    PUSH,
    RST,
    SETTINGS,
    WINDOW,
    RawConnection,
    fields,
    frame,
    literal,
    message,
    outcome,
)

# What may be held for one connection (`--max-connection-buffer-bytes`), with what Python needs besides.
_HELD = 576.0
_WAIT_SECONDS = 5.0


@attack("http2.random-frames", short=True)
def random_frames(scene: Scene) -> list[Measure]:
    """Frames of any kind, flags and payload, on connection after connection."""
    return scene.beside("random frames", memory=FEW)


def _flood(name: str, title: str, *, short: bool = False, **bounds: float) -> None:
    def make(scene: Scene) -> list[Measure]:
        return scene.beside(f"flood {name}", **{"memory": FEW, **bounds})

    make.__doc__ = title
    attack(f"http2.{name.lower().replace(' ', '-').replace('_', '-')}-flood", short=short)(make)


_flood("PING", "PING frames without end; connects again when it is shut out", short=True)
_flood("SETTINGS", "SETTINGS frames without end")
_flood("PRIORITY", "PRIORITY frames without end")
_flood("WINDOW_UPDATE", "WINDOW_UPDATE frames without end")
_flood("empty DATA", "Frames of data without data")
_flood("open streams", "Requests that are begun and never ended", memory=160.0, kept=160.0)
_flood("rapid reset", "Requests that are begun and reset", short=True)
_flood("rapid reset of whole requests", "Whole requests, each reset at once")
_flood("connections", "Connections that say hello and end in nonsense")


@attack("http2.made-you-reset", short=True)
def made_you_reset(scene: Scene) -> list[Measure]:
    """Requests, each with a window update of 0, which the server has to reset."""
    return scene.beside("made you reset", memory=FEW)


@attack("http2.continuations")
def continuations(scene: Scene) -> list[Measure]:
    """A block of fields that goes on in frames of 16 KB, without end."""
    return scene.beside("continuations", memory=FEW)


@attack("http2.empty-continuations")
def empty_continuations(scene: Scene) -> list[Measure]:
    """A block of fields that goes on in empty frames, without end."""
    return scene.beside("empty continuations", memory=FEW)


@attack("http2.header-bomb", short=True)
def header_bomb(scene: Scene) -> list[Measure]:
    """Sixteen kilobytes that name a field of 3,900 bytes 12,000 times (HPACK)."""
    return scene.beside("header bomb", memory=FEW)


@attack("http2.unread-pings")
def unread_pings(scene: Scene) -> list[Measure]:
    """PING frames without end, whose answers are never read."""
    return scene.beside("pings that read no answer", memory=FEW)


@attack("http2.unread-settings")
def unread_settings(scene: Scene) -> list[Measure]:
    """SETTINGS frames without end, whose answers are never read."""
    return scene.beside("settings that read no answer", memory=FEW)


@attack("http2.empty-messages")
def empty_messages(scene: Scene) -> list[Measure]:
    """Messages of no bytes, on one stream, without end."""
    return scene.beside("empty messages", memory=FEW, peer=False)


@attack("http2.large-headers")
def large_headers(scene: Scene) -> list[Measure]:
    """Requests, 1,632 of them, with 60 KB of fields each, never ended, without a credential."""
    return scene.beside("large headers", memory=_HELD, kept=_HELD, until_sent=True)


@attack("http2.zero-window", short=True)
def zero_window(scene: Scene) -> list[Measure]:
    """A thousand requests on a connection whose answers may not be sent (window 0)."""
    return scene.beside("zero window", memory=FEW, until_sent=True)


@attack("http2.ten-thousand-streams", short=True)
def ten_thousand_streams(scene: Scene) -> list[Measure]:
    """Ten thousand requests open at once on one connection, without a credential."""
    # In short it is made beside other stages of CI, which leave its sender and the emulator less than a core.
    slower = 2 * SLOWER if scene.short else SLOWER
    return scene.beside("ten thousand streams", memory=128, kept=128, until_sent=True, slower=slower)


@attack("http2.half-messages", short=True)
def half_messages(scene: Scene) -> list[Measure]:
    """Twenty requests that announce 100 MiB each and send 40 MiB, without a credential."""
    return scene.beside("half messages", memory=FEW, until_sent=True, fresh=True)


@attack("http2.half-messages-of-a-user")
def half_messages_of_a_user(scene: Scene) -> list[Measure]:
    """Half messages, as many, with a token that is accepted."""
    return scene.beside("half messages with a token", memory=_HELD, kept=_HELD, until_sent=True)


@attack("http2.gzip-bomb", short=True)
def gzip_bomb(scene: Scene) -> list[Measure]:
    """A message of 120 KB that unpacks to 120 MiB, again and again, without a credential."""
    return scene.beside("gzip bomb", memory=FEW, until_sent=True, fresh=True)


@attack("http2.gzip-bombs-on-a-stream")
def gzip_bombs_on_a_stream(scene: Scene) -> list[Measure]:
    """Eight messages of 120 KB on a stream, each of which unpacks to 120 MiB."""
    return scene.beside("gzip bombs on a stream", memory=_HELD, kept=_HELD, until_sent=True, peer=False)


def _packed_wrongly() -> dict[str, bytes]:
    packed = gzip.compress(b"\x0a\x04\x0a\x02me")
    return {
        "truncated": packed[:-4],
        "two members": gzip.compress(b"\x0a\x04") + gzip.compress(b"\x0a\x02me"),
        "and more": packed + b"garbage",
        "wrong checksum": packed[:-8] + bytes(8),
        "no gzip": b"no gzip at all",
    }


@attack("http2.broken-gzip", short=True)
def broken_gzip(scene: Scene) -> list[Measure]:
    """Messages whose gzip is truncated, has two members, goes on, or lies."""

    def taken(port: int) -> list[str]:
        found: list[str] = []
        for name, packed in _packed_wrongly().items():
            connection = RawConnection(port)
            stream_id = connection.begin(fields(GET_USER, "any-token", ("grpc-encoding", "gzip")))
            connection.send(frame(DATA, END_STREAM, stream_id, message(packed, packed=True)))
            if outcome(connection, stream_id, seconds=_WAIT_SECONDS) in ("grpc 0", "silent"):
                found.append(name)
            connection.close()
        return found

    return [
        Measure("taken or left unanswered", len(taken(scene.emulator.port)), peer=len(taken(scene.grpcio.port)))
    ]


@attack("http2.goodbye-in-mid-request", short=True)
def goodbye_in_mid_request(scene: Scene) -> list[Measure]:
    """A client that says goodbye (GOAWAY) while its request is on its way, and waits."""

    def unanswered(port: int) -> int:
        connection = RawConnection(port)
        stream_id = connection.begin(fields(token="any-token"))
        connection.send(frame(GOAWAY, 0, 0, bytes(8)))
        connection.send(frame(DATA, END_STREAM, stream_id, EMPTY_MESSAGE))
        said = outcome(connection, stream_id, seconds=_WAIT_SECONDS)
        connection.close()
        return said != "grpc 0"

    return [Measure("unanswered", unanswered(scene.emulator.port), peer=unanswered(scene.grpcio.port))]


@attack("http2.odd-fields", short=True)
def odd_fields(scene: Scene) -> list[Measure]:
    """Fields that are no text: invalid UTF-8, control characters in paths, 60 KB paths."""
    odd = (
        [literal("x-odd", "\udcff\udcfe")],
        [literal("x-odd-bin", "no base64 at all!")],
        [literal("grpc-timeout", "9" * 300 + "S")],
        [literal("grpc-encoding", "\x1b[31m")],
        [literal(":path", "/clarifai.api.V2/\x1b[2JGetUser\r\nx: y")],
        [literal(":path", "/" + "a" * 60_000)],
        [literal("authorization", "Key " + "k" * 20_000)],
        [literal("content-length", "-1")],
        [literal("te", "\0"), literal("host", "\udcff")],
    )

    def unanswered(port: int) -> list[str]:
        found: list[str] = []
        for said in odd:
            connection = RawConnection(port)
            stream_id, begin = connection.headers(fields(token="any-token"))
            block = begin[9:] + b"".join(said)
            connection.send(frame(HEADERS, 0, stream_id, block[:16_000]))
            rest = [block[at : at + 16_000] for at in range(16_000, len(block), 16_000)] or [b""]
            for each in rest[:-1]:
                connection.send(frame(CONTINUATION, 0, stream_id, each))
            connection.send(frame(CONTINUATION, END_HEADERS, stream_id, rest[-1]))
            connection.send(frame(DATA, END_STREAM, stream_id, EMPTY_MESSAGE))
            if outcome(connection, stream_id, seconds=_WAIT_SECONDS) == "silent":
                found.append(repr(said[0][:20]))
            connection.close()
        return found

    return [count("unanswered", unanswered(scene.emulator.port), unanswered(scene.grpcio.port))]


def _broken_rules() -> dict[str, Callable[[RawConnection], bytes]]:
    """Return what breaks a rule of the connection (RFC 9113), each after a hello."""

    def begun(connection: RawConnection, *, end: bool = False) -> bytes:
        return connection.headers(fields(), end=end)[1]

    def always(said: bytes) -> Callable[[RawConnection], bytes]:
        return lambda connection: said

    return {
        "data on stream 0": always(frame(DATA, 0, 0, b"x")),
        "data before headers": always(frame(DATA, 0, 1, b"x")),
        "headers on stream 0": always(frame(HEADERS, END_HEADERS, 0, b"\x82")),
        "headers on an even stream": always(frame(HEADERS, END_HEADERS, 2, b"\x82")),
        "a continuation of nothing": always(frame(CONTINUATION, END_HEADERS, 1, b"\x82")),
        "another frame in a block": lambda each: _open_block(begun(each)) + frame(PING, 0, 0, bytes(8)),
        "reset of what never began": always(frame(RST, 0, 1, bytes(4))),
        "a short reset": lambda each: begun(each) + frame(RST, 0, 1, bytes(3)),
        "reset of stream 0": always(frame(RST, 0, 0, bytes(4))),
        "settings on a stream": always(frame(SETTINGS, 0, 1)),
        "settings of five bytes": always(frame(SETTINGS, 0, 0, bytes(5))),
        "a confirmation that says more": always(frame(SETTINGS, 1, 0, bytes(6))),
        "a window beyond 2^31": always(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31))),
        "frames of 10 bytes at most": always(frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 10))),
        "a push setting of 2": always(frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2))),
        "a push": always(frame(PUSH, END_HEADERS, 1, bytes(4) + b"\x82")),
        "a ping on a stream": always(frame(PING, 0, 1, bytes(8))),
        "a ping of seven bytes": always(frame(PING, 0, 0, bytes(7))),
        "a goodbye on a stream": always(frame(GOAWAY, 0, 1, bytes(8))),
        "a window update of three bytes": always(frame(WINDOW, 0, 0, bytes(3))),
        "a window update of 0": always(frame(WINDOW, 0, 0, bytes(4))),
        "windows beyond 2^31": always(frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2),
        "a window of what never began": always(frame(WINDOW, 0, 1, b"\0\0\0\1")),
        "a frame of 16 MiB": always(b"\xff\xff\xff\0\0\0\0\0\1"),
        "a block that is no HPACK": always(frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff")),
        "a field of an empty table": always(frame(HEADERS, END_HEADERS, 1, b"\xbe")),
        "a table of 16 MiB": always(frame(HEADERS, END_HEADERS, 1, b"\x3f\xff\xff\xff\x07")),
        "more padding than the frame": lambda each: begun(each) + frame(DATA, 0x8, 1, b"\x09x"),
        "headers after the end and a reset": lambda each: (
            begun(each) + frame(RST, 0, 1, bytes(4)) + frame(HEADERS, END_HEADERS, 1, b"\x82")
        ),
        "stream ids that go back": lambda each: begun(each) + begun(each) + frame(HEADERS, END_HEADERS, 1, b"\x82"),
        "a priority of four bytes": always(frame(PRIORITY, 0, 1, bytes(4))),
    }


def _open_block(headers: bytes) -> bytes:
    """Return a frame of headers that does not say that its block ends with it."""
    return headers[:4] + b"\0" + headers[5:]


@attack("http2.broken-rules", short=True)
def broken_rules(scene: Scene) -> list[Measure]:
    """Connections that break a rule of RFC 9113 each, in the manner of h2spec."""

    def taken(port: int) -> list[str]:
        found: list[str] = []
        for name, said in _broken_rules().items():
            connection = RawConnection(port)
            connection.send(said(connection))
            if outcome(connection, 1, seconds=0.5 if scene.short else 1.0) == "silent":
                found.append(name)
            connection.close()
        return found

    theirs = None if scene.short else taken(scene.grpcio.port)
    return [count("taken in silence", taken(scene.emulator.port), theirs)]


@attack("http2.idle-connections")
def idle_connections(scene: Scene) -> list[Measure]:
    """Connections that say nothing, half a hello, half a frame, or hello and nothing more."""
    kept = {"nothing": b"", "half a hello": b"PRI * HT", "half a head": b"GET / HTTP/1.1\r\nho"}
    kept["half a frame"] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0) + b"\0\0\x10\0"
    kept["hello without settings"] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def open_after(port: int, seconds: float) -> list[str]:
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in kept]
        for connection, said in zip(connections, kept.values(), strict=True):
            connection.sendall(said)
        time.sleep(seconds)
        still: list[str] = []
        for name, connection in zip(kept, connections, strict=True):
            connection.setblocking(False)
            try:
                while connection.recv(1 << 16):
                    pass
            except BlockingIOError:
                still.append(name)
            except OSError:
                pass
            connection.close()
        return still

    return [count("still open after 80 s", open_after(scene.emulator.port, 80.0))]
