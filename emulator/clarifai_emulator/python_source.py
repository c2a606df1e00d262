"""Parses Python in one thread at a time.

Python before 3.11.8 and 3.12.2 counts the depth of what it parses for all threads together, and raises
``SystemError`` where another one parses meanwhile (python/cpython#106905).
"""

from __future__ import annotations

import ast
import threading

_turn = threading.RLock()


def parse_module(source: str | bytes, filename: str = "<unknown>") -> ast.Module:
    """Parse a file's text. Raises ``SyntaxError`` and what else ``ast.parse`` does."""
    with _turn:
        return ast.parse(source, filename)


def parse_expression(source: str) -> ast.Expression:
    """Parse one expression. Raises ``SyntaxError`` and what else ``ast.parse`` does."""
    with _turn:
        return ast.parse(source, mode="eval")
