"""Probes of the REST API."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe


@probe("rest.unknown-field")
def unknown_field(client: PlatformClient) -> Any:
    """Misspell a field of a body, and a query parameter."""
    return {
        "field": client.rest("POST", "/v2/users/{me}/apps", {"appps": [{"id": client.name("app")}]}),
        "parameter": client.rest("GET", "/v2/users/{me}/apps?nonsense=1"),
    }
