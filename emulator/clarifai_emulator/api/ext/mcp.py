"""Serves MCP over streamable HTTP: `/v2/ext/mcp/v1/users/{u}/apps/{a}/models/{m}[/versions/{v}]`.

Messages go to a model's method `mcp_transport`.
"""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import unquote

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.ext.method_calls import ModelTransport, Refusal, refusal_of
from clarifai_emulator.api.rest.json_errors import kind_of
from clarifai_emulator.api.rest.transcoding import read_aside, read_json, size_in_memory
from clarifai_emulator.api.transport.http_exchange import Exchange
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.mcp_paths import PATH, TRANSPORT, no_such_path

_SESSION = "mcp-session-id"
_MOST_SESSIONS = 10_000
_JSON = "application/json"
_EVENTS = "text/event-stream"
# The versions of the protocol, oldest first: https://modelcontextprotocol.io/specification/versioning.
_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
# Error codes of JSON-RPC.
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600
_METHOD_NOT_FOUND = -32601
_INVALID_PARAMS = -32602
_INTERNAL_ERROR = -32603
_LONG = 1_000_000
# What requests end with that a model had, and did not answer: it raised, its replica ended, or it took too long.
_UNANSWERED = (StatusCode.FAILURE, StatusCode.RUNNER_PROCESSING_FAILED, StatusCode.RPC_REQUEST_TIMEOUT)
# How the runner words a message that the model's MCP library cannot read: what each kind of message would need.
_UNREADABLE = re.compile(r"validation errors? for Client(Request|Notification)")
_NEEDED = re.compile(r"^(\w+)\.(\w+)", re.MULTILINE)


class McpApi:
    """Answers MCP clients with the models of the emulator."""

    def __init__(self, transport: ModelTransport) -> None:
        self._transport = transport
        self._sessions: dict[str, ModelAddress] = {}

    async def serve(self, exchange: Exchange) -> None:
        """Answer one HTTP request."""
        message: dict[str, Any] = {}
        try:
            address = _address(exchange.path)
            self._check_session(exchange, address)
            if exchange.method == "DELETE":
                self._sessions.pop(exchange.headers.get(_SESSION, ""), None)
                await exchange.answer(200, b"{}", _JSON)
            elif exchange.method == "POST":
                await self._transport.require_known(exchange)
                message = await _read(exchange)
                await self._serve_message(exchange, address, message)
            else:
                raise Refusal(
                    StatusCode.CONN_METHOD_NOT_ALLOWED,
                    f"There is no {exchange.method} here: messages come with POST, and nothing is said unasked.",
                    status=405,
                    headers={"allow": "DELETE, POST"},
                )
        except Refusal as refusal:
            await _refuse(exchange, message, refusal)
        except CallerError as error:
            await _refuse(exchange, message, refusal_of(error))

    async def _serve_message(self, exchange: Exchange, address: ModelAddress, message: dict[str, Any]) -> None:
        if "method" not in message:
            await exchange.answer(202, b"", _JSON)  # an answer: the server has asked nothing
            return
        answer = await self._transport.call(exchange, address, TRANSPORT, json.dumps(message, ensure_ascii=False))
        headers = dict(answer.headers)
        if "id" not in message:
            await exchange.answer(202, b"", _JSON, headers)
            return
        response = _response(message, answer.text)
        if message["method"] == "initialize" and "result" in response:
            response["result"] = _negotiated(message, response["result"])
            headers[_SESSION] = self._open(address)
        await _say(exchange, 200, response, headers)

    def _open(self, address: ModelAddress) -> str:
        if len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]  # its client gets 404, and begins again
        session = secrets.token_hex(16)
        self._sessions[session] = address
        return session

    def _check_session(self, exchange: Exchange, address: ModelAddress) -> None:
        session = exchange.headers.get(_SESSION)
        if session is not None and self._sessions.get(session) != address:
            raise Refusal(
                StatusCode.CONN_DOES_NOT_EXIST,
                "There is no such session of this model: it has ended, or the emulator was started anew. "
                "Initialize again.",
                status=404,
            )


def _address(path: str) -> ModelAddress:
    match = PATH.fullmatch(path)
    if match is None:
        raise Refusal(
            StatusCode.CONN_DOES_NOT_EXIST,
            no_such_path(path),
            status=404,
        )
    user, app, model, version = (unquote(part or "") for part in match.groups())
    return ModelAddress(user, app, model, version)


async def _read(exchange: Exchange) -> dict[str, Any]:
    body = await exchange.body()
    exchange.hold(await size_in_memory(body))
    content = await read_aside(len(body), read_json, "the MCP message", body)
    if not isinstance(content, dict):
        raise _invalid(f"An MCP message must be a JSON object, got {kind_of(content)}.")
    if content.get("jsonrpc") != "2.0":
        raise _invalid('An MCP message must have "jsonrpc": "2.0".')
    if "method" in content and not isinstance(content["method"], str):
        raise _invalid(f"`method` must be a string, got {kind_of(content['method'])}.")
    if isinstance(content.get("id", 0), bool) or not isinstance(content.get("id", 0), int | str):
        raise _invalid(f"`id` must be a string or a whole number, got {json.dumps(content['id'])[:50]}.")
    return content


def _invalid(details: str) -> CallerError:
    return CallerError(StatusCode.CONN_INVALID_REQUEST, details)


def _response(message: dict[str, Any], text: str) -> dict[str, Any]:
    """The model's answer as a JSON-RPC response: it gives the bare result, or a whole error response."""
    envelope = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        content = json.loads(text)
    except ValueError:
        said = f"The model answered {message['method']} with what is no JSON: {text[:200]!r}."
        if len(text) > _LONG:
            said += f" It has {len(text):,} characters: a longer answer is cut, as on the platform."
        return {**envelope, "error": {"code": _INTERNAL_ERROR, "message": said}}
    if isinstance(content, dict) and "error" in content and "jsonrpc" in content:
        return {**envelope, "error": content["error"]}
    return {**envelope, "result": content}


def _negotiated(message: dict[str, Any], result: Any) -> Any:
    """Return what the model said of itself, with the version of the protocol that its client asked for, where that
    is an older one. The SDK's MCPModelClass answers the newest version of its ``mcp`` library, whatever is asked,
    and older clients end with "Unsupported protocol version"; the library itself serves all of them."""
    params = message.get("params")
    asked = params.get("protocolVersion") if isinstance(params, dict) else None
    if not isinstance(result, dict) or asked not in _VERSIONS:
        return result
    answered = result.get("protocolVersion")
    is_newer = answered in _VERSIONS and _VERSIONS.index(answered) > _VERSIONS.index(asked)
    return {**result, "protocolVersion": asked} if is_newer else result


async def _say(exchange: Exchange, status: int, response: Any, headers: dict[str, str]) -> None:
    """Answer as JSON, or as one server-sent event to a client that takes nothing else."""
    data = json.dumps(response, ensure_ascii=False).encode()
    accepted = exchange.headers.get("accept", _JSON)
    if status == 200 and _EVENTS in accepted and _JSON not in accepted and "*/*" not in accepted:
        await exchange.begin(status, _EVENTS, headers)
        await exchange.write(b"event: message\ndata: " + data + b"\n\n")
    else:
        await exchange.answer(status, data, _JSON, headers)


async def _refuse(exchange: Exchange, message: dict[str, Any], refusal: Refusal) -> None:
    """Refuse a message. One that a model's server had is answered as MCP does it: after an HTTP status, clients say
    nothing to their callers until those lose patience, and have no connection any more. One that never reached the
    server has an HTTP status."""
    reached = refusal.code in _UNANSWERED and "id" in message
    code = _INTERNAL_ERROR
    if refusal.code == StatusCode.CONN_BAD_REQUEST_FORMAT:
        code = _PARSE_ERROR
    elif refusal.code == StatusCode.CONN_INVALID_REQUEST:
        code = _INVALID_REQUEST
    elif refusal.code == StatusCode.FAILURE and "id" in message and _UNREADABLE.search(refusal.details):
        code = _INVALID_PARAMS if _knows_method(refusal.details) else _METHOD_NOT_FOUND
    error = {"code": code, "message": refusal.details, "data": {"clarifai_status_code": refusal.code}}
    response = {"jsonrpc": "2.0", "id": message.get("id"), "error": error}
    await _say(exchange, 200 if reached else refusal.status, response, dict(refusal.headers))


def _knows_method(details: str) -> bool:
    """Tell whether only the parameters were wrong for some kind of message; for the others the method is wrong,
    too."""
    needed = _NEEDED.findall(details)
    return any((kind, "method") not in needed for kind, _ in needed)
