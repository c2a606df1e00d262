"""Writes what a finding advises as a change of the client's text, where that is clear."""

from __future__ import annotations

import ast
import re
from typing import Any

from clarifai_emulator.contracts.calls.client_source import Position, Source
from clarifai_emulator.contracts.rules.finding import Edit
from clarifai_emulator.spelling import nearest

_BETWEEN = re.compile(r"\s*,\s*")
# What binds tighter than `await`: the expression needs brackets there.
_TIGHTER = ast.Attribute | ast.Subscript


class Edits:
    """Changes of one file. Each is ``None`` where the text does not allow it: nothing is changed by guess."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def replaced(self, node: ast.expr, text: str) -> Edit:
        """Write ``text`` where the expression stands."""
        return self._edit(self._source.start(node), self._source.end(node), text)

    def renamed(self, keyword: ast.keyword, name: str) -> Edit | None:
        """Give an argument by another name."""
        if not name or keyword.arg is None:
            return None
        line, column = self._source.start(keyword)
        return self._edit((line, column), (line, column + len(keyword.arg)), name)

    def renamed_attribute(self, end: Position, old: str, name: str) -> Edit | None:
        """Write ``name`` for the attribute ``old`` that ends there."""
        start = (end[0], end[1] - len(old))
        return self._edit(start, end, name) if name and self._source.between(start, end) == old else None

    def named(self, node: ast.expr, name: str) -> Edit:
        """Give an argument by its name."""
        start = self._source.start(node)
        return self._edit(start, start, f"{name}=")

    def called(self, node: ast.expr) -> Edit:
        """Call what is only named."""
        end = self._source.end(node)
        return self._edit(end, end, "()")

    def wrapped(self, node: ast.expr, before: str, behind: str) -> Edit:
        """Put the expression between ``before`` and ``behind``."""
        return self.replaced(node, f"{before}{self.text(node)}{behind}")

    def quoted(self, node: ast.expr, text: str) -> Edit | None:
        """Write another text where a text is written out; as the client quotes it."""
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            return None
        quote = self.text(node)[:1]
        plain = quote in ("'", '"') and self.text(node) == f"{quote}{node.value}{quote}" and quote not in text
        return self.replaced(node, f"{quote}{text}{quote}") if plain else None

    def without_prefix(self, node: ast.expr) -> Edit | None:
        """Write plain text of ASCII characters as a str instead of bytes."""
        text = self.text(node)
        is_plain = isinstance(node, ast.Constant) and re.fullmatch(r"""b(['"])[^\\'"]*\1""", text) is not None
        return self.replaced(node, text[1:]) if is_plain else None

    def without(self, call: ast.Call, first: ast.expr | ast.keyword, last: ast.expr | ast.keyword) -> Edit | None:
        """Remove arguments from a call, from ``first`` to ``last``."""
        given = sorted([*call.args, *call.keywords], key=self._source.start)
        begin, end = given.index(first), given.index(last)
        if begin > 0:
            before = given[begin - 1]
            plain = self._is_comma(self._source.end(before), self._source.start(first))
            return self._edit(self._source.end(before), self._source.end(last), "") if plain else None
        if end + 1 < len(given):
            behind = self._source.start(given[end + 1])
            plain = self._is_comma(self._source.end(last), behind)
            return self._edit(self._source.start(first), behind, "") if plain else None
        start = self._source.end(call.func)
        inside = self._source.between(start, self._source.end(call))
        return self._edit(start, self._source.end(call), "()") if inside.startswith("(") else None

    def awaited(self, node: ast.expr, text: str) -> Edit:
        """Write an expression that begins with `await`."""
        outer = self._source.parents.get(node)
        tighter = isinstance(outer, _TIGHTER) and outer.value is node
        return self.replaced(node, f"({text})" if tighter else text)

    def of_value(self, rule: str, call: ast.Call, node: ast.expr, field: Any) -> Edit | None:
        """Mend an argument whose value breaks the rule, where one change of its text does. ``field``: its
        parameter."""
        if rule == "none-argument":
            keyword = next((each for each in call.keywords if each.value is node), None)
            return self.without(call, keyword, keyword) if keyword is not None else None
        if not isinstance(node, ast.Constant):
            return None
        if rule == "bytes-for-text":
            return self.without_prefix(node)
        if rule == "text-for-list":
            return self.wrapped(node, "[", "]")
        if rule == "bool-for-number":
            return self.replaced(node, str(int(bool(node.value))))
        if rule == "not-a-choice":
            near = nearest(str(node.value), [str(each.id) for each in field.model_type_enum_options])
            return self.quoted(node, near) if near else None
        return None

    def text(self, node: ast.expr) -> str:
        """Return the expression as the client writes it."""
        return self._source.between(self._source.start(node), self._source.end(node))

    def _is_comma(self, start: Position, end: Position) -> bool:
        return _BETWEEN.fullmatch(self._source.between(start, end)) is not None

    def _edit(self, start: Position, end: Position, text: str) -> Edit:
        return Edit(self._source.located(start, end), text)
