"""Parses JavaScript, TypeScript and shell scripts with tree-sitter, where that is installed."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.calls.client_project import JAVASCRIPT_SUFFIXES
from clarifai_emulator.contracts.rules.finding import Location

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_TYPESCRIPT = (".ts", ".mts", ".cts")


class NoParser(Exception):
    """The parser is not installed: the light distribution asks for it in an extra only."""


class ForeignSource:
    """A file that is no Python, parsed."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self.content = content
        self.root = _parser(_language(path)).parse(content).root_node
        self._lines = content.split(b"\n")

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
        text = " ".join(self.text(node).split())
        return text if len(text) <= 60 else f"{text[:59]}…"

    def location(self, node: Node) -> Location:
        """Return where the node stands, in characters."""
        start, end = node.start_point, node.end_point
        return Location(self.path, start[0] + 1, self._column(start), end[0] + 1, self._column(end))

    def _column(self, point: tuple[int, int]) -> int:
        line = self._lines[point[0]] if point[0] < len(self._lines) else b""
        return len(line[: point[1]].decode(errors="replace")) + 1


def is_javascript(path: Path) -> bool:
    """Tell whether the file is JavaScript or TypeScript, by its name."""
    return path.suffix in JAVASCRIPT_SUFFIXES


def above(node: Node) -> Iterator[Node]:
    """Yield the nodes that hold a node, from the inside out."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _language(path: Path) -> str:
    if path.suffix in _TYPESCRIPT:
        return "typescript"
    # JavaScript is read as TypeScript with elements: what both have means the same.
    return "tsx" if path.suffix in JAVASCRIPT_SUFFIXES else "bash"


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
