"""Serves the pages for people and the health check for machines, beside the API and without a token.

    GET /         a page: the address, three ways to call (for clients that accept text/html)
    GET /docs     the API document, to read
    GET /health   {"status": "ok"}, or 503 until everything that the emulator begins with is there; /healthz too

Nothing here tells what is deployed or whose it is: whoever reaches the port can read it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from importlib import metadata, resources

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.config import ANY_TOKEN, EmulatorConfig

PAGES = ("/", "/docs")
HEALTH = ("/health", "/healthz")
_HTML = "text/html; charset=utf-8"
_HOST = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def is_page(method: str, path: str, accept: str) -> bool:
    """Tell if a request is one of a browser, or of a health check, and not one of the API.

    API clients that are given a wrong address, and say so with ``accept: */*``, keep their JSON errors.
    """
    path = _plain(path)
    if path in HEALTH:
        return True
    if method not in ("GET", "HEAD") or path not in PAGES:
        return False
    return "text/html" in accept or (path == "/docs" and accept in ("", "*/*"))


class Pages:
    """Serves the pages of one emulator. ``url``: its own address, for a client that does not say which it used.
    ``is_ready``: whether everything it begins with is there. ``run``: names this run of it, so that a command can
    tell whether it is the emulator that it means."""

    def __init__(
        self, config: EmulatorConfig, *, url: Callable[[], str], is_ready: Callable[[], bool], run: str
    ) -> None:
        self._config = config
        self._url = url
        self._is_ready = is_ready
        self._run = run
        self._version = metadata.version("clarifai-emulator")

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request for which ``is_page`` holds."""
        if exchange.method not in ("GET", "HEAD"):
            exchange.answer_headers["allow"] = "GET"
            text = f"There is no {exchange.method} {exchange.path}; this path knows GET."
            raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)
        path = _plain(exchange.path)
        if path in HEALTH:
            await self._serve_health(exchange)
            return
        page = resources.files("clarifai_emulator.api.pages").joinpath(
            "docs.html" if path == "/docs" else "start.html"
        )
        text = self._filled(page.read_text(encoding="utf-8"), exchange.headers.get("host", ""))
        await exchange.answer(200, text.encode(), _HTML, _protection(text))

    async def _serve_health(self, exchange: Exchange) -> None:
        ready = self._is_ready()
        facts = {
            "status": "ok" if ready else "starting",
            "name": "clarifai-emulator",
            "version": self._version,
            "run": self._run,
        }
        await exchange.answer(
            200 if ready else 503, json.dumps(facts).encode(), "application/json", {"cache-control": "no-store"}
        )

    def _filled(self, text: str, host: str) -> str:
        """Fill the page with the address as this browser knows it, to which another port may lead."""
        url = f"http://{host}" if _HOST.fullmatch(host) else self._url()
        values = {
            "URL": url,
            "TOKEN": "YOUR_TOKEN" if self._config.knows_tokens else ANY_TOKEN,
            "USER": self._config.user_id,
            "VERSION": self._version,
        }
        for name, value in values.items():
            text = text.replace(f"{{{{{name}}}}}", html.escape(value))
        return text


def _plain(path: str) -> str:
    return path.rstrip("/") or "/"


def _protection(text: str) -> dict[str, str]:
    """Return headers that let the page run its own script, fetch from its own address, and nothing else."""
    scripts = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _SCRIPT.findall(text)
    ]
    policy = (
        f"default-src 'none'; script-src {' '.join(scripts) or chr(39) + 'none' + chr(39)}; "
        "style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
