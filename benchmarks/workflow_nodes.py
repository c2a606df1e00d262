"""Measures what a workflow costs beside the requests of its nodes: three nodes of one model, by the SDK's own stub.

A workflow whose nodes follow each other, and one where two run at once, each beside the requests of its critical
path, which the client makes one after another; in alternating rounds of one run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import PAT, deploy, emulator, environ, free_port

_APP = {"user_id": "me", "app_id": "demo"}
# By name: the nodes that each node takes from, and how many lie on the critical path.
_GRAPHS: Mapping[str, tuple[Mapping[str, Sequence[str]], int]] = {
    "one after another": ({"a": (), "b": ("a",), "c": ("b",)}, 3),
    "two of them at once": ({"a": (), "b": ("a",), "c": ("a",)}, 2),
}


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds. ``quick``: fewer repeats, to see that it works."""
    port = free_port()
    with emulator(port):
        deploy("hello", port)
        stub = _Stub(port)
        return [_figure(stub, name, rounds=4 if quick else 40) for name in _GRAPHS]


def _figure(stub: _Stub, name: str, *, rounds: int) -> Figure:
    taken, critical = _GRAPHS[name]
    workflow = f"nodes-{critical}"
    stub.make(workflow, taken)
    alone, whole = stub.alone(critical), stub.workflow(workflow)
    times = interleave(whole, alone, rounds=rounds, calls=20)
    return compared(f"workflow of three nodes, {name}, beside its critical path", *times, unit="ms", target=1.2)


class _Stub:
    """Makes the requests, each built once."""

    def __init__(self, port: int) -> None:
        os.environ.update(environ(port))  # the SDK reads it when it is imported
        import grpc
        from clarifai_grpc.grpc.api import resources_pb2, service_pb2
        from clarifai_grpc.grpc.api.service_pb2_grpc import V2Stub

        self._messages: Any = service_pb2
        self._data: Any = resources_pb2.Data(text={"raw": "x"})
        self._stub: Any = V2Stub(grpc.insecure_channel(f"127.0.0.1:{port}"))
        self._metadata = (("authorization", f"Key {PAT}"),)

    def make(self, workflow: str, taken: Mapping[str, Sequence[str]]) -> None:
        """Create a workflow of nodes that all are the model ``hello``."""
        nodes = [
            {"id": node, "model": {"id": "hello"}, "node_inputs": [{"node_id": each} for each in of]}
            for node, of in taken.items()
        ]
        made = [{"id": workflow, "nodes": nodes}]
        self._call("PostWorkflows", self._messages.PostWorkflowsRequest(user_app_id=_APP, workflows=made))()

    def alone(self, count: int) -> Callable[[], object]:
        """Return what asks the model so often, one request after another."""
        request = self._messages.PostModelOutputsRequest(
            user_app_id=_APP, model_id="hello", inputs=[{"data": self._data}]
        )
        ask = self._call("PostModelOutputs", request)
        return lambda: [ask() for _ in range(count)]

    def workflow(self, workflow: str) -> Callable[[], object]:
        """Return what asks a workflow."""
        request = self._messages.PostWorkflowResultsRequest(
            user_app_id=_APP, workflow_id=workflow, inputs=[{"data": self._data}]
        )
        return self._call("PostWorkflowResults", request)

    def _call(self, rpc: str, request: Any) -> Callable[[], object]:
        method = getattr(self._stub, rpc)

        def call() -> None:
            answer = method(request, metadata=self._metadata)
            assert answer.status.code == 10000, answer.status

        return call
