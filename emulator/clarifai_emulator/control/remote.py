"""Opens the door to an emulator in another process: every verb of the table, carried by the control service."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from clarifai_emulator.control.client import Client
from clarifai_emulator.control.codec import Codec
from clarifai_emulator.control.door import Door
from clarifai_emulator.control.running import Running
from clarifai_emulator.control.verb_table import codec, verb_named
from clarifai_emulator.control.verbs import Verbs
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.models.progress import Progress

P = ParamSpec("P")
T = TypeVar("T")


class RemoteEmulator(Door):
    """Asks the emulator that ``running`` describes; its token says for which account. ``types``: further types that
    travel. ``target``: the address to dial, where it is not the one of the URL."""

    def __init__(self, running: Running, *, types: tuple[type[Any], ...] = (), target: str = "") -> None:
        self._running = running
        self._codec: Codec = codec(*types)
        self._client = Client(running, target=target)

    @property
    def url(self) -> str:
        """Return the base URL for ``CLARIFAI_API_BASE``."""
        return self._running.url

    @property
    def user_id(self) -> str:
        return self._running.user_id

    def close(self) -> None:
        """Ask nothing more."""
        self._client.hang_up()

    def ask(
        self, verb: Callable[Concatenate[Verbs, P], Coroutine[Any, Any, T]], /, *args: P.args, **named: P.kwargs
    ) -> T:
        row = verb_named(verb.__name__)
        given = row.bound(args, named)
        progress: Progress | None = given.pop("progress", None)
        answers = self._client.answers_to(row.name, self._codec.written(given), read_error=self._codec.error_read)

        def tell(answer: dict[str, Any]) -> None:
            if progress is not None and "progress" in answer:
                progress(answer["progress"])

        return self._codec.read(self._client.result_of(answers, tell))

    def run(self, function: Callable[[Emulator], T]) -> T:
        return self.ask(Verbs.run, function)

    def _path(self, path: str | Path) -> Path:
        return Path(path).absolute()
