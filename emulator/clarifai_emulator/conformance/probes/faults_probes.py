"""Probes of what the platform does by itself that faults do on purpose."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe

# The platform's rate-limit page speaks of 15 requests a second.
_BURST = 60


@probe("faults.throttle")
def too_many_requests(client: PlatformClient) -> Any:
    """Send many requests at once."""
    answers = [call.answer() for call in [client.start("GetUser", user="me") for _ in range(_BURST)]]
    return sorted({answer.status for answer in answers})
