"""Bounds the memory in which requests and answers wait: of each connection, and of all together.

    Buffers (all) ─► ConnectionBuffers (a client's) ─► RequestBuffer (a request's: what came, what is not sent yet)

Where it is too much, what has to wait for its client is given up (a message that is not whole, an answer that is
not read), first that which has stood still for the longest time. What a handler has in hand is not taken from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

# What a request costs that has said nothing yet: its tasks, its tables.
_OF_A_REQUEST = 8 * 1024
# What a request has held that is large.
_LARGE = 1024 * 1024
# Pieces that are smaller are put together: each costs as much for itself.
_SMALL = 4 * 1024
_PUT_TOGETHER = 64 * 1024
# So much of a bound is freed at once where it is passed, or each further byte would look for more.
_FREED = 64

OF_A_CONNECTION = "--max-connection-buffer-bytes"
OF_ALL = "--max-buffer-bytes"
GiveUp = Callable[[str], None]


class Buffers:
    """Counts the bytes of all connections. ``most``: how many they may hold together; ``most_of_connection``: how
    many each of them. ``freed`` is told how many bytes a large request has held, when it has ended."""

    def __init__(self, most: int, most_of_connection: int, freed: Callable[[int], None] | None = None) -> None:
        self.freed = freed
        self.most = most
        self.most_of_connection = most_of_connection
        self.size = 0
        self.turn = 0
        self._connections: set[ConnectionBuffers] = set()

    def connection(self) -> ConnectionBuffers:
        """Return what counts the bytes of a new connection; ``close`` it."""
        made = ConnectionBuffers(self)
        self._connections.add(made)
        return made

    def forget(self, connection: ConnectionBuffers) -> None:
        """Count a connection no more."""
        self._connections.discard(connection)

    def make_room(self, connection: ConnectionBuffers, asking: RequestBuffer) -> None:
        """Give up what waits, of a connection and then of all, until both keep to their bounds."""
        if connection.size > connection.most:
            what = (
                f"The requests and answers that wait on this connection have more than {connection.most} bytes "
                f"together, the most that a connection may hold ({OF_A_CONNECTION}). Send fewer at once, and read "
                "the answers."
            )
            _give_up(connection.requests, connection.size - connection.most, connection.most, asking, what)
        if self.size > self.most:
            everyone = [request for each in self._connections for request in each.requests]
            what = (
                f"The requests and answers that wait on all connections have more than {self.most} bytes "
                f"together, the most that the emulator holds ({OF_ALL}). Send it again later, or fewer at once."
            )
            _give_up(everyone, self.size - self.most, self.most, asking, what)


class ConnectionBuffers:
    """Counts the bytes of one connection."""

    __slots__ = ("all", "most", "requests", "size")

    def __init__(self, all_of_them: Buffers) -> None:
        self.all = all_of_them
        self.most = all_of_them.most_of_connection
        self.size = 0
        self.requests: set[RequestBuffer] = set()

    def request(self, give_up: GiveUp, more: int = 0) -> RequestBuffer:
        """Return what counts the bytes of a new request; ``end`` it. ``give_up`` is called with the reason where
        they are too many; ``more``: those of its head."""
        return RequestBuffer(self, give_up, _OF_A_REQUEST + more)

    def allow(self, size: int) -> None:
        """Let messages of this size pass, too."""
        self.most = max(self.most, size + self.all.most_of_connection)

    def close(self) -> None:
        """Forget the connection, and all that it holds."""
        for request in tuple(self.requests):
            request.end()
        self.all.forget(self)


class RequestBuffer:
    """Counts the bytes of one request. ``is_in_hand``: a handler has all of it, and nothing waits for the client.
    ``turn``: when it changed last."""

    __slots__ = ("_connection", "_give_up", "has_ended", "is_in_hand", "size", "turn", "waiting")

    def __init__(self, connection: ConnectionBuffers, give_up: GiveUp, size: int) -> None:
        self._connection = connection
        self._give_up = give_up
        self.size = 0
        self.waiting = 0
        self.turn = 0
        self.is_in_hand = False
        self.has_ended = False
        connection.requests.add(self)
        self._count(size)

    def hold(self, waiting: int) -> None:
        """Take note of how many bytes of the request and its answer there are now, besides its head. Calls
        ``give_up`` where that is too much: it has ended then."""
        more, self.waiting = waiting - self.waiting, waiting
        if more:
            self._count(more)

    def put_in_hand(self, is_in_hand: bool) -> None:
        """Take note that a handler has all of the request, or that it waits for the client again."""
        self.is_in_hand = is_in_hand

    def _count(self, more: int) -> None:
        if self.has_ended:
            return
        self.size += more
        connection = self._connection
        connection.size += more
        everything = connection.all
        everything.size += more
        everything.turn += 1
        self.turn = everything.turn
        if more > 0 and (connection.size > connection.most or everything.size > everything.most):
            everything.make_room(connection, self)

    def end(self) -> None:
        """Take note that nothing is held any more."""
        if not self.has_ended:
            self.has_ended = True
            self._give_up = _nothing  # it holds the request, which holds this: neither waits for the collector
            connection = self._connection
            connection.size -= self.size
            connection.all.size -= self.size
            connection.requests.discard(self)
            if self.size > _LARGE and connection.all.freed is not None:
                connection.all.freed(self.size)

    def refuse(self, reason: str) -> None:
        """Give the request up."""
        give_up = self._give_up
        self.end()
        give_up(reason)


class Pieces:
    """Keeps bytes that come in pieces, small ones together. ``size``: how many there are."""

    __slots__ = ("_small", "_whole", "size")

    def __init__(self) -> None:
        self._whole: list[bytes] = []
        self._small = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        """Keep what has come."""
        self.size += len(data)
        if len(data) >= _SMALL and not self._small:
            self._whole.append(data)
            return
        self._small += data
        if len(self._small) >= _PUT_TOGETHER:
            self._put_together()

    def take(self) -> list[bytes]:
        """Return all that is kept, in order, and forget it."""
        if self._small:
            self._put_together()
        pieces, self._whole, self.size = self._whole, [], 0
        return pieces

    def clear(self) -> None:
        """Forget all that is kept."""
        self._small.clear()
        self.take()

    def _put_together(self) -> None:
        self._whole.append(bytes(self._small))
        self._small = bytearray()


def _nothing(reason: str) -> None:
    """Give nothing up: the request has ended."""


def _give_up(requests: Iterable[RequestBuffer], excess: int, most: int, asking: RequestBuffer, reason: str) -> None:
    """Give up requests, the one that has stood still for the longest time first; where none waits for its client,
    the one that asks for more."""
    excess += most // _FREED
    waiting = sorted((each for each in requests if not each.is_in_hand), key=lambda each: each.turn)
    for each in waiting:
        if excess <= 0:
            return
        excess -= each.size
        each.refuse(reason)
    if excess > most // _FREED:
        asking.refuse(reason)
