"""Makes calls for whoever looks after the emulator, in the name of any user: through the request chain, as a
client's own calls go."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.peer import Peer


class OwnCalls:
    """Makes calls of RPCs. ``handlers``: those of gRPC."""

    def __init__(self, chain: RequestChain, handlers: Mapping[str, Handler]) -> None:
        self._chain = chain
        self._handlers: Mapping[str, Any] = handlers

    def begin(self, name: str, user_id: str, peer: Peer) -> ApiCall:
        """Begin a call of an RPC as a user, with everything that a token of theirs may do."""
        return self._chain.begin(rpc_table()[name], {}, peer=peer, caller=Caller(user_id))

    async def unary(self, call: ApiCall, request: Any) -> Any:
        """Return the answer to one request. Raises ``TransportError`` where a fault or a cassette asks for it."""
        return await self._chain.unary(call, self._handlers[call.rpc.name], request)

    def stream(self, call: ApiCall, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Give the answers to any number of requests. Closing it cancels the call. Raises as ``unary``."""
        return self._chain.stream(call, self._handlers[call.rpc.name], requests)
