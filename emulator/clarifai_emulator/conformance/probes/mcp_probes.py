"""Probes of MCP servers, with a scripted runner behind them."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.scripted_runner import scripted_runner
from clarifai_emulator.conformance.seen import HttpAnswer
from clarifai_emulator.conformance.text_models import MCP, failed, posted, text_model

_NEWEST = "2025-11-25"
_STARTED = {"protocolVersion": _NEWEST, "capabilities": {}, "serverInfo": {"name": "probe", "version": "1"}}
_SESSION = "mcp-session-id"
_ACCEPT = {"accept": "application/json, text/event-stream"}
# What the runner says of a message that its MCP library cannot read.
_UNKNOWN = """26 validation errors for ClientRequest
PingRequest.method
  Input should be 'ping'
CallToolRequest.method
  Input should be 'tools/call'
CallToolRequest.params
  Field required"""
_LACKING = """25 validation errors for ClientRequest
PingRequest.method
  Input should be 'ping'
CallToolRequest.params.name
  Field required"""


def _answer_of(message: Any) -> Any:
    method = message.get("method")
    if method == "initialize":
        return _STARTED
    if method == "raises":
        return failed("out of order")
    if method == "unknown":
        return failed(_UNKNOWN)
    if method == "tools/call":
        return failed(_LACKING)
    if method == "whole error":
        return {"jsonrpc": "2.0", "id": "", "error": {"code": -32602, "message": "Unknown tool: x"}}
    return {"given": message.get("params")}


def _message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def _initialize(version: str = _NEWEST) -> dict[str, Any]:
    info = {"name": "probe", "version": "1"}
    return _message("initialize", protocolVersion=version, capabilities={}, clientInfo=info)


def _error(answer: HttpAnswer) -> Any:
    return {name: value for name, value in answer.pick("id", "error.code").items() if name != "status"} | {
        "http": answer.http_status
    }


@probe("mcp.endpoint")
def endpoint(client: PlatformClient) -> Any:
    """Initialize at the model's path and at its version's, with a Bearer token, and at a path that is not there."""
    with text_model(client, _answer_of) as served:
        path = served.mcp_path(client)
        started = posted(client, path, _initialize(), _ACCEPT)
        return {
            "model": started.http_status,
            "fields": sorted(started.json or {}),
            "version": posted(
                client, f"{path}/versions/{served.model.version}", _initialize(), _ACCEPT
            ).http_status,
            "no such path": client.rest("POST", f"{MCP}/models/nothing", _initialize()).http_status,
            "no such model": _error(client.rest("POST", f"{path}-nothing", _initialize(), headers=_ACCEPT)),
            "no token": client.rest("POST", path, _initialize(), headers={"authorization": ""}).http_status,
        }


@probe("mcp.transport-method")
def transport_method(client: PlatformClient) -> Any:
    """Look what the model is sent, and how its bare result comes back; also of a notification."""
    with text_model(client, _answer_of) as served:
        path = served.mcp_path(client)
        answer = posted(client, path, _message("tools/list", cursor="x"), _ACCEPT)
        noted = posted(client, path, {"jsonrpc": "2.0", "method": "notifications/initialized"}, _ACCEPT)
        only_events = posted(client, path, _message("ping"), {"accept": "text/event-stream"})
        client.wait(lambda: len(served.calls) >= 3, seconds=5, what="the third message")
        return {
            "sent": [[method, message] for method, message in served.calls],
            "answer": answer.json,
            "notification": [noted.http_status, noted.text],
            "only events": only_events.headers.get("content-type", "").partition(";")[0],
        }


@probe("mcp.protocol-version")
def protocol_version(client: PlatformClient) -> Any:
    """Ask a server that always answers with the newest version of the protocol for each one, and one unknown."""
    with text_model(client, _answer_of) as served:
        path = served.mcp_path(client)
        asked = ("2024-11-05", "2025-03-26", "2025-06-18", _NEWEST, "2099-01-01")
        answers = {version: posted(client, path, _initialize(version), _ACCEPT).json for version in asked}
        return {version: answer["result"]["protocolVersion"] for version, answer in answers.items()}


@probe("mcp.sessions")
def sessions(client: PlatformClient) -> Any:
    """Begin a session, use it, end it; use none, and an invented one; open a stream with GET."""
    with text_model(client, _answer_of) as served:
        path = served.mcp_path(client)
        session = posted(client, path, _initialize(), _ACCEPT).headers.get(_SESSION, "")
        own = {_SESSION: session, **_ACCEPT}
        bearer = {"authorization": f"Bearer {client.account.pat}"}

        def ping(headers: dict[str, str]) -> Any:
            return client.rest("POST", path, _message("ping"), headers=bearer | headers).http_status

        return {
            "has an id": session != "",
            "with it": ping(own),
            "without one": ping(_ACCEPT),
            "invented": ping({_SESSION: "0" * 32, **_ACCEPT}),
            "GET": client.rest("GET", path, headers=bearer | own).http_status,
            "DELETE": client.rest("DELETE", path, headers=bearer | own).http_status,
            "ended": ping(own),
        }


@probe("mcp.errors")
def errors(client: PlatformClient) -> Any:
    """Make each kind of error: raised, of a method that is not known, of a parameter that lacks, of the message."""
    with text_model(client, _answer_of) as served:
        path = served.mcp_path(client)
        methods = ("raises", "unknown", "tools/call", "whole error")
        seen = {method: _error(posted(client, path, _message(method), _ACCEPT)) for method in methods}
        odd = {"no JSON": b"{", "no object": [], "no jsonrpc": {"id": 7, "method": "ping"}}
        bearer = {"authorization": f"Bearer {client.account.pat}", **_ACCEPT}
        return seen | {name: _error(client.rest("POST", path, body, headers=bearer)) for name, body in odd.items()}


@probe("mcp.cold")
def cold(client: PlatformClient) -> Any:
    """Initialize at a model that is deployed, and whose runner has not started."""
    model = scenes.version(client)
    with scripted_runner(client, model, started=False) as runner:
        scenes.deployment(client, model, runner.place)
        path = f"{MCP}/users/{client.user_id}/apps/{model.app}/models/{model.id}"
        bearer = {"authorization": f"Bearer {client.account.pat}"}
        return client.rest("POST", path, _initialize(), headers={**_ACCEPT, **bearer}).http_status
