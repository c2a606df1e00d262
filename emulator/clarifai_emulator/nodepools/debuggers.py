"""Opens the ports at which an editor's debugger attaches to deployments, and gives it a replica there."""

from __future__ import annotations

import errno
from collections.abc import Callable

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.backend_table import abilities_of
from clarifai_emulator.backends.backend import Debugging, ReplicaProcess
from clarifai_emulator.backends.debugging.debug_port import DebugPort, Hold
from clarifai_emulator.errors import CallerError
from clarifai_emulator.events import EventBus
from clarifai_emulator.messages.address import DeploymentKey


class Debuggers:
    """The ports of deployments that are debugged. ``hold`` is entered while a model stands at a breakpoint.
    ``everywhere``: every deployment is debugged, from this port on."""

    def __init__(self, *, events: EventBus, hold: Hold, everywhere: Debugging | None = None) -> None:
        self._events = events
        self._hold = hold
        self._everywhere = everywhere
        self._wanted: dict[DeploymentKey, Debugging] = {}
        self._ports: dict[DeploymentKey, DebugPort] = {}

    def of(self, key: DeploymentKey) -> Debugging | None:
        """Return how the deployment is debugged; None where it is not."""
        return self._wanted.get(key)

    def port(self, key: DeploymentKey) -> int:
        """Return the port at which an editor attaches to the deployment; 0 where none can."""
        found = self._ports.get(key)
        return found.port if found is not None else 0

    async def want(self, key: DeploymentKey, debugging: Debugging | None) -> bool:
        """Let it be debugged like this from the next replica on, or no more; whether that is new. Raises
        ``CallerError`` where the port is taken."""
        before = self._wanted.get(key)
        if debugging is None:
            await self._close(key)
            return False
        known = self._ports.get(key)
        if known is None or debugging.port not in (0, known.port):
            await self._close(key)
            self._ports[key] = await self._opened(key, debugging.port)
        self._wanted[key] = debugging
        return before is None or before.wait != debugging.wait

    async def prepare(self, key: DeploymentKey, backend: str) -> None:
        """A replica of this deployment is about to be started there."""
        if (
            self._everywhere is None
            or key in self._wanted
            or abilities_of(backend).debugging != "editor"
            or not key[1]
        ):
            return
        port = self._everywhere.port and self._everywhere.port + len(self._ports)
        await self.want(key, Debugging(port, self._everywhere.wait))

    async def attach(self, key: DeploymentKey, replica_id: str, process: ReplicaProcess) -> None:
        """Editors that come get this replica, once its debugger listens."""
        port = self._ports.get(key)
        if port is None or process.debugger is None:
            return
        target = await process.debugger
        if target and self._ports.get(key) is port:
            port.attach(replica_id, target, waits=self._wanted[key].wait)

    def detach(self, key: DeploymentKey, replica_id: str) -> None:
        """This replica has ended."""
        port = self._ports.get(key)
        if port is not None:
            port.detach(replica_id)

    async def close(self, is_whose: Callable[[str], bool] | None = None) -> None:
        """Close every port, or those of these users' deployments."""
        for key in tuple(self._ports):
            if is_whose is None or is_whose(key[0]):
                await self._close(key)

    async def _opened(self, key: DeploymentKey, number: int) -> DebugPort:
        port = DebugPort(self._hold, self._teller(key))
        try:
            await port.open(number)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror or error}"
            raise CallerError(
                StatusCode.MODEL_INVALID_ARGUMENT,
                f"Port {number} for the debugger of '{key[1]}' {why}.",
                hint="Name another one (--debug PORT), or none for a free one.",
            ) from None
        self._events.emit(
            "debugger.listening",
            deployment_id=key[1],
            port=port.port,
            message=f"attach your editor at 127.0.0.1:{port.port}",
        )
        return port

    async def _close(self, key: DeploymentKey) -> None:
        self._wanted.pop(key, None)
        port = self._ports.pop(key, None)
        if port is not None:
            await port.close()

    def _teller(self, key: DeploymentKey) -> Callable[[str], None]:
        def tell(message: str) -> None:
            self._events.emit("debugger.changed", deployment_id=key[1], message=message)

        return tell
