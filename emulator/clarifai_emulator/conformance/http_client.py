"""Makes HTTP requests to a target, through the proxy that the environment names, as other clients do."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

import urllib3
from urllib3.util import parse_url

from clarifai_emulator.conformance.seen import HttpAnswer
from clarifai_emulator.errors import ControlError


class HttpClient:
    """Keeps connections to one base URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        parts = parse_url(self._url)
        proxy = urllib.request.getproxies().get(parts.scheme or "http")
        if proxy and not urllib.request.proxy_bypass(parts.netloc or ""):
            self._pool: urllib3.PoolManager = urllib3.ProxyManager(proxy, retries=False)
        else:
            self._pool = urllib3.PoolManager(retries=False)

    def ask(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], *, timeout: float = 60
    ) -> HttpAnswer:
        """Return the answer. ``body``: bytes as they are, else JSON. Raises ``ControlError`` where none came."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            answer = self._pool.request(
                method, self._url + path, body=content, headers=dict(headers), timeout=timeout, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise ControlError(
                f"{method} {self._url}{path} got no answer: {error}",
                hint="Look whether the address is right and can be reached from here.",
            ) from None
        return HttpAnswer(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()
