"""An emulator in a thread of its own, for code without an event loop: tests, notebooks, scripts.

with EmulatorThread(EmulatorConfig(port=0)) as emulator:
    deployed = emulator.deploy("my-model")
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from clarifai_emulator.api.call import Step
from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.clock import Clock
from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.snapshot import snapshot
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.topology_edits import TopologyOutcome
from clarifai_emulator.deploy.undeployer import Undeployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.faults import ActiveFault, Fault
from clarifai_emulator.machine.accelerators import Discovery
from clarifai_emulator.reload.project import Options as ReloadOptions
from clarifai_emulator.reload.project import Outcome
from clarifai_emulator.routing import Ask, Decision

T = TypeVar("T")
# How long a call that is told to end may take for it.
_CANCEL_SECONDS = 5.0


class ThreadFaults:
    """The faults of an emulator in a thread, for every other thread: ``add``, ``remove``, ``clear``, iteration.

    with emulator.faults.add(Fault(status="MODEL_DEPLOYING", times=2)) as fault:
        …
        assert fault.injected == 2
    """

    def __init__(self, thread: EmulatorThread) -> None:
        self._thread = thread

    def add(self, fault: Fault) -> ActiveFault:
        """Inject ``fault`` from now on; as a context manager, until the end of the block. Raises ``ConfigError``
        for a known id."""
        return self._own(self._thread.run(lambda emulator: emulator.faults.add(fault)))

    def remove(self, *fault_ids: str) -> list[ActiveFault]:
        """Inject these no more; gives them. Raises ``ConfigError`` when there is no such fault."""
        return self._thread.run(lambda emulator: emulator.faults.remove(*fault_ids))

    def clear(self) -> list[ActiveFault]:
        """Remove all; gives those that were there."""
        return self._thread.run(lambda emulator: emulator.faults.clear())

    def __iter__(self) -> Iterator[ActiveFault]:
        """All that were added and not removed, used up or not, oldest first."""
        return iter([self._own(active) for active in self._thread.run(lambda emulator: list(emulator.faults))])

    def _own(self, active: ActiveFault) -> ActiveFault:
        """The same, removed in the emulator's thread."""
        active.remove = lambda: self._drop(active)
        return active

    def _drop(self, active: ActiveFault) -> None:
        if self._thread.emulator is not None:  # once it has stopped, there is nothing to remove
            self._thread.run(lambda emulator: emulator.faults.drop(active))


class EmulatorThread:
    """Starts with ``start`` or ``with``; every method may be called from any thread."""

    def __init__(
        self,
        config: EmulatorConfig | None = None,
        *,
        clock: Clock | None = None,
        discovery: Discovery | None = None,
        parent: Parent | None = None,
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
        """The base URL for ``CLARIFAI_API_BASE``."""
        return self._running.url

    @property
    def user_id(self) -> str:
        """Whose account ``deploy`` and the topology use."""
        return self.config.user_id

    def start(self) -> None:
        """Start and wait until it answers. Raises ``ConfigError``."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="clarifai-emulator", daemon=True)
        self._thread.start()
        try:
            self.emulator = self._call(self._begin())
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Stop and wait until nothing of it runs."""
        if self.emulator is not None:
            self._call(self.emulator.stop())
            self.emulator = None
        self._end_loop()

    def deploy(
        self, path: str | Path, *, progress: Callable[[str], None] = lambda line: None, **options: Any
    ) -> Deployed:
        """Deploy a model directory; ``options`` are the fields of ``DeployRequest``."""
        request = DeployRequest(path=Path(path), **options)
        return self._call(self._running.deployer.deploy(request, progress))

    def undeploy(self, name: str | None, *, user_id: str = "") -> Sequence[Undeployed]:
        """Take away a deployment, or every deployment of a model; see ``Undeployer.undeploy``."""
        return self._call(self._running.undeployer.undeploy(name, user_id=user_id))

    def dev(
        self,
        path: str | Path,
        *,
        options: ReloadOptions | None = None,
        progress: Callable[[str], None] = lambda line: None,
        **fields: Any,
    ) -> Deployed:
        """Deploy a model directory so that ``reload`` brings edits of it to where they answer."""
        request = DeployRequest(path=Path(path), **fields)
        return self._call(self._running.reloader.begin(request, options or ReloadOptions(), progress))

    def reload(self, path: str | Path, *, progress: Callable[[str], None] = lambda line: None) -> Outcome:
        """Bring the edits of a directory in the dev loop to where they answer; what came of it."""
        return self._call(self._running.reloader.reload(Path(path), progress))

    def reload_topology(self) -> TopologyOutcome:
        """Apply what has changed in the topology files it was started with; what came of it."""
        return self._call(self._running.reload_topology())

    def reset(self, *, keep_warm: bool = False) -> None:
        """Back to the state after ``start``. ``keep_warm``: see ``Emulator.reset``."""
        self._call(self._running.reset(keep_warm=keep_warm))

    def apply(self, *files: str | Path) -> None:
        """Create everything that topology files name. Raises ``ConfigError`` with file and line of each problem."""
        self._call(self._running.apply(*map(Path, files)))

    @property
    def faults(self) -> ThreadFaults:
        """What goes wrong on purpose."""
        return ThreadFaults(self)

    def route(self, ask: Ask) -> Decision:
        """Where a request would go. Raises ``RoutingError``."""
        return self.run(lambda emulator: emulator.decide(ask))

    def status(self) -> dict[str, Any]:
        """What `clarifai-emulator status --json` shows."""
        return self.run(snapshot)

    def events(self, prefix: str = "", **match: Any) -> list[Event]:
        """The kept events whose kind begins with ``prefix`` and whose fields equal ``match``."""
        return self.run(lambda emulator: list(emulator.events.recent(prefix, **match)))

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
            raise RuntimeError("The emulator is not running: use it inside `with EmulatorThread() as emulator:`.")
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
    """What other threads still wait for: nobody would ever answer them."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_CANCEL_SECONDS)
