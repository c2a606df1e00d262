"""Decides which branches of a module run, as far as its source tells, and names what only running it would decide.

    source ─► branches that cannot run are blanked, line for line ─► source for griffe
           ─► names that are bound in a branch that may run ─► said as not known

Conditions that are decided: constants, ``TYPE_CHECKING``, ``__name__``, ``sys.version_info``, ``sys.platform``, and
imports in a ``try`` that expects them to fail.
"""

from __future__ import annotations

import ast
import importlib.util
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

IsThere = Callable[[str], bool]
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "GtE": operator.ge,
    "Gt": operator.gt,
    "LtE": operator.le,
    "Lt": operator.lt,
}
_EXPECTED = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(slots=True)
class Flow:
    """The part of a module that runs. ``source``: with everything else blanked. ``doubtful``: what is bound where
    only running it decides, by its place: ``name``, or ``Class.name``, with the reason. ``changed``: classes that
    are changed after they were made, and how."""

    source: str
    doubtful: Mapping[str, str] = field(default_factory=dict[str, str])
    changed: Mapping[str, str] = field(default_factory=dict[str, str])


def flow_of(text: str, tree: ast.Module, is_there: IsThere) -> Flow:
    """Look at a module. ``is_there``: whether a top-level module can be imported."""
    walk = _Walk(text.splitlines(keepends=True), is_there)
    walk.body(tree.body, "")
    return Flow("".join(walk.lines), walk.doubtful, dict(_changes(tree)))


def installed(name: str) -> bool:
    """Tell whether a top-level module can be imported by this interpreter."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


class _Walk:
    def __init__(self, lines: list[str], is_there: IsThere) -> None:
        self.lines = lines
        self.doubtful: dict[str, str] = {}
        self._is_there = is_there

    def body(self, nodes: Sequence[ast.stmt], scope: str) -> None:
        for node in nodes:
            if isinstance(node, ast.If):
                self._if(node, scope)
            elif isinstance(node, ast.Try):
                self._try(node, scope)
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                self.body(node.body, scope)
            elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
                self._doubt([*node.body, *node.orelse], scope, f"in the loop of line {node.lineno}")
            elif isinstance(node, ast.Match):
                inner = [each for case in node.cases for each in case.body]
                self._doubt(inner, scope, f"in the match of line {node.lineno}")
            elif isinstance(node, ast.ClassDef) and not scope:
                self.body(node.body, f"{node.name}.")

    def _if(self, node: ast.If, scope: str) -> None:
        decided = _decided(node.test)
        if decided is None:
            reason = f"under the condition of line {node.lineno}, `{ast.unparse(node.test)[:60]}`"
            self._doubt([*node.body, *node.orelse], scope, reason)
            return
        self._blank(node.orelse if decided else node.body)
        self.body(node.body if decided else node.orelse, scope)

    def _try(self, node: ast.Try, scope: str) -> None:
        handled = [each for handler in node.handlers for each in handler.body]
        runs = self._runs(node)
        if runs is None:
            names = {*_bound(handled), *_definitions(node.body)}
            self._name(names, scope, f"in the try of line {node.lineno}")
        elif runs:
            self._blank(handled)
            self.body([*node.body, *node.orelse], scope)
        else:
            self._blank([*node.body, *node.orelse])
            self.body(handled, scope)
        self.body(node.finalbody, scope)

    def _runs(self, node: ast.Try) -> bool | None:
        """Tell whether the body of a try runs to its end; None where only running it tells."""
        imports = [each for each in node.body if isinstance(each, (ast.Import, ast.ImportFrom))]
        expects = all(handler.type is None or set(_names(handler.type)) <= _EXPECTED for handler in node.handlers)
        if len(imports) != len(node.body) or not expects:
            return None if _bound(node.body) or any(_bound(each.body) for each in node.handlers) else True
        return all(self._is_there(name) for each in imports for name in _imported(each))

    def _doubt(self, nodes: Sequence[ast.stmt], scope: str, reason: str) -> None:
        self._name(_bound(nodes), scope, reason)

    def _name(self, names: Sequence[str] | set[str], scope: str, reason: str) -> None:
        for name in names:
            self.doubtful.setdefault(f"{scope}{name}", reason)

    def _blank(self, nodes: Sequence[ast.stmt]) -> None:
        """Take statements out of the source, and leave every line where it is."""
        if not nodes:
            return
        first, last = nodes[0], nodes[-1]
        start = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", ()))])
        head = self.lines[start - 1]
        column = len(head) - len(head.lstrip()) if start != first.lineno else _characters(head, first.col_offset)
        tail = self.lines[(last.end_lineno or start) - 1]
        ending = _characters(tail, last.end_col_offset or 0)
        self.lines[start - 1] = head[:column] + "pass" + ("\n" if last.end_lineno != start else tail[ending:])
        for number in range(start, last.end_lineno or start):
            self.lines[number] = "\n"


def _characters(line: str, offset: int) -> int:
    """Turn an offset in bytes, as the syntax tree has it, into one in characters."""
    return len(line.encode()[:offset].decode(errors="ignore"))


def _decided(test: ast.expr) -> bool | None:
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _decided(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        values = [_decided(each) for each in test.values]
        short = isinstance(test.op, ast.Or)
        if short in values:
            return short
        return None if None in values else not short
    text = ast.unparse(test)
    if text in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        return False
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(ast.unparse(test.left), test.ops[0], test.comparators[0])
    return None


def _compared(left: str, sign: ast.cmpop, right: ast.expr) -> bool | None:
    known = {"__name__": "model", "sys.version_info": tuple(sys.version_info), "sys.platform": sys.platform}
    known |= {"sys.version_info[0]": sys.version_info[0], "sys.version_info.major": sys.version_info[0]}
    try:
        value = ast.literal_eval(right)
    except ValueError:
        return None
    if left not in known or type(value) is not type(known[left]):
        return None
    here = known[left]
    compare = _SIGNS.get(type(sign).__name__)
    return compare(here, value) if compare is not None else None


def _names(expression: ast.expr) -> Iterator[str]:
    for each in expression.elts if isinstance(expression, ast.Tuple) else [expression]:
        yield ast.unparse(each).rpartition(".")[2]


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (each.name.partition(".")[0] for each in node.names)
    elif node.module and not node.level:
        yield node.module.partition(".")[0]


def _bound(nodes: Sequence[ast.stmt]) -> list[str]:
    """Return the names that statements give a value, those in inner branches too."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [(each.asname or each.name).partition(".")[0] for each in node.names]
        else:
            found += [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and _is_stored(each)]
            found += [each.name for each in ast.walk(node) if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    return found


def _definitions(nodes: Sequence[ast.stmt]) -> list[str]:
    return [each.name for each in nodes if isinstance(each, (ast.FunctionDef, ast.ClassDef))]


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, (ast.Store, ast.Del))


def _changes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield classes that statements of the module change after they were made."""
    for node in tree.body:
        for each in ast.walk(node) if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) else ():
            if isinstance(each, ast.Attribute) and isinstance(each.ctx, (ast.Store, ast.Del)):
                if isinstance(each.value, ast.Name):
                    yield each.value.id, f"line {each.lineno} sets or deletes its {each.attr}"
            elif isinstance(each, ast.Call) and each.args and isinstance(each.args[0], ast.Name):
                if ast.unparse(each.func) in ("setattr", "delattr"):
                    yield each.args[0].id, f"line {each.lineno} changes it with {ast.unparse(each.func)}()"
            elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Del):
                yield each.id, f"line {each.lineno} deletes it"
            elif isinstance(each, ast.Call) and ast.unparse(each.func) in ("exec", "globals", "vars"):
                yield "", f"line {each.lineno} calls {ast.unparse(each.func)}()"
