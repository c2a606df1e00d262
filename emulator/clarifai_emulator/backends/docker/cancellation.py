"""Ends an image build from another thread: the engine stops a build whose client hangs up."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import DockerClient


class Cancellation:
    """Cancels what one thread does on behalf of another. ``cancel`` may come before, during or after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Callable[[], object] | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """Stop the work in progress, and whatever begins later."""
        with self._lock:
            self._is_cancelled = True
            if self._stop is not None:
                self._stop()

    @contextlib.contextmanager
    def stops_with(self, stop: Callable[[], object]) -> Generator[None]:
        """Call ``stop`` if the work inside is cancelled; it must not block."""
        with self._lock:
            self._stop = stop
            if self._is_cancelled:
                stop()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None

    @contextlib.contextmanager
    def stops_call(self, client: DockerClient) -> Generator[None]:
        """Hang up on the engine if this thread's call inside is cancelled while its answer comes."""
        thread = threading.get_ident()
        answers = contextlib.ExitStack()

        def answered(response: Any, **_: Any) -> None:
            if threading.get_ident() == thread:
                answers.enter_context(self.stops_with(lambda: _hang_up(response)))

        hooks: list[Callable[..., Any]] = client.api.hooks["response"]
        hooks.append(answered)
        try:
            with answers:
                yield
        finally:
            hooks.remove(answered)


def _hang_up(response: Any) -> None:
    """Wake the thread that reads an answer, which then closes the connection."""
    connection = response.raw.connection
    if connection is None or connection.sock is None:
        return  # the answer has been read
    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (AttributeError, OSError):  # a tunnel through SSH, or a named pipe
        connection.sock.close()
