"""Serves the page: its files to those who may see it, and as JSON what runs, from the emulator's state and events.

    GET /                          the page, or how to get in
    GET /_page/app.js, app.css     its files
    GET /_page/state               what `status --json` prints
    GET /_page/events              what happens, as it happens (page_events.py)
    GET /_page/request?id=ID       the kept events of one request
    GET /_page/log?replica=ID      what a replica printed (page_logs.py)
    GET /_page/route?model=…       what `route --json` prints

It only tells: nothing is changed by any of these.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
from collections.abc import Mapping
from functools import cached_property
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.control.page.page_admission import PageAdmission, refuse_other_pages
from clarifai_emulator.control.page.page_events import EventReaders
from clarifai_emulator.control.page.page_logs import log_of_replica
from clarifai_emulator.control.page.page_mount import DATA
from clarifai_emulator.control.snapshot import snapshot
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.messages.address import parse_name

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from clarifai_emulator.control.verbs import Verbs

_HTML = "text/html; charset=utf-8"
_TYPES = {"app.js": "text/javascript; charset=utf-8", "app.css": "text/css; charset=utf-8"}
# Of a request that asks a thousand models inside it, the newest.
_MOST_EVENTS = 5_000
_ALWAYS = 1e12
_PROTECTION = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
NOT_BUILT = (
    "This checkout has no page: its sources in emulator/page were not built. `make setup` builds them; "
    "an installed wheel has it."
)


class PageSite:
    """Serves the page of one emulator to the browsers that ``admission`` lets in."""

    def __init__(self, emulator: Emulator, admission: PageAdmission) -> None:
        self._emulator = emulator
        self._admission = admission
        self._readers = EventReaders(emulator)
        self._files: dict[str, tuple[bytes, str]] = {}
        self._version = metadata.version("clarifai-emulator")

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request for which ``is_for_page`` holds."""
        if exchange.method not in ("GET", "HEAD"):
            exchange.answer_headers["allow"] = "GET"
            text = f"There is no {exchange.method} {exchange.path}; the page only reads."
            raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)
        if exchange.path == "/":
            await self._serve_start(exchange)
            return
        name = exchange.path.removeprefix(f"{DATA}/")
        if name in _TYPES:
            await self._serve_file(exchange, name)
            return
        self._admission.require(exchange)
        query = dict(exchange.query)
        if name == "events":
            last = exchange.headers.get("last-event-id") or query.get("since", "")
            await self._readers.serve(exchange, last)
            return
        answer = json.dumps(await self._data(name, query), default=str).encode()
        await exchange.answer(200, answer, "application/json", _PROTECTION)

    async def _serve_start(self, exchange: Exchange) -> None:
        """Serve the page, or let a browser in, or tell it how to get in."""
        given = dict(exchange.query).get("token")
        if given is not None and self._admission.is_token(given):
            # Not a redirect: of a request that another site began, browsers leave out the cookie on the way on.
            headers = {**_PROTECTION, "set-cookie": self._admission.set_cookie}
            await exchange.answer(200, self._built("entered.html"), _HTML, headers)
        elif given is None and self._admission.knows(exchange):
            await exchange.answer(200, self._built("index.html"), _HTML, _PROTECTION)
        else:
            port = html.escape(str(self._emulator.port))
            text = self._built("locked.html").decode().replace("{{PORT}}", port)
            await exchange.answer(401, text.encode(), _HTML, _PROTECTION)

    async def _serve_file(self, exchange: Exchange, name: str) -> None:
        refuse_other_pages(exchange)
        content, mark = self._file(name)
        headers = {**_PROTECTION, "cache-control": "no-cache", "etag": mark}
        known = exchange.headers.get("if-none-match") == mark
        await exchange.answer(304 if known else 200, b"" if known else content, _TYPES[name], headers)

    async def _data(self, name: str, query: Mapping[str, str]) -> dict[str, Any]:
        emulator = self._emulator
        if name == "state":
            state = snapshot(emulator)
            return {"run": emulator.run_id, "version": self._version, "state": state}
        if name == "request":
            events = list(emulator.events.recent(request_id=query.get("id", "")))[-_MOST_EVENTS:]
            return {"run": emulator.run_id, "events": [event.as_dict() for event in events]}
        if name == "log":
            begin, end = _number(query, "begin", 0.0), _number(query, "end", _ALWAYS)
            since = int(_number(query, "since", 0.0))
            return log_of_replica(emulator, query.get("replica", ""), since=since, begin=begin, end=end)
        if name == "route":
            return await self._route(query)
        raise HttpProblem(404, StatusCode.CONN_DOES_NOT_EXIST, f"The page has no {DATA}/{name[:100]}.")

    async def _route(self, query: Mapping[str, str]) -> dict[str, Any]:
        from clarifai_emulator.control.explaining import explained

        own = self._emulator.config.user_id
        caller = query.get("caller") or own
        request: dict[str, Any] = {"caller": caller}
        if model := query.get("model"):
            address = parse_name(model)
            if address is None:
                text = f"'{model[:100]}' is no model's name: USER/APP/MODEL, as the list of models has it."
                raise HttpProblem(400, StatusCode.CONN_BAD_REQUEST_FORMAT, text)
            request |= {"model_user": address.user_id, "model_app": address.app_id, "model_id": address.model_id}
        if deployment := query.get("deployment"):
            user, _, name = deployment.rpartition("/")
            request["deployment"] = [user or caller, name]
        if nodepool := query.get("nodepool"):
            parts = nodepool.split("/")
            if len(parts) != 3:
                text = f"'{nodepool[:100]}' is no nodepool's name: USER/CLUSTER/NODEPOOL, as the map has it."
                raise HttpProblem(400, StatusCode.CONN_BAD_REQUEST_FORMAT, text)
            request["nodepool"] = parts
        if not (request.get("model_id") or request.get("deployment")):
            text = "Name a model or a deployment to ask about."
            raise HttpProblem(400, StatusCode.CONN_BAD_REQUEST_FORMAT, text)
        return await explained(self._emulator, self._verbs, request)

    @cached_property
    def _verbs(self) -> Verbs:
        from clarifai_emulator.control.account import Account
        from clarifai_emulator.control.verbs import Verbs

        return Verbs(Account(self._emulator))

    def _built(self, name: str) -> bytes:
        return self._file(name)[0]

    def _file(self, name: str) -> tuple[bytes, str]:
        """Return a built file, and the mark of its content."""
        if name not in self._files:
            try:
                content = _folder().joinpath(name).read_bytes()
            except OSError:
                raise HttpProblem(503, StatusCode.CONN_UNCATEGORIZED, NOT_BUILT) from None
            self._files[name] = content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return self._files[name]


def _folder() -> Traversable:
    return resources.files("clarifai_emulator.control.page").joinpath("built")


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    try:
        number = float(query.get(name) or default)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        text = f"'{name}' is a number, not '{query[name][:50]}'."
        raise HttpProblem(400, StatusCode.CONN_BAD_REQUEST_FORMAT, text)
    return number
