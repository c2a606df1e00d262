"""MCP over streamable HTTP: messages to ``mcp_transport`` and back, sessions, and what a wrong message is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.ext import mcp
from clarifai_emulator.errors import CallerError
from http_port import HttpClient, http_client

SERVER = "/v2/ext/mcp/v1/users/u/apps/a/models/m"
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
PING = {"jsonrpc": "2.0", "id": "p", "method": "ping"}
UNKNOWN = """26 validation errors for ClientRequest
PingRequest.method
  Input should be 'ping'
CallToolRequest.method
  Input should be 'tools/call'
CallToolRequest.params
  Field required"""
UNREADABLE = """25 validation errors for ClientRequest
PingRequest.method
  Input should be 'ping'
CallToolRequest.params.name
  Field required"""


class Model:
    """Stands in for the model: answers as ``MCPModelClass`` does."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.messages: list[Any] = []

    async def predict(self, call: ApiCall, request: Any) -> Any:
        self.requests.append(request)
        message = json.loads(request.inputs[0].data.parts[0].data.string_value)
        self.messages.append(message)
        if request.model_id == "none":
            raise CallerError(StatusCode.MODEL_DOES_NOT_EXIST, "There is no model 'none'.")
        if message["method"] == "unknown":
            raise CallerError(StatusCode.FAILURE, UNKNOWN)
        if message["method"] == "tools/call":
            raise CallerError(StatusCode.FAILURE, UNREADABLE)
        if message["method"] == "raises":
            raise CallerError(StatusCode.FAILURE, "out of order")
        if message["method"] == "dies":
            raise CallerError(StatusCode.RUNNER_PROCESSING_FAILED, "Replica r ended.")
        if message["method"] == "hangs":
            raise CallerError(StatusCode.RPC_REQUEST_TIMEOUT, "The model had not answered.")
        call.trailers["x-clarifai-emulator-rule"] = "owner_default"
        answers = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {}},
            "ping": {},
            "refused": {"jsonrpc": "2.0", "id": "", "error": {"code": -32602, "message": "Unknown tool: x"}},
        }
        odd = {"garbage": "no json", "floods": "x" * 2_000_000}
        text = odd.get(message["method"]) or json.dumps(answers.get(message["method"], {}))
        response = call.rpc.response_type()
        response.outputs.add().data.parts.add(id="return", data={"string_value": text})
        return response


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
async def client(model: Model) -> AsyncIterator[HttpClient]:
    async with http_client({"PostModelOutputs": model.predict}) as client:
        yield client


async def test_a_request_reaches_the_models_transport_and_its_result_is_wrapped(
    client: HttpClient, model: Model
) -> None:
    answer = await client.ask("POST", f"{SERVER}/versions/v", PING)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-clarifai-emulator-rule"] == "owner_default"
    assert answer.json == {"jsonrpc": "2.0", "id": "p", "result": {}}
    request = model.requests[0]
    assert (request.user_app_id.user_id, request.user_app_id.app_id) == ("u", "a")
    assert (request.model_id, request.version_id) == ("m", "v")
    assert request.inputs[0].data.metadata["_method_name"] == "mcp_transport"
    assert model.messages == [PING]


async def test_who_takes_only_events_gets_one(client: HttpClient) -> None:
    answer = await client.ask("POST", SERVER, PING, {"accept": "text/event-stream"})
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body == b'event: message\ndata: {"jsonrpc": "2.0", "id": "p", "result": {}}\n\n'


async def test_a_notification_is_passed_on_and_accepted(client: HttpClient, model: Model) -> None:
    answer = await client.ask("POST", SERVER, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status, answer.body) == (202, b"")
    assert [message["method"] for message in model.messages] == ["notifications/initialized"]


async def test_an_answer_of_the_client_is_accepted_and_not_passed_on(client: HttpClient, model: Model) -> None:
    assert (await client.ask("POST", SERVER, {"jsonrpc": "2.0", "id": 1, "result": {}})).status == 202
    assert model.messages == []


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-06-18"),  # newer than the model
        ("2099-01-01", "2025-06-18"),
        ("1.0", "2025-06-18"),
        (7, "2025-06-18"),
        (None, "2025-06-18"),
    ],
)
async def test_an_older_client_gets_the_version_that_it_asked_for(
    client: HttpClient, asked: Any, answered: str
) -> None:
    message = {**INITIALIZE, "params": {"protocolVersion": asked}}
    result = (await client.ask("POST", SERVER, message)).json["result"]
    assert result == {"protocolVersion": answered, "capabilities": {}}


async def test_a_client_without_parameters_gets_what_the_model_said(client: HttpClient) -> None:
    message = {**INITIALIZE, "params": []}
    assert (await client.ask("POST", SERVER, message)).json["result"]["protocolVersion"] == "2025-06-18"


# Sessions


async def test_initialize_opens_a_session_and_delete_ends_it(client: HttpClient) -> None:
    opened = await client.ask("POST", SERVER, INITIALIZE)
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    assert (await client.ask("POST", SERVER, PING, session)).status == 200
    assert (await client.ask("DELETE", SERVER, headers=session)).status == 200
    answer = await client.ask("POST", SERVER, PING, session)
    assert answer.status == 404
    assert answer.json["error"]["message"] == (
        "There is no such session of this model: it has ended, or the emulator was started anew. Initialize again."
    )


async def test_a_session_is_good_for_its_own_model_only(client: HttpClient) -> None:
    opened = await client.ask("POST", SERVER, INITIALIZE)
    session = {"mcp-session-id": opened.headers["mcp-session-id"]}
    assert (await client.ask("POST", f"{SERVER}2", PING, session)).status == 404


async def test_the_oldest_of_too_many_sessions_ends(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "_MOST_SESSIONS", 2)
    opened = [(await client.ask("POST", SERVER, INITIALIZE)).headers["mcp-session-id"] for _ in range(3)]
    asked = [(await client.ask("POST", SERVER, PING, {"mcp-session-id": each})).status for each in opened]
    assert asked == [404, 200, 200]


async def test_a_client_without_a_session_is_answered_too(client: HttpClient) -> None:
    assert (await client.ask("POST", SERVER, PING)).status == 200


# What goes wrong


@pytest.mark.parametrize(
    ("method", "code", "says"),
    [
        ("refused", -32602, "Unknown tool: x"),
        ("unknown", -32601, UNKNOWN),
        ("tools/call", -32602, UNREADABLE),
        ("raises", -32603, "out of order"),
        ("dies", -32603, "Replica r ended."),
        ("hangs", -32603, "The model had not answered."),
        (
            "floods",
            -32603,
            f"The model answered floods with what is no JSON: {'x' * 200!r}. It has 2,000,000 characters: a longer "
            "answer is cut, as on the platform.",
        ),
        ("garbage", -32603, "The model answered garbage with what is no JSON: 'no json'."),
    ],
)
async def test_what_the_models_server_refuses_is_an_error_of_json_rpc(
    client: HttpClient, method: str, code: int, says: str
) -> None:
    answer = await client.ask("POST", SERVER, {"jsonrpc": "2.0", "id": 7, "method": method})
    assert answer.status == 200
    assert answer.json["id"] == 7
    assert (answer.json["error"]["code"], answer.json["error"]["message"]) == (code, says)


@pytest.mark.parametrize(
    ("path", "key", "status", "clarifai_code"),
    [
        ("/v2/ext/mcp/v1/users/u/apps/a/models/none", "Bearer t", 404, 21200),
        (SERVER, "Bearer no good", 401, 11008),
        (SERVER, "", 401, 11102),
    ],
)
async def test_what_never_reaches_a_model_has_an_http_status(
    client: HttpClient, path: str, key: str, status: int, clarifai_code: int
) -> None:
    answer = await client.ask("POST", path, PING, key=key)
    assert answer.status == status
    assert answer.json["id"] == ("p" if status == 404 else None), "without a credential, its message is not read"
    assert answer.json["error"]["data"] == {"clarifai_status_code": clarifai_code}


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"{", -32700, "The body of the MCP message is no JSON: "),
        ([PING], -32600, "An MCP message must be a JSON object, got an array."),
        ({"id": 1, "method": "ping"}, -32600, 'An MCP message must have "jsonrpc": "2.0".'),
        ({"jsonrpc": "2.0", "id": 1, "method": 3}, -32600, "`method` must be a string, got a number."),
        (
            {"jsonrpc": "2.0", "id": [], "method": "ping"},
            -32600,
            "`id` must be a string or a whole number, got [].",
        ),
        (
            {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
            -32600,
            "`id` must be a string or a whole number, got 1.5.",
        ),
        (
            {"jsonrpc": "2.0", "id": True, "method": "ping"},
            -32600,
            "`id` must be a string or a whole number, got true.",
        ),
    ],
)
async def test_what_is_no_message_is_refused(
    client: HttpClient, model: Model, content: Any, code: int, says: str
) -> None:
    answer = await client.ask("POST", SERVER, content)
    assert answer.status == 400
    assert answer.json["error"]["code"] == code
    assert says in answer.json["error"]["message"]
    assert model.messages == []


async def test_a_get_is_405(client: HttpClient) -> None:
    answer = await client.ask("GET", SERVER)
    assert answer.status == 405
    assert answer.headers["allow"] == "delete, post"
    assert answer.json["error"]["message"] == (
        "There is no GET here: messages come with POST, and nothing is said unasked."
    )


@pytest.mark.parametrize(
    "path", ["/v2/ext/mcp/v1/models/m", "/v2/ext/mcp/v1", "/v2/ext/mcp/users/u/apps/a/models/m"]
)
async def test_another_path_is_told_the_shape_of_one(client: HttpClient, path: str) -> None:
    answer = await client.ask("POST", path, PING)
    assert answer.status == 404
    assert answer.json["error"]["message"] == (
        f"There is no path {path}. MCP servers are at "
        "/v2/ext/mcp/v1/users/USER/apps/APP/models/MODEL, with /versions/VERSION behind it for a certain version."
    )
