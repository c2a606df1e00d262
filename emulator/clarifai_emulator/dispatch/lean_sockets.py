"""Leads to a lean replica in a process of its own: a socket for what concerns the replica, and one to each of its
threads, made when work first needs it, over which items and their outputs go as frames (``inside/lean_main.py``).

A thread waits for its own socket only, so an item wakes one thread and no two wait for the same. A client that is
far behind leaves the socket of its item full: the model waits when it writes on.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import socket
from collections import deque
from collections.abc import Iterable
from typing import Any

from clarifai_grpc.grpc.api.service_pb2 import MultiOutputResponse

from clarifai_emulator.dispatch.lean import LeanReplica
from clarifai_emulator.dispatch.runner_item import item_parts
from clarifai_emulator.dispatch.work import Work
from clarifai_emulator.inside.lean_main import (
    ADMITS,
    ASKING,
    CANCEL,
    CHANNEL,
    DONE,
    END,
    GENUINE,
    HEADER,
    ITEM,
    LAST,
    MORE,
    OUTPUT,
    READY,
    SOCKET_BUFFER,
)
from clarifai_emulator.messages.outline import Bytes, outline

log = logging.getLogger(__name__)

# From here on a payload is written and read by itself, not copied together with what stands beside it.
_LARGE = 64 * 1024
# So much of a client's further messages may wait for its model to read on.
_UNREAD_BYTES = 1024 * 1024
_parse: Any = MultiOutputResponse.FromString  # takes a bytearray, too, and does not copy it
_READ_AHEAD = 256 * 1024
# Of a large payload, so much is read before others have their turn.
_READ_AT_ONCE = 1024 * 1024
# A payload of this size is read into memory that the system clears page by page, as it is used.
_HUGE = 16 * 1024 * 1024


class LeanSockets:
    """The emulator's end of the sockets of one replica. ``control`` is the one that it has from its beginning."""

    def __init__(self, control: socket.socket) -> None:
        control.setblocking(False)
        self._control = control
        self._channels: list[SocketChannel] = []
        # What comes is read into this; nothing of it is kept when the event loop goes on. Another emulator of this
        # process, in another thread, may read at the same time, into its own.
        self._buffer = memoryview(bytearray(_READ_AHEAD))
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()
        self._received = b""
        self._replica: LeanReplica | None = None

    def listen(self, replica: LeanReplica) -> None:
        """Tell ``replica`` from now on what comes."""
        self._replica = replica
        asyncio.get_running_loop().add_reader(self._control, self._hear)

    def open_channel(self) -> SocketChannel:
        """Make a socket for one more thread. Raises ``OSError`` when this process may have no more of them."""
        assert self._replica is not None
        ours, theirs = socket.socketpair()
        channel = SocketChannel(ours, self._replica, self._buffer)
        self._channels.append(channel)
        self._say(CHANNEL, 0, theirs)
        return channel

    def cancel(self, number: int) -> None:
        """Tell the model that the client of an item went away."""
        self._say(CANCEL, number)

    def take_rest(self) -> None:
        """Tell what has come already and was not told yet."""
        for channel in self._channels:
            channel.take_rest()

    def close(self) -> None:
        """Take nothing and send nothing any more."""
        if self._control.fileno() < 0:
            return
        if self._replica is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            asyncio.get_running_loop().remove_writer(self._control)
        self._control.close()
        for _, theirs in self._unsent:
            if theirs is not None:
                theirs.close()
        self._unsent.clear()
        for channel in self._channels:
            channel.close()

    def _hear(self) -> None:
        assert self._replica is not None
        try:
            data = self._control.recv(_LARGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._replica.lost()
            return
        frames, self._received = _frames(memoryview(self._received + data))
        try:
            for kind, number, payload in frames:
                if kind in (READY, ASKING):
                    self._replica.ready(number, is_asked=kind == ASKING)
                elif kind == ADMITS:
                    self._replica.admits()
                elif kind == GENUINE:
                    self._replica.serves_genuinely(bytes(payload).decode())
        except Exception:
            self._replica.lost()  # else it would be waited for for ever
            raise

    def _say(self, kind: int, number: int, theirs: socket.socket | None = None) -> None:
        """In order, each as soon as the socket takes it."""
        self._unsent.append((HEADER.pack(0, kind, number), theirs))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._unsent and self._control.fileno() >= 0:
            data, theirs = self._unsent[0]
            try:
                socket.send_fds(self._control, [data], [] if theirs is None else [theirs.fileno()])
            except BlockingIOError:
                loop.add_writer(self._control, self._flush)
                return
            except OSError:
                pass  # the replica has ended, which is heard at the same socket
            self._unsent.popleft()
            if theirs is not None:
                theirs.close()
        if self._control.fileno() >= 0:
            loop.remove_writer(self._control)


class SocketChannel:
    """The emulator's end of the socket to one thread of a replica. ``buffer`` is read into, by all of them."""

    def __init__(self, sock: socket.socket, replica: LeanReplica, buffer: memoryview) -> None:
        sock.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
        self._sock = sock
        self._replica = replica
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0
        self._sent = asyncio.Event()
        self._received = b""
        # A large payload of which more is to come: kind and number of its frame, itself, and how much is there.
        self._large: tuple[int, int, bytearray | mmap.mmap] | None = None
        self._there = 0
        self.go()

    def give(self, number: int, work: Work) -> None:
        """Send the item of this work."""
        self._send(ITEM, number, *item_parts(work, work.request, description=work.request_id))

    async def more(self, number: int, work: Work, request: Any) -> None:
        """Send a further message of the client; returns once the replica is not too far behind."""
        self._send(MORE, number, *item_parts(work, request, description=work.request_id))
        while self._unsent_bytes > _UNREAD_BYTES:
            self._sent.clear()
            await self._sent.wait()

    def end(self, number: int) -> None:
        """Say that the client sends no more."""
        self._send(END, number)

    def hold(self) -> None:
        """Take nothing more from the thread until ``go``: it waits with its next output."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)

    def go(self) -> None:
        """Take from the thread again."""
        if self._sock.fileno() >= 0:
            self._loop.add_reader(self._sock, self._read)

    def take_rest(self) -> None:
        """Tell what has come already and was not told yet."""
        while self._read():
            pass

    def close(self) -> None:
        """Take nothing and send nothing any more."""
        self.hold()
        self._loop.remove_writer(self._sock)
        self._sock.close()

    def _read(self) -> bool:
        """Take what is there, and tell whether there was something."""
        try:
            if self._large is None:
                count = self._sock.recv_into(self._buffer)
            else:
                count = self._sock.recv_into(memoryview(self._large[2])[self._there : self._there + _READ_AT_ONCE])
        except BlockingIOError:
            return False
        except OSError:
            count = 0
        if not count:
            self._replica.lost()
        elif self._large is not None:
            self._there += count
            if self._there == len(self._large[2]):
                frame, self._large = self._large, None
                self._handle([frame])
        else:
            data = self._buffer[:count]
            frames, rest = _frames(memoryview(self._received + data) if self._received else data)
            self._received = rest
            self._expect_large()
            self._handle(frames)
        return count > 0

    def _expect_large(self) -> None:
        """Let what is left of a large payload be read to where it will stand."""
        if len(self._received) < HEADER.size:
            return
        length, kind, number = HEADER.unpack_from(self._received)
        if length >= _LARGE:
            payload = _room_for(length)
            self._there = len(self._received) - HEADER.size
            payload[: self._there] = memoryview(self._received)[HEADER.size :]
            self._received = b""
            self._large = kind, number, payload

    def _handle(self, frames: Iterable[tuple[int, int, memoryview | bytearray | mmap.mmap]]) -> None:
        try:
            for kind, number, payload in frames:
                if kind in (OUTPUT, LAST):
                    data = bytes(payload) if isinstance(payload, memoryview) else payload
                    self._output(number, data, is_last=kind == LAST)
                if kind in (LAST, DONE):
                    self._replica.done(number)
        except Exception:
            # Whoever waits for what it says would wait for ever.
            log.exception("a replica says what cannot be understood")
            self._replica.lost()

    def _output(self, number: int, data: Bytes, *, is_last: bool) -> None:
        size = len(data)
        if self._replica.passes(number, size):
            response = outline(MultiOutputResponse, data)
            if response is not None:
                self._replica.output(number, response, size, is_last=is_last, came=data)
                return
        whole = bytes(data) if isinstance(data, mmap.mmap) else data
        self._replica.output(number, _parse(whole), size, is_last=is_last)

    def _send(self, kind: int, number: int, head: bytes = b"", body: bytes = b"") -> None:
        if self._sock.fileno() < 0:
            return
        start = HEADER.pack(len(head) + len(body), kind, number) + head
        parts = [start + body] if len(body) < _LARGE else [start, body]
        if not self._unsent:
            try:
                sent = self._sock.sendmsg(parts)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # the replica has ended, which is heard at its other socket
            if sent == len(start) + len(body):
                return
            self._loop.add_writer(self._sock, self._flush)
        else:
            sent = 0
        for part in parts:
            self._unsent.append(memoryview(part)[sent:])
            self._unsent_bytes += max(0, len(part) - sent)
            sent = max(0, sent - len(part))

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent[0])
            except BlockingIOError:
                return
            except OSError:
                self._unsent.clear()
                break
            self._unsent_bytes -= sent
            if sent < len(self._unsent[0]):
                self._unsent[0] = self._unsent[0][sent:]
                return
            self._unsent.popleft()
            self._sent.set()
        self._unsent_bytes = 0
        self._sent.set()
        self._loop.remove_writer(self._sock)


def _room_for(length: int) -> bytearray | mmap.mmap:
    return bytearray(length) if length < _HUGE else mmap.mmap(-1, length)


def _frames(data: memoryview) -> tuple[list[tuple[int, int, memoryview]], bytes]:
    """Return the whole frames in ``data``, and a copy of what comes after the last."""
    frames: list[tuple[int, int, memoryview]] = []
    start = 0
    while len(data) - start >= HEADER.size:
        length, kind, number = HEADER.unpack_from(data, start)
        end = start + HEADER.size + length
        if len(data) < end:
            break
        frames.append((kind, number, data[start + HEADER.size : end]))
        start = end
    return frames, bytes(data[start:])
