"""Serves the OpenAI-compatible API: `/v2/ext/openai/v1`, mapped to a model's own OpenAI methods."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.ext.method_calls import ModelTransport, Refusal, Text, refusal_of
from clarifai_emulator.api.rest.json_errors import kind_of
from clarifai_emulator.api.rest.transcoding import read_aside, read_json, size_in_memory
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import ModelAddress, ModelKey, parse_address
from clarifai_emulator.messages.openai_paths import (
    CHAT,
    ENDPOINTS,
    HOW_TO_NAME,
    PREFIX,
    RESPONSES,
    STREAM_TRANSPORT,
    STREAMED,
    TRANSPORT,
    no_stream,
    no_such_path,
    wrong_base,
)

_JSON = "application/json"
_EVENTS = "text/event-stream"
_PER_PAGE = 1000
_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class OpenAiApi:
    """Answers OpenAI's requests with the models of the emulator. ``hosted`` gives those that Clarifai is taken to
    host: they are listed to everybody, and named by their id alone, too (release notes of 12.2)."""

    def __init__(self, transport: ModelTransport, hosted: Callable[[], Collection[ModelKey]]) -> None:
        self._transport = transport
        self._hosted = hosted

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        path = exchange.path.removeprefix(PREFIX)
        try:
            if not exchange.path.startswith(f"{PREFIX}/"):
                raise _elsewhere(exchange)
            if path == "/models" or path.startswith("/models/"):
                _require_method(exchange, "GET")
                await self._serve_models(exchange, unquote(path.removeprefix("/models").strip("/")))
            elif path in ENDPOINTS:
                _require_method(exchange, "POST")
                await self._serve_endpoint(exchange, path)
            else:
                raise _unknown_path(path)
        except Refusal as refusal:
            await self._refuse(exchange, refusal)
        except CallerError as error:
            await self._refuse(exchange, refusal_of(error))

    async def _serve_endpoint(self, exchange: Exchange, endpoint: str) -> None:
        await self._transport.require_known(exchange)
        body = await exchange.body()
        exchange.hold(await size_in_memory(body))
        content = await read_aside(len(body), read_json, f"POST {endpoint}", body)
        if not isinstance(content, dict):
            raise _invalid(f"The body must be a JSON object, got {kind_of(content)}.")
        address = self._address(content.get("model"))
        streams = content.get("stream") or False
        if not isinstance(streams, bool):
            raise _invalid(f"`stream` must be true or false, got {kind_of(streams)}.")
        if streams and endpoint not in STREAMED:
            raise _invalid(no_stream(endpoint))
        message = json.dumps({**content, "openai_endpoint": endpoint}, ensure_ascii=False)
        if streams:
            await self._stream(exchange, address, endpoint, message)
        else:
            answer = await self._transport.call(exchange, address, TRANSPORT, message)
            _require_no_error(answer)
            await exchange.answer(200, answer.text.encode(), _JSON, answer.headers)

    async def _stream(self, exchange: Exchange, address: ModelAddress, endpoint: str, message: str) -> None:
        chunks = self._transport.generate(exchange, address, STREAM_TRANSPORT, message)
        async with aclosing(chunks):
            try:
                await _write_events(exchange, endpoint, chunks)
            except Refusal as refusal:
                if not exchange.started:
                    raise
                await exchange.write(b"data: " + _error_body(refusal) + b"\n\n")
                return
        if not exchange.started:
            await exchange.begin(200, _EVENTS)
        if endpoint == CHAT:
            await exchange.write(b"data: [DONE]\n\n")

    async def _serve_models(self, exchange: Exchange, wanted: str) -> None:
        if wanted:
            address = self._address(wanted)
            request = rpc_table()["GetModel"].request_type(
                user_app_id={"user_id": address.user_id, "app_id": address.app_id},
                model_id=address.model_id,
                version_id=address.version_id,
            )
            _, response = await self._transport.unary(exchange, "GetModel", request)
            content = _model_object(response.model)
        else:
            request = rpc_table()["ListModels"].request_type(per_page=_PER_PAGE)
            _, response = await self._transport.unary(exchange, "ListModels", request, self._lister())
            content = {"object": "list", "data": [_model_object(each) for each in response.models]}
        await exchange.answer(200, json.dumps(content).encode(), _JSON)

    def _lister(self) -> Any:
        """Return a handler of ListModels that gives, of all pages, the models that have OpenAI's methods: the
        caller's own, and hosted ones."""
        hosted = set(self._hosted())
        list_models = self._transport.handler("ListModels")
        get_version = self._transport.handler("GetModelVersion")

        rpc = rpc_table()["GetModelVersion"]

        def is_one(call: ApiCall, model: Any) -> bool:
            if model.user_id != call.caller.user_id and (model.user_id, model.app_id, model.id) not in hosted:
                return False
            request = rpc.request_type(
                user_app_id={"user_id": model.user_id, "app_id": model.app_id}, model_id=model.id
            )
            try:
                version = get_version(replace(call, rpc=rpc), request).model_version
            except CallerError:
                return False  # a model without a version
            return any(signature.name == TRANSPORT for signature in version.method_signatures)

        def handle(call: ApiCall, request: Any) -> Any:
            response = call.rpc.response_type()
            for page in _pages(list_models, call, request):
                response.models.extend(model for model in page if is_one(call, model))
            return response

        return handle

    def _address(self, model: Any) -> ModelAddress:
        """Return the address that ``model`` is, or that of the one hosted model with this id."""
        named = [key for key in self._hosted() if key[2] == model]
        address = ModelAddress(*named[0]) if len(named) == 1 else None
        if address is None and isinstance(model, str):
            address = parse_address(model)
        if address is None:
            got = f"'{model}'" if isinstance(model, str) else kind_of(model)
            also = f" {model!r} is hosted by {', '.join(key[0] for key in named)}." if named else ""
            raise _invalid(f"{HOW_TO_NAME} Got {got}.{also}")
        return address

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        await exchange.answer(refusal.status, _error_body(refusal), _JSON, refusal.headers)


async def _write_events(exchange: Exchange, endpoint: str, chunks: AsyncGenerator[Text]) -> None:
    async for chunk in chunks:
        _require_no_error(chunk)
        if not exchange.started:
            await exchange.begin(200, _EVENTS, chunk.headers)
        if endpoint == RESPONSES:
            kind = json.loads(chunk.text).get("type", "message")
            await exchange.write(f"event: {kind}\ndata: {chunk.text}\n\n".encode())
        else:
            await exchange.write(f"data: {chunk.text}\n\n".encode())


def _pages(list_models: Any, call: ApiCall, request: Any) -> Iterator[Any]:
    asked = type(request)()
    asked.CopyFrom(request)
    for page in itertools.count(1):
        asked.page = page
        models = list_models(call, asked).models
        yield models
        if len(models) < _PER_PAGE:
            return


def _model_object(model: Any) -> dict[str, Any]:
    address = ModelAddress(model.user_id, model.app_id, model.id)
    return {
        "id": address.name,
        "object": "model",
        "created": model.created_at.seconds,
        "owned_by": model.user_id,
    }


def _require_no_error(answer: Text) -> None:
    """Raise ``Refusal`` for the way in which models say that they failed: a status instead of an answer."""
    if not answer.text.startswith('{"code"'):
        return
    try:
        content = json.loads(answer.text)
    except ValueError:
        return
    if isinstance(content.get("code"), int) and "description" in content and "object" not in content:
        details = str(content.get("details") or content["description"])
        raise Refusal(content["code"], details, status=500, headers=answer.headers)


def _require_method(exchange: Exchange, method: str) -> None:
    if exchange.method != method and not (method == "GET" and exchange.method == "HEAD"):
        raise Refusal(
            StatusCode.CONN_METHOD_NOT_ALLOWED,
            f"There is no {exchange.method} {exchange.path}; this path knows {method}.",
            status=405,
            headers={"allow": method},
        )


def _unknown_path(path: str) -> Refusal:
    return Refusal(StatusCode.CONN_DOES_NOT_EXIST, no_such_path(path), status=404)


def _elsewhere(exchange: Exchange) -> Refusal:
    host = f"http://{exchange.headers.get('host', 'HOST')[:100]}"
    return Refusal(StatusCode.CONN_DOES_NOT_EXIST, wrong_base(exchange.path, host), status=404)


def _invalid(details: str) -> CallerError:
    return CallerError(StatusCode.CONN_BAD_REQUEST_FORMAT, details)


def _error_body(refusal: Refusal) -> bytes:
    kind = _KINDS.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "server_error")
    error = {"message": refusal.details, "type": kind, "param": None, "code": str(refusal.code)}
    return json.dumps({"error": error}, ensure_ascii=False).encode()
