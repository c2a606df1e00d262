"""Limits the API for code in containers: it looks things up and asks models, as it could from anywhere, and changes
nothing. A container that may create a nodepool of processes, or upload a model, would not hold its code in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import token_of
from clarifai_emulator.api.access.replica_rights import changes
from clarifai_emulator.api.call import Handler
from clarifai_emulator.api.rpc import Rpc, rpc_table
from clarifai_emulator.api.transport.http2 import Find, Serve
from clarifai_emulator.api.transport.mounts import HttpMount
from clarifai_emulator.errors import CallerError, TransportError
from clarifai_emulator.replica_tokens import is_replica_token

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.grpc_stream import GrpcStream
    from clarifai_emulator.api.transport.http_exchange import Exchange

_EXPOSED = (
    "Other machines reach the address at which these containers see the emulator, and it accepts every token: "
    "here it takes the credential of a replica only, the CLARIFAI_PAT that the model finds in its environment. "
    "For other tokens, start it with --pats FILE, which names them."
)


def contained(handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """Return the handlers with RPCs that change something refused, after authentication."""
    table = rpc_table()
    return {name: _refusing(table[name]) if changes(name) else handler for name, handler in handlers.items()}


def for_replicas(find: Find) -> Find:
    """Open the API to credentials of replicas alone, at an address that others than containers reach, where every
    token is accepted."""

    async def refuse(_stream: object) -> None:
        raise TransportError("PERMISSION_DENIED", _EXPOSED)

    def look(path: str) -> Serve | None:
        serve = find(path)
        if serve is None:
            return None

        async def of_a_replica(stream: GrpcStream) -> None:
            await (serve if _is_of_a_replica(stream.metadata) else refuse)(stream)

        return of_a_replica

    return look


def refusing_mount() -> HttpMount:
    """Return what takes the HTTP requests at such an address that bring no credential of a replica, and refuses
    them."""
    return HttpMount(lambda exchange: not _is_of_a_replica(exchange.headers), _Refusal)


class _Refusal:
    """Refuses every request: see ``Site``."""

    async def serve(self, exchange: Exchange) -> None:
        from clarifai_emulator.api.transport.http_exchange import HttpProblem

        raise HttpProblem(403, StatusCode.CONN_INSUFFICIENT_SCOPES, _EXPOSED)


def _is_of_a_replica(metadata: Mapping[str, str]) -> bool:
    """Tell by the looks of its token; whether it is good, the chain finds out."""
    return is_replica_token(token_of(metadata))


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
