"""Serves the page: its files to those who may see it, and as JSON what runs, from the emulator's state and events.

    GET  /                          the page, or how to get in
    GET  /_page/app.js, app.css     its files
    GET  /_page/events              what happens, as it happens (page_events.py)
    GET  /_page/NAME, POST …        what the topics of page_topic_table.py have

It may do what the command line may, for a browser that was let in and for no page of another origin.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.rest.transcoding import read_aside
from clarifai_emulator.api.transport.http_exchange import Exchange, HttpProblem
from clarifai_emulator.control.page.page_admission import PageAdmission, refuse_other_pages
from clarifai_emulator.control.page.page_events import EventReaders
from clarifai_emulator.control.page.page_file import NOT_BUILT, read_built
from clarifai_emulator.control.page.page_json import NO_JSON, json_bytes, json_in_turns, json_object
from clarifai_emulator.control.page.page_mount import DATA
from clarifai_emulator.control.page.page_topic_table import TOPICS
from clarifai_emulator.control.page.page_topics import (
    Asked,
    PageContext,
    PageTopic,
    Stream,
    bad_request,
    problem_of,
)
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import EmulatorError

_T = TypeVar("_T")

_HTML = "text/html; charset=utf-8"
_JSON = "application/json"
_LINES = "application/x-ndjson"
_TYPES = {"app.js": "text/javascript; charset=utf-8", "app.css": "text/css; charset=utf-8"}
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
# What a model made is data: opened as a page of its own, it may run nothing and load nothing.
_OF_MODELS = {**_PROTECTION, "content-security-policy": "default-src 'none'; sandbox"}


class PageSite:
    """Serves the page of one emulator to the browsers that ``admission`` lets in."""

    def __init__(self, emulator: Emulator, admission: PageAdmission) -> None:
        self._emulator = emulator
        self._admission = admission
        self._readers = EventReaders(emulator)
        self._files: dict[str, tuple[bytes, str]] = {}
        topics = [make(PageContext(emulator)) for make in TOPICS]
        self._reads = _joined(topics, lambda topic: topic.reads())
        self._acts = _joined(topics, lambda topic: topic.acts())
        self._streams = _joined(topics, lambda topic: topic.streams())
        self._loads = _joined(topics, lambda topic: topic.files())

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request for which ``is_for_page`` holds."""
        if exchange.path == "/":
            await self._serve_start(exchange)
            return
        name = exchange.path.removeprefix(f"{DATA}/")
        if name in _TYPES and exchange.method in ("GET", "HEAD"):
            await self._serve_file(exchange, name)
            return
        self._admission.require(exchange)
        try:
            if exchange.method == "POST":
                await self._serve_act(exchange, name)
            else:
                await self._serve_data(exchange, name)
        except EmulatorError as error:
            raise problem_of(error) from None

    async def _serve_data(self, exchange: Exchange, name: str) -> None:
        if exchange.method not in ("GET", "HEAD") or name in self._acts or name in self._streams:
            self._refuse_method(exchange, name)
        query = dict(exchange.query)
        asked = Asked(query, exchange.peer)
        if name == "events":
            last = exchange.headers.get("last-event-id") or query.get("since", "")
            await self._readers.serve(exchange, last)
        elif name in self._loads:
            file = await self._loads[name](asked)
            headers = {**_OF_MODELS, **({"content-disposition": "attachment"} if file.name else {})}
            await exchange.answer(200, file.content, file.kind, headers)
        elif name in self._reads:
            await _answer_json(exchange, await self._reads[name](asked))
        else:
            raise HttpProblem(404, StatusCode.CONN_DOES_NOT_EXIST, f"The page has no {DATA}/{name[:100]}.")

    async def _serve_act(self, exchange: Exchange, name: str) -> None:
        if name not in self._acts and name not in self._streams:
            self._refuse_method(exchange, name)
        if exchange.headers.get("content-type", "").partition(";")[0].strip() != _JSON:
            raise bad_request(NO_JSON)
        body = await exchange.body()
        given = await read_aside(len(body), json_object, f"POST {exchange.path}", body)
        asked = Asked(given, exchange.peer)
        if name in self._acts:
            await _answer_json(exchange, await self._acts[name](asked))
        else:
            await _answer_lines(exchange, self._streams[name], asked)

    def _refuse_method(self, exchange: Exchange, name: str) -> None:
        allowed = "POST" if name in self._acts or name in self._streams else "GET"
        exchange.answer_headers["allow"] = allowed
        text = f"There is no {exchange.method} {exchange.path}; the page sends {allowed} there."
        raise HttpProblem(405, StatusCode.CONN_METHOD_NOT_ALLOWED, text)

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

    def _built(self, name: str) -> bytes:
        return self._file(name)[0]

    def _file(self, name: str) -> tuple[bytes, str]:
        """Return a built file, and the mark of its content."""
        if name not in self._files:
            content = built_file(name)
            self._files[name] = content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return self._files[name]


def built_file(name: str) -> bytes:
    """Return a file that the page is made of. Raises ``HttpProblem`` where it was not built."""
    try:
        return read_built(name)
    except OSError:
        raise HttpProblem(503, StatusCode.CONN_UNCATEGORIZED, NOT_BUILT) from None


def _joined(topics: list[PageTopic], table: Callable[[PageTopic], Mapping[str, _T]]) -> dict[str, _T]:
    """Return what all topics have, by name."""
    return {name: each for topic in topics for name, each in table(topic).items()}


async def _answer_json(exchange: Exchange, answer: dict[str, Any]) -> None:
    await exchange.answer(200, await json_in_turns(answer), _JSON, _PROTECTION)


async def _answer_lines(exchange: Exchange, stream: Stream, asked: Asked) -> None:
    """Answer with what comes, a line each; whatever fails before the first is an answer of its own."""
    async with aclosing(stream(asked)) as lines:
        async for line in lines:
            if not exchange.started:
                await exchange.begin(200, _LINES, _PROTECTION)
            await exchange.write(json_bytes(line) + b"\n")
    if not exchange.started:
        await exchange.answer(200, b"", _LINES, _PROTECTION)
