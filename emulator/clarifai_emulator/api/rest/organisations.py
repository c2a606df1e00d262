"""Serves a user's organisations, which ``clarifai whoami`` asks for: a path that belongs to no RPC."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.chain import RequestChain
from clarifai_emulator.api.rest.gateway import JSON, as_problem, status_of
from clarifai_emulator.api.rest.transcoding import as_json
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.errors import TransportError

OrganisationsOf = Callable[[ApiCall, Any], list[tuple[str, str]]]


class OrganisationsApi:
    """Answers with the ids and names that ``organisations_of`` gives for a request for a user, which it may refuse.
    To the chain it is a GetUser: the same credential and scopes are asked for."""

    def __init__(self, organisations_of: OrganisationsOf, chain: RequestChain) -> None:
        self._organisations_of = organisations_of
        self._chain = chain

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        if exchange.method not in ("GET", "HEAD"):
            exchange.answer_headers["allow"] = "GET"
            text = f"There is no {exchange.method} {exchange.path}; this path knows GET."
            raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)
        rpc, found = rpc_table()["GetUser"], list[tuple[str, str]]()
        call = self._chain.begin(rpc, exchange.headers, peer=exchange.peer, is_heard=False)

        def list_them(call: ApiCall, request: Any) -> Any:
            found.extend(self._organisations_of(call, request))
            return call.rpc.response_type()

        request = rpc.request_type(user_app_id={"user_id": unquote(exchange.path.split("/")[3])})
        try:
            response = await self._chain.unary(call, list_them, request)
        except TransportError as error:
            raise as_problem(error) from None
        listed = [{"organization": {"id": id_, "name": name}} for id_, name in found]
        content = {**json.loads(as_json(response)), "organizations": listed}
        body = json.dumps(content, ensure_ascii=False).encode()
        await exchange.answer(status_of(call, response), body, JSON, call.trailers)
