"""Checks what holds for every stand-in of a hosted model, whatever answers in it."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request


def require_served_by_a_stand_in(hosting: EmulatorThread, **arguments: Any) -> None:
    """Fail unless a request is routed to shared compute, and the route says why."""
    client = Client(hosting.url)
    request = inference_request("gpt-4o", user="openai", app="chat-completion", **arguments)
    answer, trailers = client.call_with_trailers("PostModelOutputs", request)
    assert answer.status.code == StatusCode.SUCCESS
    assert trailers["x-clarifai-emulator-rule"] == "shared"
    decided = hosting.events("route.decided")[-1].fields
    assert decided["reason"].startswith("A stand-in serves the hosted model and no deployment serves it; ")
    client.close()
