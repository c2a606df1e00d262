"""Runs the emulator that all xdist workers share, in the controller: it starts when a worker first asks for it.

worker ─► doorbell, a Unix socket: its credential ─► the emulator starts, the worker's account is opened
       └► control service of the emulator: every verb, for the account of that credential

The doorbell is in a folder that only this user can enter. A worker holds its connection as long as it lives: when
that ends, however it ends, the worker's account is emptied.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_clarifai_emulator.settings import Settings
from pytest_clarifai_emulator.temp_homes import make_home, remove_home

if TYPE_CHECKING:
    from clarifai_emulator.control.verbs import Verbs


class SharedServing(Protocol):
    """The emulator that is shared, once it runs."""

    def open_for_worker(self, credential: str, user_id: str, topology: tuple[Path, ...]) -> Verbs:
        """Open the account of a worker, which its credential opens from now on."""
        ...

    def close_for_worker(self, credential: str, verbs: Verbs) -> None:
        """Empty the account of a worker that is gone."""
        ...


class Host:
    """Serves the workers of one session. ``start``: starts the emulator."""

    def __init__(
        self, settings: Settings, port: int, start: Callable[[], AbstractContextManager[SharedServing]]
    ) -> None:
        self._start = start
        self._settings = settings
        self._port = port
        self._folder = make_home(for_sockets=True)
        self._path = os.path.join(self._folder, "emulator.sock")
        self._doorbell = socket.socket(socket.AF_UNIX)
        self._doorbell.bind(self._path)
        self._doorbell.listen(64)
        self._users: dict[str, str] = {}
        self._starting = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._serving: SharedServing | None = None
        self._closed = False
        threading.Thread(target=self._accept, name="clarifai-shared", daemon=True).start()

    @property
    def address(self) -> str:
        """Return what workers are told in an environment variable: whose children may join, the emulator's port,
        and the doorbell."""
        return f"{os.getpid()}:{self._port}:{self._path}"

    def credential(self, user_id: str) -> str:
        """Make a credential for one worker: it opens the account of this user, and nothing else."""
        credential = secrets.token_hex(24)
        self._users[credential] = user_id
        return credential

    def close(self) -> None:
        """Stop the emulator, if it has started."""
        with self._starting:
            self._closed = True
            self._stack.close()
        self._doorbell.close()
        remove_home(self._folder)

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, _ = self._doorbell.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), name="clarifai-worker", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Open the account of one worker, and empty it when the worker hangs up or is gone."""
        with connection, contextlib.suppress(OSError):
            credential = connection.makefile("r", encoding="ascii").readline().strip()
            verbs: Verbs | None = None
            try:
                verbs = self._opened(credential)
                answer = {}
            except Exception as error:
                from clarifai_emulator.control.verb_table import codec

                answer = {"error": codec().error_written(error)}
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
                while connection.recv(64):
                    pass
            finally:
                if verbs is not None and not self._closed:
                    self._leave(credential, verbs)

    def _opened(self, credential: str) -> Verbs:
        """Return the verbs of a worker's account, which is open then."""
        with self._starting:
            if self._closed:
                raise RuntimeError("The shared emulator has stopped: the session is over.")
            user_id = self._users.get(credential)
            if user_id is None:
                raise RuntimeError("This worker has no account on the shared emulator.")
            if self._serving is None:
                self._serving = self._stack.enter_context(self._start())
            return self._serving.open_for_worker(credential, user_id, self._settings.topology)

    def _leave(self, credential: str, verbs: Verbs) -> None:
        assert self._serving is not None, "what is left was opened"
        with contextlib.suppress(RuntimeError):  # the emulator stops at the same time
            self._serving.close_for_worker(credential, verbs)
