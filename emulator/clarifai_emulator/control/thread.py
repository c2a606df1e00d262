"""Runs an emulator in a thread of its own, for code without an event loop: tests, notebooks, scripts.

with EmulatorThread(EmulatorConfig(port=0)) as emulator:
    deployed = emulator.deploy("my-model")
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from clarifai_emulator.api.call import Step
from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.background_work import begin_thread, nobody_waits
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.account import Account
from clarifai_emulator.control.call_records import CallLog
from clarifai_emulator.control.door import Door
from clarifai_emulator.control.verb_table import verb_named
from clarifai_emulator.control.verbs import Verbs, unheard
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.topology_edits import TopologyOutcome
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.reload.project import Options as ReloadOptions
from clarifai_emulator.reload.project import Outcome

P = ParamSpec("P")
T = TypeVar("T")
# How long a call that is told to end may take for it.
_CANCEL_SECONDS = 5.0
_NOT_RUNNING = "The emulator is not running: use it inside `with EmulatorThread() as emulator:`."


class EmulatorThread(Door):
    """Runs one emulator. Starts with ``start`` or ``with``; every method may be called from any thread."""

    def __init__(
        self,
        config: EmulatorConfig | None = None,
        *,
        clock: Clock | None = None,
        discovery: Discovery | None = None,
        parent: Parent | None = None,
        log: CallLog | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        self.config = config or EmulatorConfig(port=0)
        self._clock = clock
        self._discovery = discovery
        self._parent = parent
        self._steps = steps
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self.emulator: Emulator | None = None
        self._log = log
        self._verbs: Verbs | None = None
        self._prepare: list[Callable[[Emulator], object]] = []

    def before_start(self, prepare: Callable[[Emulator], object]) -> None:
        """Call ``prepare`` with the emulator when it is built and does not listen yet."""
        self._prepare.append(prepare)

    def __enter__(self) -> EmulatorThread:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the base URL for ``CLARIFAI_API_BASE``."""
        return self._running.url

    @property
    def pat(self) -> str:
        """Return a token for ``CLARIFAI_PAT``."""
        return self._running.pat

    @property
    def user_id(self) -> str:
        """Return the user whose account ``deploy`` and the topology use."""
        return self.config.user_id

    def start(self) -> None:
        """Start and wait until it answers. Raises ``ConfigError``."""
        self._thread = begin_thread(self._loop.run_forever, "clarifai-emulator", nobody_waits)
        try:
            self.emulator = self._call(self._begin())
            self._verbs = Verbs(Account(self.emulator), self._log)
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Stop and wait until nothing of it runs."""
        if self.emulator is not None:
            self._call(self.emulator.stop())
            self.emulator = self._verbs = None
        self._end_loop()

    def dev(
        self,
        path: str | Path,
        *,
        options: ReloadOptions | None = None,
        progress: Progress = unheard,
        **fields: Any,
    ) -> Deployed:
        """Deploy a model directory so that ``reload`` brings edits of it to where they answer."""
        request = DeployRequest(path=Path(path), **fields)
        return self.ask(Verbs.dev, request, options or ReloadOptions(), progress)

    def reload(self, path: str | Path, *, progress: Progress = unheard) -> Outcome:
        """Bring the edits of a directory in the dev loop to where they answer; what came of it."""
        return self.ask(Verbs.reload, Path(path), progress)

    def reload_topology(self) -> TopologyOutcome:
        """Apply what has changed in the topology files it was started with; what came of it."""
        return self.ask(Verbs.reload_topology)

    def ask(
        self, verb: Callable[Concatenate[Verbs, P], Coroutine[Any, Any, T]], /, *args: P.args, **named: P.kwargs
    ) -> T:
        verbs = self._verbs
        if verbs is None:
            raise RuntimeError(_NOT_RUNNING)
        row = verb_named(verb.__name__)
        return self._call(row.call(verbs, **row.bound(args, named)))

    def run(self, function: Callable[[Emulator], T]) -> T:
        """Call ``function`` with the emulator, in its event loop."""
        emulator = self._running

        async def call() -> T:
            return function(emulator)

        return self._call(call())

    def wait(self, function: Callable[[Emulator], Coroutine[Any, Any, T]]) -> T:
        """Run the coroutine that ``function`` makes of the emulator, in its event loop; gives its result."""
        return self._call(function(self._running))

    @property
    def _running(self) -> Emulator:
        if self.emulator is None:
            raise RuntimeError(_NOT_RUNNING)
        return self.emulator

    async def _begin(self) -> Emulator:
        emulator = Emulator(
            self.config, clock=self._clock, discovery=self._discovery, parent=self._parent, steps=self._steps
        )
        for prepare in self._prepare:
            prepare(emulator)
        await emulator.start()
        return emulator

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        answer = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return answer.result()
        except concurrent.futures.CancelledError:
            raise RuntimeError("The emulator was stopped before it had answered.") from None
        except KeyboardInterrupt:
            answer.cancel()  # whoever broke it off wants what it does undone, too
            raise

    def _end_loop(self) -> None:
        if self._thread is None:
            return
        self._call(_cancel_others())
        self._call(self._loop.shutdown_asyncgens())
        # Else its threads go when the garbage is collected, whenever that is.
        self._call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        self._loop.close()


async def _cancel_others() -> None:
    """End what other threads still wait for: nobody would ever answer them."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_CANCEL_SECONDS)
