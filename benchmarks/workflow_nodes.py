"""Measures what a workflow costs beside the requests of its nodes: three nodes of one model, over a bare channel.

A workflow whose nodes follow each other, and one where two run at once, each beside the requests of its critical
path, which the client makes one after another; in alternating rounds of one run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import PAT, deploy, emulator, environ, free_port

# A model, and what it is asked about.
_Request = tuple[str, dict[str, Any]]
_APP = {"user_id": "me", "app_id": "demo"}
_TEXT, _NAP = {"text": {"raw": "x"}}, {"float_value": 0.02}
# By name: the input, the nodes with their models and the nodes that they take from, and the requests of the
# critical path.
_GRAPHS: Mapping[str, tuple[dict[str, Any], Mapping[str, tuple[str, Sequence[str]]], Sequence[_Request]]] = {
    "one after another": (
        _TEXT,
        {"a": ("hello", ()), "b": ("hello", ("a",)), "c": ("hello", ("b",))},
        [("hello", _TEXT)] * 3,
    ),
    "two of 20 ms at once": (
        _NAP,
        {"a": ("slow", ()), "b": ("slow", ()), "c": ("hello", ("a", "b"))},
        [("slow", _NAP), ("hello", _TEXT)],
    ),
}


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds. ``quick``: fewer repeats, to see that it works."""
    port = free_port()
    with emulator(port):
        deploy("hello", port)
        deploy("slow", port)
        stub = _Stub(port)
        return [_figure(stub, name, rounds=4 if quick else 40) for name in _GRAPHS]


def _figure(stub: _Stub, name: str, *, rounds: int) -> Figure:
    given, nodes, critical = _GRAPHS[name]
    workflow = name.replace(" ", "-")
    stub.make(workflow, nodes)
    times = interleave(stub.workflow(workflow, given), stub.alone(critical), rounds=rounds, calls=20)
    return compared(f"workflow of three nodes, {name}, beside its critical path", *times, unit="ms", target=1.2)


class _Stub:
    """Makes the requests, each built once."""

    def __init__(self, port: int) -> None:
        os.environ.update(environ(port))  # the SDK reads it when it is imported
        import grpc
        from clarifai_grpc.grpc.api import service_pb2

        self._messages: Any = service_pb2
        self._channel: Any = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._metadata = (("authorization", f"Key {PAT}"),)

    def make(self, workflow: str, nodes: Mapping[str, tuple[str, Sequence[str]]]) -> None:
        """Create a workflow."""
        made = [
            {"id": node, "model": {"id": model}, "node_inputs": [{"node_id": each} for each in taken]}
            for node, (model, taken) in nodes.items()
        ]
        workflows = [{"id": workflow, "nodes": made}]
        self._call("PostWorkflows", self._messages.PostWorkflowsRequest(user_app_id=_APP, workflows=workflows))()

    def alone(self, requests: Sequence[_Request]) -> Callable[[], object]:
        """Return what makes these requests one after another."""
        calls = [
            self._call(
                "PostModelOutputs",
                self._messages.PostModelOutputsRequest(user_app_id=_APP, model_id=model, inputs=[{"data": data}]),
            )
            for model, data in requests
        ]
        return lambda: [call() for call in calls]

    def workflow(self, workflow: str, given: dict[str, Any]) -> Callable[[], object]:
        """Return what asks a workflow."""
        request = self._messages.PostWorkflowResultsRequest(
            user_app_id=_APP, workflow_id=workflow, inputs=[{"data": given}]
        )
        return self._call("PostWorkflowResults", request)

    def _call(self, rpc: str, request: Any) -> Callable[[], object]:
        answers = {"PostModelOutputs": "MultiOutputResponse", "PostWorkflows": "MultiWorkflowResponse"}
        answer_type = getattr(self._messages, answers.get(rpc, f"{rpc}Response"))
        method = self._channel.unary_unary(
            f"/clarifai.api.V2/{rpc}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer_type.FromString,
        )

        def call() -> None:
            answer = method(request, metadata=self._metadata)
            assert answer.status.code == 10000, answer.status

        return call
