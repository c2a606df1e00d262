"""Parses JavaScript, TypeScript and shell commands with tree-sitter, where that is installed."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.calls.client_kinds import TYPESCRIPT_SUFFIXES, ClientKind, client_kind
from clarifai_emulator.contracts.endpoints.embedded_code import EmbeddedCode
from clarifai_emulator.contracts.rules.finding import Location

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


class NoParser(Exception):
    """The parser is not installed: the light distribution asks for it in an extra only."""


class ForeignSource:
    """A file that is no Python, or code that stands in one, parsed. ``embedded``: that code; its places are told as
    those of the file."""

    def __init__(self, path: Path, content: bytes, embedded: EmbeddedCode | None = None) -> None:
        self.path = path
        code = embedded.text.encode(errors="replace") if embedded is not None else content
        self.content = code.removeprefix(codecs.BOM_UTF8)
        self.language = embedded.language if embedded is not None else _language(path)
        self.root = _parser(self.language).parse(self.content).root_node
        self._embedded = embedded
        self._lines = self.content.split(b"\n")

    @property
    def is_cut_off(self) -> bool:
        """Tell whether it is code in another file that has to do with the platform, and is not all understood."""
        return self._embedded is not None and self.root.has_error and b"clarifai" in self.content.lower()

    @property
    def first(self) -> Location:
        """Return where the first line of the code that is no assignment before it stands."""
        row = self._embedded.first_row if self._embedded is not None else 0
        place = self._place((row, 0))
        return Location(self.path, *place, *place)

    @functools.cached_property
    def nodes(self) -> list[Node]:
        """Return every node, from the outside in."""
        found = [self.root]
        for node in found:  # grows while it is walked
            found.extend(node.named_children)
        return found

    def text(self, node: Node) -> str:
        """Return the source of a node."""
        return self.content[node.start_byte : node.end_byte].decode(errors="replace")

    def shown(self, node: Node) -> str:
        """Return the source of a node, cut to what fits in a message."""
        return shortened(self.text(node))

    def location(self, node: Node, last: Node | None = None) -> Location:
        """Return where the node stands, in characters; up to the end of ``last``, where that is given."""
        end = last if last is not None else node
        return Location(self.path, *self._place(node.start_point), *self._place(end.end_point))

    def _place(self, point: tuple[int, int]) -> tuple[int, int]:
        row, column = point
        line = self._lines[row] if row < len(self._lines) else b""
        characters = len(line[:column].decode(errors="replace"))
        return self._embedded.place(row, characters) if self._embedded is not None else (row + 1, characters + 1)


def shortened(source: str) -> str:
    """Return source in one line, cut to what fits in a message."""
    text = " ".join(source.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def above(node: Node) -> Iterator[Node]:
    """Yield the nodes that hold a node, from the inside out."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _language(path: Path) -> str:
    if path.suffix.lower() in TYPESCRIPT_SUFFIXES:
        return "typescript"
    # JavaScript is read as TypeScript with elements: what both have means the same.
    return "tsx" if client_kind(path) is ClientKind.JAVASCRIPT else "bash"


@functools.cache
def _parser(language: str) -> Parser:
    try:
        import tree_sitter_bash
        import tree_sitter_typescript
        from tree_sitter import Language, Parser
    except ImportError:
        raise NoParser("what reads JavaScript, TypeScript and shell scripts is not installed") from None
    grammars = {
        "bash": tree_sitter_bash.language,
        "tsx": tree_sitter_typescript.language_tsx,
        "typescript": tree_sitter_typescript.language_typescript,
    }
    return Parser(Language(grammars[language]()))
