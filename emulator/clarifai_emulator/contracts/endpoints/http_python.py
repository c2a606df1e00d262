"""Finds the HTTP requests of a Python file: requests, httpx, aiohttp, urllib."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urljoin

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import makers_of
from clarifai_emulator.contracts.endpoints.http_request import HttpRequest
from clarifai_emulator.contracts.endpoints.written_python import shown_source, texts_of, written
from clarifai_emulator.contracts.endpoints.written_value import (
    UNSEEN,
    WrittenValue,
    json_content,
)

_VERBS = frozenset(
    {"get", "post", "put", "patch", "delete", "request", "stream", "Request", "urlopen", "urlretrieve"}
)
# Their first argument is the method.
_METHOD_FIRST = frozenset({"request", "stream"})
_LIBRARIES = frozenset({"requests", "httpx", "aiohttp", "urllib", "urllib3", "httpx2", "niquests", "curl_cffi"})
_CLIENTS = frozenset(
    {
        "requests.Session",
        "requests.session",
        "requests.sessions.Session",
        "httpx.Client",
        "httpx.AsyncClient",
        "aiohttp.ClientSession",
        "urllib3.PoolManager",
        "niquests.Session",
        "niquests.AsyncSession",
    }
)
_BODIES = ("json", "data", "content", "body")


class HttpCalls:
    """Finds them in one file."""

    def __init__(self, code: ClientCode) -> None:
        self._code = code
        self.claimed: set[ast.AST] = set()

    def requests(self) -> Iterator[HttpRequest]:
        """Yield every HTTP request, wherever it goes."""
        for name in sorted(_VERBS & self._code.called_names.keys()):
            for call in self._code.called_names[name]:
                request = self._request(call, name)
                if request is not None:
                    self.claimed.add(call)
                    yield request

    def _request(self, call: ast.Call, verb: str) -> HttpRequest | None:
        full = self._code.name_of(call.func)
        library = full.partition(".")[0]
        if full and library not in _LIBRARIES:
            return None
        bases: tuple[str, ...] = ()
        if not full:
            if not isinstance(call.func, ast.Attribute) or verb in ("Request", "urlopen"):
                return None
            makers = makers_of(self._code, call.func.value, _CLIENTS)
            if not makers.found and not self._is_http(call):
                return None
            given = [maker.given_values(("base_url",)).first("base_url") for maker in makers.found]
            bases = tuple(text for each in given if each is not None for text in each.texts)
        node = _url_node(call, verb)
        if node is None:
            return None
        url = written(self._code, node)
        if bases:
            url = replace(
                url, texts=tuple(_joined(base, text) for base in bases for text in url.texts or (UNSEEN,))
            )
        shown = f"{full or shown_source(call.func)}()"
        return HttpRequest(
            self._code.source.location(call.func),
            shown,
            self._method(call, verb),
            url,
            self._body(call),
            self._hint(call),
        )

    def _hint(self, call: ast.Call) -> str:
        """Return the source of the call and of what it is given, where a token of Clarifai's may be."""
        given = (end for each in call.keywords for _, end in self._code.followed(each.value))
        return " ".join(ast.unparse(each) for each in (call, *given))

    def _is_http(self, call: ast.Call) -> bool:
        """Tell whether a call on something that is not in sight looks like an HTTP request of the platform."""
        node = _url_node(call, "post")
        return node is not None and any("/v2/" in each for each in texts_of(self._code, node))

    def _method(self, call: ast.Call, verb: str) -> str:
        if verb in _METHOD_FIRST:
            named = next((each.value for each in call.keywords if each.arg == "method"), None)
            node = named or (call.args[0] if call.args else None)
            texts = texts_of(self._code, node) if node is not None else []
            return texts[0].upper() if len(texts) == 1 and UNSEEN not in texts[0] else ""
        return "" if verb in ("Request", "urlopen", "urlretrieve") else verb.upper()

    def _body(self, call: ast.Call) -> WrittenValue | None:
        for name in _BODIES:
            node = next((each.value for each in call.keywords if each.arg == name), None)
            if node is not None:
                return self._json(node)
        is_plain = isinstance(call.func, ast.Attribute | ast.Name) and len(call.args) > 1
        last = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if is_plain and last in ("post", "put", "patch", "Request", "urlopen"):
            return self._json(call.args[1])
        return None

    def _json(self, node: ast.expr) -> WrittenValue:
        """Return the content of a body, also of one that is JSON in a text."""
        for code, end in self._code.followed(node):
            inner = _dumped(end)
            if inner is not None:
                return written(code, inner)
        return json_content(written(self._code, node))


def _dumped(node: ast.expr) -> ast.expr | None:
    """Return what ``json.dumps(…)`` makes text of, also with ``.encode()`` behind it."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr == "encode":
        return _dumped(node.func.value)
    name = ast.unparse(node.func)
    return node.args[0] if name.rpartition(".")[2] == "dumps" and node.args else None


def _url_node(call: ast.Call, verb: str) -> ast.expr | None:
    named = next((each.value for each in call.keywords if each.arg in ("url", "fullurl")), None)
    position = 1 if verb in _METHOD_FIRST else 0
    return named or (call.args[position] if len(call.args) > position else None)


def _joined(base: str, path: str) -> str:
    if "://" in path or UNSEEN in base:
        return path
    return urljoin(base.rstrip("/") + "/", path.lstrip("/"))
