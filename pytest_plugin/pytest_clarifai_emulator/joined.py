"""An xdist worker's way to the emulator that all share: what ``EmulatorThread`` can, for one account.

Only functions with a name of their own travel, with their arguments: what a test wants of the emulator itself
(``.run(lambda emulator: …)``) needs ``--clarifai-scope worker``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, TypeVar, cast

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.deploy.deploy_request import Deployed, DeployRequest
from clarifai_emulator.deploy.undeployer import Undeployed
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.events import Event
from clarifai_emulator.faults import Fault
from clarifai_emulator.routing import Ask, Decision
from pytest_clarifai_emulator.parcels import HELLO, packed, unpacked
from pytest_clarifai_emulator.share import Share

T = TypeVar("T")


class JoinedFault:
    """A fault that concerns this account only; as a context manager, until the end of the block."""

    def __init__(self, emulator: JoinedEmulator, fault_id: str) -> None:
        self.id = fault_id
        self._emulator = emulator

    def __enter__(self) -> JoinedFault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Inject it no more."""
        self._emulator.ask(Share.drop_fault, self.id)

    @property
    def seen(self) -> int:
        """Requests that it concerned so far."""
        return self._emulator.ask(Share.fault, self.id)[0]

    @property
    def injected(self) -> int:
        """Requests that it was injected into."""
        return self._emulator.ask(Share.fault, self.id)[1]

    @property
    def fault(self) -> Fault:
        """What goes wrong."""
        return self._emulator.ask(Share.fault, self.id)[2]


class JoinedFaults:
    """The account's faults: ``add``, ``remove``, ``clear``, iteration."""

    def __init__(self, emulator: JoinedEmulator) -> None:
        self._emulator = emulator

    def add(self, fault: Fault) -> JoinedFault:
        """Inject ``fault`` from now on. Raises ``ConfigError`` for a known id."""
        return JoinedFault(self._emulator, self._emulator.ask(Share.add_fault, fault))

    def remove(self, *fault_ids: str) -> list[JoinedFault]:
        """Inject these no more; gives them."""
        removed = [JoinedFault(self._emulator, fault_id) for fault_id in fault_ids]
        for fault in removed:
            fault.remove()
        return removed

    def clear(self) -> list[JoinedFault]:
        """Remove all; gives those that were there."""
        return self.remove(*(fault.id for fault in self))

    def __iter__(self) -> Iterator[JoinedFault]:
        return iter([JoinedFault(self._emulator, each) for each in self._emulator.ask(Share.fault_ids)])


class JoinedEmulator:
    """The shared emulator, seen from one worker: ``.url``, ``.deploy(DIR)``, ``.reset()``, ``.events()``,
    ``.route(…)``, ``.faults``, ``.status()``. All of it is about the worker's own account."""

    def __init__(self, address: str, url: str, user_id: str) -> None:
        self.url = url
        self.user_id = user_id
        self._address = address
        self._idle: deque[Connection[Any, Any]] = deque()
        self._lasting = self._connected()
        self._talk(self._lasting, HELLO)
        self.config: EmulatorConfig = self.run(_config)

    def stop(self) -> None:
        """Leave: the account is emptied."""
        for connection in (self._lasting, *self._idle):
            connection.close()

    def ask(self, method: Callable[..., T], *args: Any) -> T:
        """What a method of the worker's ``Share`` gives."""
        return self._call(partial(_apply, method, args))

    def run(self, function: Callable[[Emulator], T]) -> T:
        """Call ``function`` with the emulator, in its event loop, in the controller."""
        return self._call(partial(_run, function))

    def deploy(self, path: str | Path, **options: Any) -> Deployed:
        """Deploy a model directory; ``options`` are the fields of ``DeployRequest``."""
        request = DeployRequest(path=Path(path).absolute(), user_id=self.user_id, **options)
        return self.ask(Share.deploy, request)

    def undeploy(self, name: str | None) -> Sequence[Undeployed]:
        """Take away a deployment, or every deployment of a model."""
        return self.ask(Share.undeploy, name)

    def apply(self, *files: str | Path) -> None:
        """Create everything that topology files name. Raises ``ConfigError``."""
        self.ask(Share.apply, tuple(Path(file).absolute() for file in files))

    def reset(self, *, keep_warm: bool = True) -> None:
        """Empty the account. Replicas that are idle stay, whatever ``keep_warm`` says: others may use them."""
        self.ask(Share.empty)

    @property
    def faults(self) -> JoinedFaults:
        """What goes wrong on purpose."""
        return JoinedFaults(self)

    def route(self, ask: Ask) -> Decision:
        """Where a request would go. Raises ``RoutingError``."""
        return self.run(partial(_route, ask))

    def status(self) -> dict[str, Any]:
        """The account's nodepools, deployments, replicas and faults."""
        return self.ask(Share.status)

    def events(self, prefix: str = "", **match: Any) -> list[Event]:
        """The account's events whose kind begins with ``prefix`` and whose fields equal ``match``."""
        return self.ask(Share.events, prefix, match)

    def require_own(self, user_id: str) -> None:
        """Raise ``ConfigError`` for a user that is not of this account."""
        self.ask(Share.require_own, user_id)

    def _call(self, function: Callable[[Share], T]) -> T:
        connection = self._idle.pop() if self._idle else self._connected()
        result = self._talk(connection, function)
        self._idle.append(connection)
        return result

    def _connected(self) -> Connection[Any, Any]:
        return cast("Connection[Any, Any]", Client(self._address, "AF_UNIX"))

    def _talk(self, connection: Connection[Any, Any], function: Any) -> Any:
        try:
            message = packed((self.user_id, function))
        except Exception as error:
            raise TypeError(
                f"The emulator is in another process (--clarifai-scope shared), and only functions that a module "
                f"defines can go there: {error}. Use --clarifai-scope worker for this test."
            ) from None
        connection.send_bytes(message)
        went_well, answer = unpacked(connection.recv_bytes())
        if went_well:
            return answer
        raise _error(*answer)


def _error(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    """The error that was raised in the controller: made without its constructor, which may want other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _apply(method: Callable[..., T], args: tuple[Any, ...], share: Share) -> T:
    return method(share, *args)


def _run(function: Callable[[Emulator], T], share: Share) -> T:
    return share.run(function)


def _route(ask: Ask, emulator: Emulator) -> Decision:
    return emulator.decide(ask)


def _config(emulator: Emulator) -> EmulatorConfig:
    return emulator.config
