"""Gives attacks what they need: an emulator and a server of grpcio that they share, and emulators of their own."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from attack.beside import SLOWER, Beside, measures, watch
from attack.measured import Measure
from attack.victims import EmulatorVictim, GrpcioVictim, attacked

_Kept = TypeVar("_Kept")
# The MiB that an attack may take which is not about memory.
FEW = 64.0


class Scene:
    """The place of a run. ``short``: an attack lasts a second or two, and is made in few rounds."""

    def __init__(self, *, short: bool) -> None:
        self.short = short
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="attack-")))
        self._numbers = itertools.count(1)
        self._shared: EmulatorVictim | None = None
        self._grpcio: GrpcioVictim | None = None
        self.has_died = False
        self._kept: dict[str, Any] = {}

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def emulator(self) -> EmulatorVictim:
        """Return the emulator that attacks share; another one once it has ended, which is noted in ``has_died``."""
        if self._shared is not None and not self._shared.is_up():
            self._shared, self.has_died = None, True
        if self._shared is None:
            self._shared = self._stack.enter_context(attacked(EmulatorVictim(self.new_folder())))
        return self._shared

    @property
    def grpcio(self) -> GrpcioVictim:
        """Return the server of grpcio that is attacked beside it."""
        if self._grpcio is None or not self._grpcio.is_up():
            self._grpcio = self._stack.enter_context(attacked(GrpcioVictim(self.new_folder())))
        return self._grpcio

    def kept(self, name: str, make: Callable[[], _Kept]) -> _Kept:
        """Return what attacks share under a name; it is made for the first of them."""
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def enter(self, context: AbstractContextManager[_Kept]) -> _Kept:
        """Enter a context that ends with the run."""
        return self._stack.enter_context(context)

    def renew(self) -> None:
        """End what is shared: the next attack has others, whose memory no earlier one has filled."""
        shared, self._shared = (self._shared, self._grpcio), None
        self._grpcio = None
        for victim in shared:
            if victim is not None:
                victim.end()

    def new_folder(self) -> Path:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    @contextmanager
    def own(self, *options: str, **how: Any) -> Iterator[EmulatorVictim]:
        """Yield an emulator of the attack's own, with its models deployed."""
        folder: Path = how.pop("folder", None) or self.new_folder()
        with attacked(EmulatorVictim(folder, *options, **how)) as victim:
            victim.wait_until_models_answer()
            yield victim

    def beside(
        self,
        sender: str,
        *,
        memory: float,
        kept: float | None = None,
        until_sent: bool = False,
        peer: bool = True,
        fresh: bool = False,
        slower: float = SLOWER,
        seconds: float = 2.0,
    ) -> list[Measure]:
        """Return what a good client notices while a sender attacks, here and (``peer``) at grpcio. ``fresh``: both
        are started anew; ``slower``: the bound of the median."""
        if fresh or memory > FEW:
            self.renew()
        ours = self._watched(self.emulator, sender, seconds, until_sent)
        theirs = self._watched(self.grpcio, sender, seconds, until_sent) if peer and not self.short else None
        return measures(ours, theirs, memory=memory, kept=kept, slower=slower)

    def _watched(self, victim: Any, sender: str, seconds: float, until_sent: bool) -> Beside:
        rounds, seconds = (1, 1.0) if self.short else (2, seconds)
        return watch(victim, sender, seconds=seconds, rounds=rounds, until_sent=until_sent)
