"""Limits the API for code in containers: it looks things up and asks models, as it could from anywhere, and changes
nothing. A container that may create a nodepool of processes, or upload a model, would not hold its code in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import Handler
from clarifai_emulator.api.rpc import SERVICE, Rpc, rpc_table
from clarifai_emulator.api.transport.http2 import Find, Serve
from clarifai_emulator.errors import CallerError, TransportError

_CHANGES = ("Delete", "Patch", "Post", "Put")
_ASKS = ("Outputs", "Results", "Searches")


def contained(handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """Return the handlers with RPCs that change something refused, after authentication."""
    table = rpc_table()
    return {name: _refusing(table[name]) if changes(name) else handler for name, handler in handlers.items()}


def changes(rpc: str) -> bool:
    """Tell whether an RPC changes something on the platform."""
    return rpc.startswith(_CHANGES) and not rpc.endswith(_ASKS)


def exposed(find: Find) -> Find:
    """Instead of the API, at an address that others than containers reach, where every token is accepted."""

    async def refuse(_stream: object) -> None:
        raise TransportError(
            "UNIMPLEMENTED",
            "Models in containers cannot call the emulator here: other machines reach the address at which these "
            "containers see it, and it accepts every token. Start it with --pats FILE, which names the tokens.",
        )

    def look(path: str) -> Serve | None:
        return find(path) or (refuse if path.startswith(f"/{SERVICE}/") else None)

    return look


def _refusing(rpc: Rpc) -> Any:
    def refusal() -> CallerError:
        return CallerError(
            StatusCode.CONN_INSUFFICIENT_SCOPES,
            f"{rpc.name} changes something on the platform, and this request comes from a container: what runs in "
            "one can look things up and ask models, and changes nothing outside of it.",
            hint="Make the change from outside, or run this model in a process (--backend process).",
        )

    def unary(_call: Any, _request: Any) -> Any:
        raise refusal()

    async def stream(_call: Any, _requests: Any) -> AsyncGenerator[Any]:
        raise refusal()
        yield  # which makes it a generator

    return stream if rpc.server_streaming else unary
