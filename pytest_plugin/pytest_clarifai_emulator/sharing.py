"""The emulator that all xdist workers share, in the controller: starts with the first worker that asks for it.

worker ─► Unix socket ─► a thread for each connection ─► Share of that worker ─► emulator's event loop
             └ a function and its arguments, pickled; back comes what it gave or raised

The socket is in a folder that only this user can enter. Its first connection lasts as long as the worker: when that
ends, however it ends, the worker's account is emptied.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, Listener
from typing import TYPE_CHECKING, Any, cast

from pytest_clarifai_emulator.settings import Settings
from pytest_clarifai_emulator.temp_homes import make_home, remove_home

if TYPE_CHECKING:
    from pytest_clarifai_emulator.serving import OwnServing
    from pytest_clarifai_emulator.share import Share


class Host:
    """Serves the workers of one session. ``address``: where they find it."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._port = port
        self._folder = make_home(for_sockets=True)
        self._listener = Listener(os.path.join(self._folder, "emulator.sock"), "AF_UNIX")
        self._starting = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._serving: OwnServing | None = None
        self._shares: dict[str, Share] = {}
        self._closed = False
        threading.Thread(target=self._accept, name="clarifai-shared", daemon=True).start()

    @property
    def address(self) -> str:
        """For an environment variable: whose children may join, the emulator's port, and the socket."""
        return f"{os.getpid()}:{self._port}:{self._listener.address}"

    def close(self) -> None:
        """Stop the emulator, if it has started."""
        with self._starting:
            self._closed = True
            self._stack.close()
        self._listener.close()
        remove_home(self._folder)

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = cast("Connection[Any, Any]", self._listener.accept())
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="clarifai-worker", daemon=True).start()

    def _serve(self, connection: Connection[Any, Any]) -> None:
        """Answer one connection until its worker closes it, or is gone."""
        from pytest_clarifai_emulator.parcels import HELLO, unpacked

        worker = ""
        try:
            with connection, contextlib.suppress(EOFError, OSError):
                while True:
                    user_id, function = unpacked(connection.recv_bytes())
                    if function == HELLO:
                        worker = user_id
                    connection.send_bytes(self._answer(user_id, function))
        finally:
            if worker and worker in self._shares and not self._closed:
                self._shares.pop(worker).leave()

    def _answer(self, user_id: str, function: Callable[[Share], Any] | str) -> bytes:
        try:
            share = self._share(user_id)
            answer: tuple[bool, Any] = (True, None if isinstance(function, str) else function(share))
        except Exception as error:
            answer = (False, (type(error), error.args, error.__dict__))
        from pytest_clarifai_emulator.parcels import packed

        try:
            return packed(answer)
        except Exception as error:
            return packed((False, (TypeError, (f"{error}: it cannot leave the shared emulator",), {})))

    def _share(self, user_id: str) -> Share:
        with self._starting:
            if self._closed:
                raise RuntimeError("The shared emulator has stopped: the session is over.")
            if self._serving is None:
                from pytest_clarifai_emulator.serving import serving

                self._serving = self._stack.enter_context(serving(self._settings, self._port, shared=True))
            if user_id not in self._shares:
                from pytest_clarifai_emulator.share import Share

                self._shares[user_id] = Share(
                    self._serving.thread, self._serving.log, user_id, self._settings.topology
                )
            return self._shares[user_id]
