"""Joins a worker to the emulator that all xdist workers share: what ``EmulatorThread`` can, for one account.

Only functions with a name of their own travel, with their arguments: what a test wants of the emulator itself
(``.run(lambda emulator: …)``) needs ``--clarifai-scope worker``.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.codec import CannotTravel
from clarifai_emulator.control.remote import RemoteEmulator
from clarifai_emulator.control.running import Running
from clarifai_emulator.control.verb_table import codec
from clarifai_emulator.control.verbs import Progress, Verbs, unheard
from clarifai_emulator.deploy.deploy_request import Deployed
from pytest_clarifai_emulator.contract_findings import CallFinding

P = ParamSpec("P")
T = TypeVar("T")


class JoinedEmulator(RemoteEmulator):
    """The shared emulator, seen from one worker: ``.url``, ``.deploy(DIR)``, ``.reset()``, ``.events()``,
    ``.route(…)``, ``.faults``, ``.status()``. All of it is about the worker's own account."""

    def __init__(self, doorbell: str, url: str, user_id: str, credential: str) -> None:
        self._lasting = _ring(doorbell, credential)
        port = urlsplit(url).port or 0
        running = Running(
            url=url, pid=os.getppid(), token=credential, user_id=user_id, port=port, started=time.time()
        )
        # By this form of the address, which tests do not use: no call of a test is meant.
        super().__init__(running, types=(CallFinding,), target=f"ipv4:127.0.0.1:{port}")
        self.config: EmulatorConfig = self.ask(Verbs.config)

    def stop(self) -> None:
        """Leave: the account is emptied."""
        self.close()
        self._lasting.close()

    def ask(
        self, verb: Callable[Concatenate[Verbs, P], Coroutine[Any, Any, T]], /, *args: P.args, **named: P.kwargs
    ) -> T:
        try:
            return super().ask(verb, *args, **named)
        except CannotTravel as error:
            raise TypeError(
                f"The emulator is in another process (--clarifai-scope shared), and only functions that a module "
                f"defines can go there: {error}. Use --clarifai-scope worker for this test."
            ) from None

    def deploy(self, path: str | Path, *, progress: Progress = unheard, **options: Any) -> Deployed:
        """Deploy a model directory; ``options`` are the fields of ``DeployRequest``."""
        return super().deploy(path, progress=progress, **{**options, "user_id": self.user_id})

    def reset(self, *, keep_warm: bool = True) -> None:
        """Empty the account. Replicas that are idle stay, whatever ``keep_warm`` says: others may use them."""
        self.ask(Verbs.reset, keep_warm)

    def require_own(self, user_id: str) -> None:
        """Raise ``ConfigError`` for a user that is not of this account."""
        self.ask(Verbs.require_own, user_id)


def _ring(doorbell: str, credential: str) -> socket.socket:
    """Wait until the emulator has opened the account; the account lasts as long as the connection. Raises what went
    wrong."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(doorbell)
    connection.sendall(f"{credential}\n".encode())
    answer = json.loads(connection.makefile("r", encoding="utf-8").readline() or "{}")
    if "error" in answer:
        connection.close()
        raise codec().error_read(answer["error"])
    return connection
