"""Finds the calls that made an object of a client, through functions, wrappers and copies."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, replace

from clarifai_emulator.contracts.endpoints.client_code import DEEPEST, ClientCode
from clarifai_emulator.contracts.endpoints.written_python import arguments
from clarifai_emulator.contracts.endpoints.written_value import GivenValues

_COPIES = frozenset({"with_options", "copy", "with_raw_response", "with_streaming_response"})
# What they are given they give back: `await stack.enter_async_context(ClientSession(…))`.
_ENTERED = frozenset({"enter_async_context", "enter_context"})


@dataclass(frozen=True, slots=True)
class Maker:
    """The call that made an object. ``copies``: calls that changed some of its arguments, the latest first.
    ``is_wrapped``: another package has put something around it."""

    code: ClientCode
    call: ast.Call
    copies: tuple[tuple[ClientCode, ast.Call], ...] = ()
    is_wrapped: bool = False

    def given_values(self, positions: tuple[str, ...] = ()) -> GivenValues:
        """Return what it was made with, by name."""
        made = arguments(self.code, self.call, positions)
        values, is_whole = dict(made.values), made.is_whole
        for code, call in reversed(self.copies):
            more = arguments(code, call)
            values.update(more.values)
            is_whole = is_whole and more.is_whole
        return GivenValues(values, is_whole)

    @property
    def source(self) -> str:
        """Return the source of the calls."""
        return " ".join(ast.unparse(call) for call in (self.call, *(call for _, call in self.copies)))


@dataclass(frozen=True, slots=True)
class Makers:
    """Everything that an object may come from. ``is_whole``: nothing else is possible, as far as the source says.
    ``others``: full names of what was called instead of one of the wanted names."""

    found: tuple[Maker, ...]
    is_whole: bool
    others: tuple[str, ...] = ()


def makers_of(code: ClientCode, node: ast.expr, wanted: Collection[str]) -> Makers:
    """Find the calls of ``wanted`` (full names) that the object may come from."""
    search = _Search(wanted)
    search.look(code, node, _Way())
    return Makers(tuple(search.found), search.is_whole, tuple(search.others))


@dataclass(frozen=True, slots=True)
class _Way:
    """Says how the search came to an expression: past which copies, through a wrapper or not, in how many steps."""

    copies: tuple[tuple[ClientCode, ast.Call], ...] = ()
    is_wrapped: bool = False
    depth: int = 0


class _Search:
    def __init__(self, wanted: Collection[str]) -> None:
        self.found: list[Maker] = []
        self.others: list[str] = []
        self.is_whole = True
        self._wanted = wanted
        self._seen: set[ast.expr] = set()

    def look(self, code: ClientCode, node: ast.expr, way: _Way) -> None:
        for other, end in code.followed(node):
            if end in self._seen or way.depth > DEEPEST:
                continue
            self._seen.add(end)
            self._end(other, end, replace(way, depth=way.depth + 1))

    def _end(self, code: ClientCode, node: ast.expr, way: _Way) -> None:
        if isinstance(node, ast.Attribute) and node.attr in _COPIES:
            self.look(code, node.value, way)
        elif isinstance(node, ast.BoolOp):
            for each in node.values:
                self.look(code, each, way)
        elif isinstance(node, ast.Subscript):
            self._element(code, node, way)
        elif isinstance(node, ast.Call):
            self._call(code, node, way)
        elif not (isinstance(node, ast.Constant) and node.value is None):
            self.is_whole = False

    def _element(self, code: ClientCode, node: ast.Subscript, way: _Way) -> None:
        for other, end in code.followed(node.value):
            if isinstance(end, ast.Dict):
                for value in end.values:
                    self.look(other, value, way)
            elif isinstance(end, ast.List | ast.Tuple):
                for value in end.elts:
                    self.look(other, value, way)
            else:
                self.is_whole = False

    def _call(self, code: ClientCode, node: ast.Call, way: _Way) -> None:
        name = code.name_of(node.func)
        if name in self._wanted:
            self.found.append(Maker(code, node, way.copies, way.is_wrapped))
            return
        if isinstance(node.func, ast.Attribute) and node.func.attr in _ENTERED and node.args:
            self.look(code, node.args[0], way)
            return
        if isinstance(node.func, ast.Attribute) and node.func.attr in _COPIES and not name:
            self.look(code, node.func.value, replace(way, copies=(*way.copies, (code, node))))
            return
        made = code.definition(node.func)
        if made is not None:
            self._made(made.code, made.node, way)
        elif name:
            self._wrapped(code, node, name, way)
        else:
            self.is_whole = False

    def _made(
        self, code: ClientCode, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, way: _Way
    ) -> None:
        returned = code.returned(node) if not isinstance(node, ast.ClassDef) else []
        for other, value in returned:
            self.look(other, value, way)
        if not returned:
            self.is_whole = False

    def _wrapped(self, code: ClientCode, node: ast.Call, name: str, way: _Way) -> None:
        """Look into what another package was given: ``instructor.from_openai(OpenAI(…))``."""
        before, was_whole = len(self.found), self.is_whole
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.look(code, each, replace(way, is_wrapped=True))
        self.is_whole = was_whole
        if len(self.found) == before:
            self.others.append(name)
