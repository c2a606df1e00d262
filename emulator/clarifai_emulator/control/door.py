"""Gives code without an event loop the verbs of an emulator, whichever process that runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from clarifai_emulator.control.verbs import FaultState, Verbs, unheard
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.undeployer import Undeployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import ControlError
from clarifai_emulator.events import Event
from clarifai_emulator.faults import Fault
from clarifai_emulator.models.progress import Progress
from clarifai_emulator.routing import Ask, Decision

P = ParamSpec("P")
T = TypeVar("T")


class AddedFault:
    """A fault that was added. As a context manager it is removed at the end of the block."""

    def __init__(self, door: Door, state: FaultState) -> None:
        self._door = door
        self._state = state

    def __enter__(self) -> AddedFault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<fault {self.id}: {self.fault}>"

    def remove(self) -> None:
        """Inject it no more; nothing happens once the emulator has stopped."""
        with suppress(RuntimeError, ControlError):
            self._state = self._door.ask(Verbs.drop_fault, self._state.number)

    @property
    def id(self) -> str:
        """The id that it was given, or that was made up for it."""
        return self._state.id

    @property
    def fault(self) -> Fault:
        """Return the fault that was added."""
        return self._state.fault

    @property
    def seen(self) -> int:
        """Count the requests that it concerned so far."""
        return self._now().seen

    @property
    def injected(self) -> int:
        """Count the requests that it was injected into."""
        return self._now().injected

    @property
    def is_used_up(self) -> bool:
        """Tell whether it was injected as often as it may be."""
        return self._now().is_used_up

    @property
    def origin(self) -> str:
        """The place where it was written; empty for one that was added."""
        return self._state.origin

    @property
    def user_id(self) -> str:
        """The user whom ``me`` means in it."""
        return self._state.user_id

    def as_dict(self) -> dict[str, Any]:
        """Return the fault and its counts as JSON."""
        return self._now().as_dict()

    def _now(self) -> FaultState:
        with suppress(RuntimeError, ControlError):  # the emulator has stopped
            self._state = self._door.ask(Verbs.fault, self._state.number)
        return self._state


class DoorFaults:
    """The faults of an emulator: ``add``, ``remove``, ``clear``, iteration.

    with emulator.faults.add(Fault(status="MODEL_DEPLOYING", times=2)) as fault:
        …
        assert fault.injected == 2
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def add(self, fault: Fault) -> AddedFault:
        """Inject ``fault`` from now on; as a context manager, until the end of the block. Raises ``ConfigError``
        for a known id."""
        return AddedFault(self._door, self._door.ask(Verbs.add_fault, fault))

    def remove(self, *fault_ids: str) -> list[AddedFault]:
        """Inject these no more; gives them. Raises ``ConfigError`` when there is no such fault."""
        return self._handles(self._door.ask(Verbs.remove_faults, fault_ids))

    def clear(self) -> list[AddedFault]:
        """Remove all; gives those that were there."""
        return self._handles(self._door.ask(Verbs.clear_faults))

    def __iter__(self) -> Iterator[AddedFault]:
        """Give all that were added and not removed, used up or not, oldest first."""
        return iter(self._handles(self._door.ask(Verbs.faults)))

    def _handles(self, states: Sequence[FaultState]) -> list[AddedFault]:
        return [AddedFault(self._door, state) for state in states]


class Door(ABC):
    """The verbs of an emulator, or of one account on it. Every method may be called from any thread."""

    @abstractmethod
    def ask(
        self, verb: Callable[Concatenate[Verbs, P], Coroutine[Any, Any, T]], /, *args: P.args, **named: P.kwargs
    ) -> T:
        """Do what a verb does, and return what it gives. Raises what it raises."""

    @property
    @abstractmethod
    def user_id(self) -> str:
        """The user whose account ``deploy`` and the topology use."""

    @abstractmethod
    def run(self, function: Callable[[Emulator], T]) -> T:
        """Call ``function`` with the emulator, in its event loop."""

    def deploy(self, path: str | Path, *, progress: Progress = unheard, **options: Any) -> Deployed:
        """Deploy a model directory; ``options`` are the fields of ``DeployRequest``."""
        return self.ask(Verbs.deploy, DeployRequest(path=self._path(path), **options), progress)

    def undeploy(self, name: str | None, *, user_id: str = "") -> Sequence[Undeployed]:
        """Take away a deployment, or every deployment of a model; see ``Undeployer.undeploy``."""
        return self.ask(Verbs.undeploy, name, user_id)

    def apply(self, *files: str | Path) -> None:
        """Create everything that topology files name. Raises ``ConfigError`` with file and line of each problem."""
        self.ask(Verbs.apply, tuple(map(self._path, files)))

    def reset(self, *, keep_warm: bool = False) -> None:
        """Go back to the state after the start. ``keep_warm``: see ``Emulator.reset``."""
        self.ask(Verbs.reset, keep_warm)

    @property
    def faults(self) -> DoorFaults:
        """Give access to what goes wrong on purpose."""
        return DoorFaults(self)

    def route(self, ask: Ask) -> Decision:
        """Return where a request would go. Raises ``RoutingError``."""
        return self.ask(Verbs.route, ask)

    def status(self) -> dict[str, Any]:
        """Return what `clarifai-emulator status --json` shows."""
        return self.ask(Verbs.status)

    def events(self, prefix: str = "", **match: Any) -> list[Event]:
        """Return the kept events whose kind begins with ``prefix`` and whose fields equal ``match``."""
        return self.ask(Verbs.events, prefix, match)

    def _path(self, path: str | Path) -> Path:
        return Path(path)
