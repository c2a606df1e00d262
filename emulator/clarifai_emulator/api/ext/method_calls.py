"""Calls a text-to-text method of a model through the request chain, as its own PostModelOutputs request would be.

protocol's request ─► text ─► PostModelOutputs / GenerateModelOutputs ─► chain, routing, runner ─► text(s)
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler, only
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rest.statuses import GRPC_TO_HTTP, http_status
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.errors import CallerError, TransportError, describe
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.openai_paths import NEEDS_METHOD

# What the runner says of a method that a model's class does not have: of one that answers once, and of a stream.
_NO_SUCH_METHOD = re.compile(r"not found in model class|has no attribute '(openai|mcp)_\w+'")


class Refusal(Exception):
    """A call that did not succeed, for a protocol to word in its own way."""

    def __init__(self, code: int, details: str, *, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class Text:
    """The text that a method answered, and the headers that say how it came about."""

    text: str
    headers: Mapping[str, str]


class ModelTransport:
    """Calls methods of models for one protocol. ``handlers`` are those of gRPC."""

    def __init__(self, handlers: Mapping[str, Handler], chain: RequestChain) -> None:
        self._handlers: Mapping[str, Any] = handlers
        self._chain = chain

    async def call(self, exchange: Exchange, address: ModelAddress, method: str, text: str) -> Text:
        """Send one text and return one text. Raises ``Refusal``."""
        request = _request("PostModelOutputs", address, method, text)
        call, response = await self.unary(exchange, "PostModelOutputs", request)
        return Text(_text_of(response), call.trailers)

    async def require_known(self, exchange: Exchange) -> None:
        """Refuse a request whose credential is no good, before its body is read. Raises ``Refusal``."""
        rpc = rpc_table()["PostModelOutputs"]
        if not self._chain.knows(rpc, exchange.headers, exchange.peer):
            await self.unary(exchange, rpc.name, rpc.request_type())

    async def generate(
        self, exchange: Exchange, address: ModelAddress, method: str, text: str
    ) -> AsyncGenerator[Text]:
        """Texts for one text, as they come. Raises ``Refusal``."""
        rpc = rpc_table()["GenerateModelOutputs"]
        call = self._chain.begin(rpc, exchange.headers, peer=exchange.peer)
        request = _request(rpc.name, address, method, text)
        try:
            async with aclosing(self._chain.stream(call, self._handlers[rpc.name], only(request))) as responses:
                async for response in responses:
                    _require_success(call, response)
                    yield Text(_text_of(response), call.trailers)
        except TransportError as error:
            raise _aborted(error) from None

    async def unary(self, exchange: Exchange, name: str, request: Any, handler: Any = None) -> tuple[ApiCall, Any]:
        """The answer of one RPC, or of what ``handler`` makes of its request. Raises ``Refusal``."""
        call = self._chain.begin(rpc_table()[name], exchange.headers, peer=exchange.peer)
        try:
            response = await self._chain.unary(call, handler or self._handlers[name], request)
        except TransportError as error:
            raise _aborted(error) from None
        _require_success(call, response)
        return call, response

    def handler(self, name: str) -> Any:
        """The handler of an RPC, for use inside another's."""
        return self._handlers[name]


def refusal_of(error: CallerError) -> Refusal:
    """A request that was refused before it became a call."""
    return Refusal(error.code, error.message, status=http_status(error.code))


def _request(name: str, address: ModelAddress, method: str, text: str) -> Any:
    request = rpc_table()[name].request_type(
        user_app_id={"user_id": address.user_id, "app_id": address.app_id},
        model_id=address.model_id,
        version_id=address.version_id,
    )
    data = request.inputs.add().data
    data.metadata.update({"_method_name": method})
    data.parts.add(id="msg", data={"string_value": text})
    return request


def _text_of(response: Any) -> str:
    if not response.outputs:
        return ""
    data = response.outputs[0].data
    return data.parts[0].data.string_value if data.parts else data.string_value or data.text.raw


def _require_success(call: ApiCall, response: Any) -> None:
    status = response.status
    if status.code == StatusCode.SUCCESS:
        return
    details = status.details or status.description or describe(status.code)
    if _NO_SUCH_METHOD.search(details):
        details += f". {NEEDS_METHOD}"
    http = http_status(status.code, authenticated=call.caller.user_id != "")
    raise Refusal(status.code, details, status=http, headers=call.trailers)


def _aborted(error: TransportError) -> Refusal:
    details = f"{error.name}: {error.message}"
    return Refusal(StatusCode.INTERNAL_UNCATEGORIZED, details, status=GRPC_TO_HTTP.get(error.name, 500))
