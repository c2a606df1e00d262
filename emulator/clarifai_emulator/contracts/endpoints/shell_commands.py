"""Finds the HTTP requests of shell commands: ``curl``, through variables and here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.endpoints.http_request import HttpRequest
from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource, shortened
from clarifai_emulator.contracts.endpoints.written_value import (
    MOST_TEXTS,
    UNSEEN,
    WrittenValue,
    json_content,
    known_value,
    unknown_value,
)
from clarifai_emulator.contracts.rules.finding import Location

if TYPE_CHECKING:
    from tree_sitter import Node

_BODIES = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_METHODS = frozenset({"-X", "--request"})
# Options of curl that a value follows: it is no URL.
_WITH_VALUE = frozenset(
    {
        *_BODIES,
        *_METHODS,
        *("--url", "--header", "--output", "--user", "--user-agent", "--cookie", "--max-time", "--connect-timeout"),
        *("--write-out", "--proxy", "--retry", "--retry-delay", "--form", "--upload-file", "--cacert", "--cert"),
        *("--key", "--resolve", "--config", "--referer", "--range", "--oauth2-bearer", "--data-urlencode"),
        *(f"-{each}" for each in "AbcCDeEFHKmoPQrtTuUwxyYz"),
    }
)
_BARE = re.compile(f"(?<=[:\\[,])\\s*{UNSEEN}\\s*(?=[,}}\\]])")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a command. ``texts``: what it may stand for; ``written``: its source; ``shown``: the same, cut
    short."""

    location: Location
    texts: tuple[str, ...]
    written: str
    shown: str


@dataclass(slots=True)
class _Curl:
    """The words of a command, sorted."""

    url: _Word | None = None
    body: _Word | None = None
    method: str = ""
    headers: list[str] = field(default_factory=list[str])


class ShellCommands:
    """Finds them in one file."""

    def __init__(self, source: ForeignSource) -> None:
        self._source = source

    @cached_property
    def _variables(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self._source.nodes:
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if node.type == "variable_assignment" and name is not None and value is not None:
                found.setdefault(self._source.text(name), []).append(value)
        return found

    def requests(self) -> Iterator[HttpRequest]:
        """Yield every request that curl sends, wherever it goes."""
        for node in self._source.nodes:
            name = node.child_by_field_name("name") if node.type == "command" else None
            if name is not None and self._is_curl(name):
                yield from self._request(node)

    def _is_curl(self, name: Node) -> bool:
        """Tell whether a command is curl: by its name, also in quotes, or in a variable with options behind it."""
        texts = self._texts(name.named_children[0]) if name.named_children else [self._source.text(name)]
        return any(text.split()[:1] and text.split()[0].rpartition("/")[2] == "curl" for text in texts)

    def _request(self, command: Node) -> Iterator[HttpRequest]:
        curl = _sorted(list(self._words(command.children_by_field_name("argument"))))
        if curl.url is None:
            return
        word = curl.url
        is_known = UNSEEN not in "".join(word.texts)
        url = WrittenValue(word.location, texts=word.texts, is_known=is_known, shown=word.shown)
        body = self._body(curl.body, command) if curl.body is not None else None
        method = curl.method or ("POST" if body is not None else "GET")
        hint = " ".join([*curl.headers, word.written])
        yield HttpRequest(self._source.location(command), "curl", method, url, body, hint)

    def _words(self, nodes: Sequence[Node]) -> Iterator[_Word]:
        """Yield the words. The grammar takes apart what stands behind a variable: `$HOST/$NAME` and `/rest`."""
        groups: list[list[Node]] = []
        for node in nodes:
            if groups and groups[-1][-1].end_byte == node.start_byte:
                groups[-1].append(node)
            else:
                groups.append([node])
        for group in groups:
            texts = self._texts(group[0])
            for node in group[1:]:
                texts = [text for before in texts for text in self._joined(before, node)][:MOST_TEXTS]
            written = "".join(self._source.text(each) for each in group)
            location = self._source.location(group[0], group[-1])
            yield _Word(location, tuple(texts), written, shortened(written))

    def _joined(self, before: str, node: Node) -> list[str]:
        name = re.match(r"[A-Za-z_]\w*", self._source.text(node)) if before.endswith("$") else None
        if name is None:
            return [f"{before}{text}" for text in self._texts(node)]
        rest = self._source.text(node)[name.end() :]
        return [f"{before[:-1]}{text}{rest}" for text in self._values(name[0], 1)]

    def _body(self, word: _Word, command: Node) -> WrittenValue:
        texts = list(word.texts)
        if texts == ["@-"]:
            texts = self._here(command)
        if len(texts) != 1 or texts[0].startswith("@"):
            return unknown_value(word.location, "it is read from a file", word.shown)
        # A variable that stands for a number or an object: "max_tokens": $N
        text = _BARE.sub(f' "{UNSEEN}"', texts[0])
        return json_content(known_value(text, word.location, word.shown))

    def _here(self, command: Node) -> list[str]:
        """Return the here-document that is sent."""
        parent = command.parent
        for each in parent.named_children if parent is not None and parent.type == "redirected_statement" else ():
            for body in each.named_children if each.type == "heredoc_redirect" else ():
                if body.type == "heredoc_body":
                    start = next((one for one in each.named_children if one.type == "heredoc_start"), None)
                    is_plain = start is not None and self._source.text(start).startswith(("'", '"'))
                    return [self._source.text(body)] if is_plain else [self._replaced(body)]
        return [UNSEEN]

    def _replaced(self, node: Node) -> str:
        """Return the text of a node, with what its variables stand for."""
        data, position = self._source.content, node.start_byte
        parts: list[str] = []
        for child in node.named_children:
            if child.type in ("simple_expansion", "expansion", "command_substitution"):
                parts += [data[position : child.start_byte].decode(errors="replace"), self._texts(child)[0]]
                position = child.end_byte
        return "".join([*parts, data[position : node.end_byte].decode(errors="replace")])

    def _texts(self, node: Node, depth: int = 0) -> list[str]:
        if depth > 6:
            return [UNSEEN]
        if node.type == "raw_string":
            return [self._source.text(node)[1:-1]]
        if node.type == "string":
            return [self._replaced(node)[1:-1].replace('\\"', '"').replace("\\$", "$").replace("\\\n", "")]
        if node.type == "concatenation":
            return ["".join(self._texts(each, depth + 1)[0] for each in node.children)]
        if node.type in ("simple_expansion", "expansion"):
            return self._expanded(node, depth)
        if node.type in ("command_substitution", "process_substitution"):
            return [UNSEEN]
        return [self._source.text(node)]

    def _expanded(self, node: Node, depth: int) -> list[str]:
        name = next((self._source.text(each) for each in node.named_children if each.type == "variable_name"), "")
        if name in self._variables:
            return self._values(name, depth)
        # ${NAME:-default}
        default = [each for each in node.named_children if each.type != "variable_name"]
        is_default = any(each.type in (":-", "-", ":=") for each in node.children)
        return self._texts(default[0], depth + 1) if is_default and default else [UNSEEN]

    def _values(self, name: str, depth: int) -> list[str]:
        """Return what a variable may stand for."""
        return [text for each in self._variables.get(name, ()) for text in self._texts(each, depth + 1)] or [UNSEEN]


def _sorted(words: Sequence[_Word]) -> _Curl:
    """Sort the words behind `curl` by what they are to it."""
    curl = _Curl()
    waiting = ""
    for word in words:
        text = word.texts[0]
        if waiting:
            _take(curl, waiting, word)
            waiting = ""
        elif text.startswith("--"):
            option, is_joined, _ = text.partition("=")
            waiting = option if option in _WITH_VALUE and not is_joined else ""
        elif text.startswith("-") and len(text) > 1:
            # -sSfX POST, -XPOST, -d'{…}'
            index = next((at for at, each in enumerate(text) if at and f"-{each}" in _WITH_VALUE), None)
            if index is not None and index + 1 == len(text):
                waiting = f"-{text[index]}"
            elif index is not None:
                rest = tuple(each[index + 1 :] for each in word.texts)
                _take(curl, f"-{text[index]}", replace(word, texts=rest))
        elif curl.url is None and any(each in text for each in ("/", ".", UNSEEN)):
            curl.url = word
    return curl


def _take(curl: _Curl, option: str, value: _Word) -> None:
    if option in _BODIES:
        curl.body = value
    elif option in _METHODS:
        curl.method = value.texts[0].upper()
    elif option == "--url":
        curl.url = value
    else:
        curl.headers.append(value.written)
