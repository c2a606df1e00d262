"""Measures what each way to the emulator costs: the shared port, REST and the OpenAI-compatible API.

The baseline is plain gRPC: the same model, the same replica, alternating rounds in one run; the emulator in a
process of its own (for the shared port in this one, so that the same service can stand behind a port that looks at
no first bytes).
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, alone, compared, interleave, quantile_of
from benchmarks.peers import HOME, PAT, deploy, emulator, free_port, routed_client

_PREDICT = {
    "inputs": [
        {
            "data": {
                "metadata": {"_method_name": "predict"},
                "parts": [{"id": "prompt", "data": {"string_value": "x"}}],
            }
        }
    ]
}
_CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello there"}]}


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    rounds = 4 if quick else 40
    return [*_shared_port(rounds), *_over_http(rounds)]


def _over_http(rounds: int) -> list[Figure]:
    port = free_port()
    with emulator(port):
        hello = deploy("hello", port)["model_url"]
        chat = deploy("openai", port)["model_url"]
        with _rest(port, hello) as rest, _grpc(port, hello) as grpc_predict:
            predict = interleave(rest, grpc_predict, rounds=rounds, calls=50)
        transport = routed_client(chat, port)
        message = json.dumps({**_CHAT, "model": chat, "openai_endpoint": "/chat/completions"})
        with _openai(port, chat) as completions:
            chats = interleave(
                completions, lambda: transport.openai_transport(msg=message), rounds=rounds, calls=20
            )
    added = quantile_of(chats[0], 0.5) - quantile_of(chats[1], 0.5)
    return [
        compared("REST: predict p50, against gRPC", *predict, unit="ms", target=2.0),
        compared("REST: predict p99, against gRPC", *predict, unit="ms", target=None, quantile=0.99),
        compared("OpenAI's client: chat p50, against openai_transport", *chats, unit="ms", target=None),
        alone("OpenAI's client: added to openai_transport", [added], unit="ms", target=5.0),
    ]


def _shared_port(rounds: int) -> list[Figure]:
    from clarifai_emulator.config import EmulatorConfig
    from clarifai_emulator.control.thread import EmulatorThread

    with EmulatorThread(EmulatorConfig(port=0, cache_dir=Path(HOME, "cache"))) as thread:
        shared = thread.run(lambda emulator: emulator.port)
        loop = thread.run(lambda emulator: asyncio.get_running_loop())
        bare_server, bare = asyncio.run_coroutine_threadsafe(_bare_port(thread.emulator), loop).result()
        with _get_user(shared) as by_shared, _get_user(bare) as by_bare:
            calls = interleave(by_shared, by_bare, rounds=rounds, calls=50)
        first = interleave(lambda: _first_call(shared), lambda: _first_call(bare), rounds=rounds, calls=5)
        loop.call_soon_threadsafe(bare_server.close)
    return [
        compared("shared port: GetUser p50, against a bare gRPC port", *calls, unit="ms", target=1.1),
        compared("shared port: connect and first GetUser, against a bare gRPC port", *first, unit="ms", target=1.1),
    ]


async def _bare_port(emulator: Any) -> tuple[asyncio.Server, int]:
    """Serve the same service on a port that takes every connection for gRPC."""
    public = emulator.api.ports.public
    server = await asyncio.get_running_loop().create_server(public.http2_connection, "127.0.0.1", 0, backlog=1024)
    return server, server.sockets[0].getsockname()[1]


@contextmanager
def _rest(port: int, url: str) -> Iterator[Callable[[], object]]:
    """Return predictions on one connection that is kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    path = url.removeprefix("https://clarifai.com").split("/")
    target = f"/v2/users/{path[1]}/apps/{path[2]}/models/{path[4]}/outputs"
    headers = {"Authorization": f"Key {PAT}", "Content-Type": "application/json"}

    def predict() -> object:
        connection.request("POST", target, json.dumps(_PREDICT), headers)
        answer = json.loads(connection.getresponse().read())
        assert answer["status"]["code"] == 10000, answer
        return answer

    predict()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield predict
    finally:
        connection.close()


@contextmanager
def _grpc(port: int, url: str) -> Iterator[Callable[[], object]]:
    """Return the same predictions over gRPC, without the SDK around them."""
    from clarifai_grpc.grpc.api import service_pb2
    from google.protobuf.json_format import ParseDict

    path = url.removeprefix("https://clarifai.com").split("/")
    with _method(port, "PostModelOutputs", service_pb2.MultiOutputResponse) as call:

        def predict() -> object:
            request = service_pb2.PostModelOutputsRequest(
                user_app_id={"user_id": path[1], "app_id": path[2]}, model_id=path[4]
            )
            answer = call(ParseDict(_PREDICT, request))
            assert answer.status.code == 10000, answer
            return answer

        yield predict


@contextmanager
def _get_user(port: int) -> Iterator[Callable[[], object]]:
    from clarifai_grpc.grpc.api import service_pb2

    with _method(port, "GetUser", service_pb2.SingleUserResponse) as call:
        yield lambda: call(service_pb2.GetUserRequest())


def _first_call(port: int) -> None:
    with _get_user(port) as call:
        call()


@contextmanager
def _method(port: int, name: str, answer: Any) -> Iterator[Callable[[Any], Any]]:
    import grpc

    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        method = channel.unary_unary(
            f"/clarifai.api.V2/{name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        yield lambda request: method(request, metadata=[("authorization", f"Key {PAT}")], timeout=30)


@contextmanager
def _openai(port: int, url: str) -> Iterator[Callable[[], object]]:
    import openai

    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v2/ext/openai/v1", api_key=PAT, max_retries=0) as client:
        yield lambda: client.chat.completions.create(model=url, **_CHAT)
