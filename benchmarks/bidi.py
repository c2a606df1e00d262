"""Measures an interactive bidirectional stream: a client sends, waits for the answer, sends the next.

There is no baseline: the SDK's own server reads all of a client's messages before its model sees the first.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

from benchmarks.figures import Figure, alone, milliseconds
from benchmarks.peers import PAT, deploy, emulator, free_port
from benchmarks.ways import WAYS, Way


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    return [figure for way in WAYS for figure in _measure(way, repeats=100 if quick else 2000)]


def _measure(way: Way, *, repeats: int) -> list[Figure]:
    import grpc

    port = free_port()
    with emulator(port, *way.options):
        deploy("hello", port)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            conversation = _Conversation(channel)
            for _ in range(50):
                conversation.ask()
            times = [milliseconds(conversation.ask) for _ in range(repeats)]
            conversation.end()
    return [
        alone(f"{way.name}: bidi round trip p50", times, unit="ms", target=None),
        alone(f"{way.name}: bidi round trip p99", times, unit="ms", target=None, quantile=0.99),
    ]


class _Conversation:
    """A ``StreamModelOutputs`` call of the model ``hello``."""

    def __init__(self, channel: Any) -> None:
        from clarifai_grpc.grpc.api import service_pb2

        self._request = service_pb2.PostModelOutputsRequest(model_id="hello")
        self._request.user_app_id.user_id, self._request.user_app_id.app_id = "me", "demo"
        data = self._request.inputs.add().data
        data.metadata["_method_name"] = "stream"
        data.parts.add(id="prompts").data.string_value = "x"
        self._sending: queue.Queue[Any] = queue.Queue()
        method = channel.stream_stream(
            "/clarifai.api.V2/StreamModelOutputs",
            request_serializer=service_pb2.PostModelOutputsRequest.SerializeToString,
            response_deserializer=service_pb2.MultiOutputResponse.FromString,
        )
        self._answers = method(self._requests(), metadata=[("authorization", f"Key {PAT}")], timeout=600)

    def ask(self) -> None:
        """Send one message, and read its answer."""
        self._sending.put(self._request)
        answer = next(self._answers)
        assert answer.outputs[0].data.parts[0].data.string_value == "Hello, x!", answer

    def end(self) -> None:
        """Send no more messages; read what is left."""
        self._sending.put(None)
        assert not list(self._answers)

    def _requests(self) -> Iterator[Any]:
        return iter(self._sending.get, None)
