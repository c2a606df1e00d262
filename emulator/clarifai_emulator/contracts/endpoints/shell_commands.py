"""Finds the HTTP requests of a shell script: ``curl``, through variables and here-documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.endpoints.http_python import json_value
from clarifai_emulator.contracts.endpoints.http_request import HttpRequest
from clarifai_emulator.contracts.endpoints.syntax_trees import ForeignSource
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue, known_value, unknown_value

if TYPE_CHECKING:
    from tree_sitter import Node

_BODIES = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_METHODS = frozenset({"-X", "--request"})
# Options of curl that a value follows, beside those: it is no URL.
_WITH_VALUE = frozenset(
    {
        *("-H", "--header", "-o", "--output", "-u", "--user", "-A", "--user-agent", "-b", "--cookie", "-c", "-e"),
        *(
            "-m",
            "--max-time",
            "--connect-timeout",
            "-w",
            "--write-out",
            "-x",
            "--proxy",
            "--retry",
            "--retry-delay",
        ),
        *("-F", "--form", "-T", "--upload-file", "--cacert", "--cert", "--key", "-K", "--resolve", "-D", "-r"),
    }
)
_BARE = re.compile(f"(?<=[:\\[,])\\s*{UNSEEN}\\s*(?=[,}}\\]])")


@dataclass(slots=True)
class _Curl:
    """The words of a command, sorted."""

    url: Node | None = None
    body: Node | None = None
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
            if name is not None and self._source.text(name).rpartition("/")[2] == "curl":
                yield from self._request(node)

    def _request(self, command: Node) -> Iterator[HttpRequest]:
        curl = self._sorted(command.children_by_field_name("argument"))
        if curl.url is None:
            return
        where = self._source.location(curl.url)
        texts = tuple(self._texts(curl.url))
        is_known = UNSEEN not in "".join(texts)
        url = WrittenValue(where, texts=texts, is_known=is_known, shown=self._source.shown(curl.url))
        body = self._body(curl.body, command) if curl.body is not None else None
        method = curl.method or ("POST" if body is not None else "GET")
        hint = " ".join([*curl.headers, self._source.text(curl.url)])
        yield HttpRequest(self._source.location(command), "curl", method, url, body, hint)

    def _sorted(self, words: Sequence[Node]) -> _Curl:
        curl = _Curl()
        waiting = ""
        for word in words:
            text = self._texts(word)[0]
            option, is_joined, _ = text.partition("=") if text.startswith("--") else (text, "", "")
            if waiting:
                self._option(curl, waiting, word)
                waiting = ""
            elif option in _BODIES | _METHODS | _WITH_VALUE | {"--url"} and not is_joined:
                waiting = option
            elif text[:2] in ("-d", "-X", "-H") and len(text) > 2:
                curl.method = text[2:].upper() if text.startswith("-X") else curl.method
                curl.body = word if text.startswith("-d") else curl.body
            elif not text.startswith("-") and curl.url is None:
                curl.url = word
        return curl

    def _option(self, curl: _Curl, option: str, word: Node) -> None:
        if option in _BODIES:
            curl.body = word
        elif option in _METHODS:
            curl.method = self._texts(word)[0].upper()
        elif option == "--url":
            curl.url = word
        else:
            curl.headers.append(self._source.text(word))

    def _body(self, word: Node, command: Node) -> WrittenValue:
        where, shown = self._source.location(word), self._source.shown(word)
        texts = [text.removeprefix("-d") for text in self._texts(word)]
        if texts == ["@-"]:
            texts = self._here(command)
        if len(texts) != 1 or texts[0].startswith("@"):
            return unknown_value(where, "it is read from a file", shown)
        # A variable that stands for a number or an object: "max_tokens": $N
        text = _BARE.sub(f' "{UNSEEN}"', texts[0])
        return json_value(known_value(text, where, shown))

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
        values = self._variables.get(name, [])
        if values:
            return [text for each in values for text in self._texts(each, depth + 1)]
        # ${NAME:-default}
        default = [each for each in node.named_children if each.type != "variable_name"]
        is_default = any(each.type in (":-", "-", ":=") for each in node.children)
        return self._texts(default[0], depth + 1) if is_default and default else [UNSEEN]
