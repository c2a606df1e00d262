"""Runs the emulator for the tests of one process: started when one first asks for it, emptied after each."""

from __future__ import annotations

import contextlib
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clarifai_emulator.backends.process.parent import Parent
from clarifai_emulator.clock import TurnableClock
from clarifai_emulator.config import EmulatorConfig, own_environ
from clarifai_emulator.control.account import UserAccount
from clarifai_emulator.control.call_records import Call, CallLog
from clarifai_emulator.control.page.page_mount import keep_calls
from clarifai_emulator.control.service import Control
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.control.verbs import CassetteUse, UsedCassette, Verbs
from clarifai_emulator.deploy.deploy_request import Deployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import EmulatorError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import Fault
from clarifai_emulator.store import Kind
from pytest_clarifai_emulator.contract_findings import CallFinding, findings_of
from pytest_clarifai_emulator.gpu import simulated
from pytest_clarifai_emulator.sdk_clock import IDLE, Outlook
from pytest_clarifai_emulator.settings import Settings
from pytest_clarifai_emulator.test_environment import PAT, USER_ID, token_of
from pytest_clarifai_emulator.up_settings import config_of
from pytest_clarifai_emulator.waiting import outlook

if TYPE_CHECKING:
    from pytest_clarifai_emulator.sdk_clock import SdkClock
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

_STOP_SECONDS = 0.2
_SDK = "clarifai.client"
_SHARED_USER = "shared"  # of the emulator that workers share; each of them has a user of its own


class Serving(ABC):
    """A running emulator, and what the plugin adds to it."""

    clock: TurnableClock | None = None  # None: it is everybody's, and stays
    sdk_clock: SdkClock  # of the SDK that calls it
    _open = 0  # accounts, one within the other
    _earlier: frozenset[str] = frozenset()  # requests of tests before this one
    _since = 0  # the newest event then

    @property
    @abstractmethod
    def control_token(self) -> str:
        """The token with which the command line may control it, too; empty where it may not."""

    @property
    @abstractmethod
    def thread(self) -> EmulatorThread | JoinedEmulator:
        """The emulator."""

    def deploy(self, path: Path, options: Mapping[str, Any]) -> Deployed:
        """Deploy a model directory. The first time, the SDK is imported here while the model's own interpreter does
        the same: a test that deploys a model is about to call it."""
        if _SDK in sys.modules or self.thread.config.backend != "process":
            return self.thread.deploy(path, **options)
        with ThreadPoolExecutor(1, "clarifai-deploy") as executor:
            deployed = executor.submit(self.thread.deploy, path, **options)
            with contextlib.suppress(Exception):  # whoever needs it is told
                importlib.import_module(_SDK)
            return deployed.result()

    def open_account(self) -> Callable[[], None]:
        """Open an account for a test, or for a class, module, package or session of tests; what is given closes it,
        and what was added to it is gone. The outermost is empty at first; within another one, what that has is
        there, too."""
        if self._open:
            undo = self.checkpoint()
        else:
            self.empty()
            undo = self.empty
        self._open += 1

        def close() -> None:
            self._open -= 1
            undo()

        return close

    @property
    def has_account(self) -> bool:
        """Tell whether an account is open: between tests, that of their module or session."""
        return self._open > 0

    def begin_test(self) -> None:
        """A test begins; what was called and what happened in its account before it is none of its own."""
        self._earlier, self._since = frozenset(), 0
        if self._open:
            self._earlier = frozenset(call.request_id for call in self.calls())
            self._since = max((event.seq for event in self.thread.events()), default=0)

    def test_calls(self) -> list[Call]:
        """The calls of the test that runs, oldest first."""
        return [call for call in self.calls() if call.request_id not in self._earlier]

    def test_events(self) -> list[Event]:
        """Return what has happened in the test that runs."""
        return [event for event in self.thread.events() if event.seq > self._since]

    def record_of_test(self, since_line: int) -> str:
        """Return as JSON what the file of ``--clarifai-html`` has of the test that runs; of the logs, what was
        printed after this line."""
        return self.thread.ask(Verbs.record_of_test, self._since, since_line)

    def undeploy(self, name: str) -> None:
        """Take away a deployment, or every deployment of a model, of the account."""
        self.thread.undeploy(name)

    def findings(self, calls: Sequence[Call]) -> list[CallFinding]:
        """Return what was found about these calls."""
        return self.thread.run(partial(findings_of, [call for call in calls if call.findings]))

    def checkpoint(self) -> Callable[[], None]:
        """Remember what there is; what is given brings that back."""
        number = self.thread.ask(Verbs.checkpoint)
        return lambda: self.thread.ask(Verbs.restore, number)

    def calls(self) -> list[Call]:
        """Return the calls of the account, oldest first."""
        return self.thread.ask(Verbs.calls)

    def models(self) -> dict[str, list[str]]:
        """Return its models that have code, and their methods."""
        return self.thread.ask(Verbs.models)

    def log_lines(self, log_type: str, **match: str) -> list[str]:
        """Return lines of its logs whose source has these ids."""
        return self.thread.ask(Verbs.log_lines, log_type, match)

    def insert(self, use: CassetteUse) -> None:
        """Let its calls go through a cassette."""
        self.thread.ask(Verbs.insert, use)

    def eject(self) -> UsedCassette:
        """Take the cassette out; gives it as it is now."""
        used = self.thread.ask(Verbs.eject)
        assert used is not None, "what is ejected was inserted"
        return used

    def cassette_problems(self) -> list[str]:
        """List what was asked that the cassette does not have."""
        return self.thread.ask(Verbs.cassette_problems)

    def unknown_names(self, fault: Fault) -> list[str]:
        """List what a fault names and the account does not have, each with the nearest name."""
        return self.thread.ask(Verbs.unknown_names, fault)

    def outlook(self, since: int) -> Outlook:
        """Return what the SDK of this process waits for; see ``sdk_clock.Platform``. Never raises."""
        try:
            return self.thread.ask(Verbs.look, partial(outlook, since))
        except (RuntimeError, EmulatorError):
            return IDLE, since  # it has stopped

    @abstractmethod
    def empty(self) -> None:
        """Forget what the test did; models that are idle stay loaded."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let so much time pass, which the SDK would have waited."""


class OwnServing(Serving):
    """An emulator of this process's own. ``control``: its control service, where it has one; ``log``: the calls of
    its clients."""

    def __init__(
        self, thread: EmulatorThread, clock: TurnableClock, log: CallLog, control: Control | None = None
    ) -> None:
        self._thread, self.clock, self._log, self._control = thread, clock, log, control
        self._emptied_at = -1  # the number of the last event then
        self._changed = False  # since then, without an event
        thread.run(lambda emulator: emulator.store.watch(self._store_changed))

    @property
    def thread(self) -> EmulatorThread:
        return self._thread

    @property
    def control_token(self) -> str:
        """The token with which the command line may control it, too; empty where it may not."""
        return self._control.token if self._control is not None else ""

    def empty(self) -> None:
        if self._emptied_at == self.thread.run(_last_event) and not self._changed:
            return
        if self.clock is not None:
            self.clock.ahead = 0.0
        self.thread.reset(keep_warm=True)
        self._emptied_at, self._changed = self.thread.run(_last_event), False

    def pass_time(self, seconds: float) -> None:
        clock = self.clock
        if clock is not None and seconds > 0:
            with contextlib.suppress(RuntimeError):
                self.thread.run(partial(turn, clock, seconds))

    def open_for_worker(self, credential: str, user_id: str, topology: tuple[Path, ...]) -> Verbs:
        """Open the account of a worker, which its credential opens from now on."""
        control = self._control
        assert control is not None, "an emulator that is shared has its controls"

        async def opened(emulator: Emulator) -> Verbs:
            emulator.authenticator.admit(token_of(user_id), user_id)
            verbs = Verbs(UserAccount(emulator, user_id, topology), self._log)
            await verbs.reset()
            control.admit(credential, verbs)
            return verbs

        return self.thread.wait(opened)

    def close_for_worker(self, credential: str, verbs: Verbs) -> None:
        """Empty the account of a worker that is gone."""
        control = self._control
        assert control is not None, "an emulator that is shared has its controls"
        control.dismiss(credential)
        self.thread.wait(lambda _: verbs.leave())

    def _store_changed(self, kind: Kind, key: tuple[str, ...]) -> None:
        self._changed = True


class JoinedServing(Serving):
    """The part of this worker of an emulator that all workers share."""

    def __init__(self, thread: JoinedEmulator) -> None:
        self._thread = thread

    @property
    def thread(self) -> JoinedEmulator:
        return self._thread

    @property
    def control_token(self) -> str:
        return ""

    def empty(self) -> None:
        self.thread.reset()

    def pass_time(self, seconds: float) -> None:
        """Do nothing: the clock is everybody's, and stays."""


@contextlib.contextmanager
def serving(
    settings: Settings,
    port: int,
    parent: Parent | None = None,
    *,
    shared: bool = False,
    environ: Callable[[], Mapping[str, str]] = own_environ,
) -> Generator[OwnServing]:
    """An emulator at this port; ``parent``: of its replicas; ``shared``: for several workers; ``environ``: what
    models inherit. Raises ``ConfigError``."""
    clock, log = TurnableClock(), CallLog()
    config = EmulatorConfig(
        port=port,
        user_id=_SHARED_USER if shared else USER_ID,
        stop_seconds=_STOP_SECONDS,
        hold_seconds=settings.hold_seconds,
        backend=settings.backend,  # pyright: ignore[reportArgumentType] - a name it does not know, it refuses
        strict_capacity=settings.strict_capacity,
        runner=settings.runner,  # pyright: ignore[reportArgumentType]
        topology=() if shared else settings.topology,
        contract="off" if settings.contract == "off" else "record",
        environ=environ,
        run_token=PAT,
        refuse_platform=not settings.allow_real,
        **config_of(settings.up),
    )
    discovery = simulated(settings.gpus) if settings.gpus is not None else None
    thread = EmulatorThread(config, clock=clock, discovery=discovery, parent=parent, log=log)
    thread.before_start(log.listen)
    if settings.html is not None:
        thread.before_start(keep_calls)
    controls: list[Control] = []
    if settings.keep or shared:
        thread.before_start(lambda emulator: controls.append(_with_controls(emulator)))
    with thread:
        yield OwnServing(thread, clock, log, controls[0] if controls else None)


@contextlib.contextmanager
def joined(address: str, url: str, user_id: str, credential: str) -> Generator[JoinedServing]:
    """The emulator that the workers share. Raises ``ConfigError``."""
    from pytest_clarifai_emulator.shared.joined import JoinedEmulator

    thread = JoinedEmulator(address, url, user_id, credential)
    try:
        yield JoinedServing(thread)
    finally:
        thread.stop()


# ── what is looked up in the emulator's event loop ─────────────────────────────────────────────────────────


def turn(clock: TurnableClock, seconds: float, emulator: Emulator) -> None:
    """Let time pass on the emulator's clock; what is due then happens."""
    clock.ahead += seconds
    emulator.supervisor.look_again()


def _last_event(emulator: Emulator) -> int:
    return emulator.events.last_seq


def _with_controls(emulator: Emulator) -> Control:
    """Let the command line reach the emulator."""
    control = Control(emulator, types=(CallFinding,))
    emulator.mount(control.mount())
    return control
