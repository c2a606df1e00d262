"""Reads a Python client: full names of what it calls, and what names are bound to, also in other modules."""

from __future__ import annotations

import ast
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, Modules
from clarifai_emulator.contracts.endpoints.given_arguments import Function, given_arguments

DEEPEST = 12
_CHANGING = frozenset({"update", "append", "extend", "pop", "insert", "clear", "setdefault", "remove"})
Bound = ast.expr | ast.alias | None


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or a function of the project, in the file that defines it."""

    code: ClientCode
    node: ast.ClassDef | Function


class ClientCode:
    """A Python file of the project, read."""

    def __init__(self, source: Source, modules: Modules) -> None:
        self.source = source
        self.modules = modules
        self.evaluator = Evaluator(source, modules)
        # Texts of expressions, while and after they are found; see ``written_python.py``.
        self.texts: dict[ast.expr, list[str]] = {}
        # What is looked at now: a name may be bound to what is read from it, and two classes be each other's base.
        self._open: set[ast.AST] = set()
        self._others: dict[int, ClientCode] = {}
        self._attributes: dict[ast.ClassDef, dict[str, list[tuple[ClientCode, ast.expr]]]] = {}

    @cached_property
    def called_names(self) -> Mapping[str, list[ast.Call]]:
        """Return the calls of the file by the last name of what they call."""
        found: dict[str, list[ast.Call]] = {}
        for call in self.source.calls:
            function = call.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            found.setdefault(str(name), []).append(call)
        return found

    @cached_property
    def changed_names(self) -> frozenset[str]:
        """Return the names of objects that the file puts something into after they were made."""
        found: set[str] = set()
        for each in self.source.nodes:
            holder: ast.AST | None = None
            if (isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Store | ast.Del)) or (
                isinstance(each, ast.Attribute) and each.attr in _CHANGING
            ):
                holder = each.value
            while isinstance(holder, ast.Subscript):
                holder = holder.value
            if isinstance(holder, ast.Name):
                found.add(holder.id)
        return frozenset(found)

    def name_of(self, node: ast.expr, depth: int = 0) -> str:
        """Return the full name of something that another package has (``openai.OpenAI``); empty for anything
        else."""
        if depth > DEEPEST:
            return ""
        if isinstance(node, ast.Attribute):
            inner = self.name_of(node.value, depth + 1)
            return f"{inner}.{node.attr}" if inner else ""
        bound = self.evaluator.bound(node) if isinstance(node, ast.Name) else None
        for value in bound[1] if bound else ():
            name = self._bound_name(value, bound[0], depth) if bound else ""
            if name:
                return name
        return ""

    def _bound_name(self, value: Bound, scope: ast.AST, depth: int) -> str:
        if isinstance(value, ast.Name | ast.Attribute):
            return self.name_of(value, depth + 1)
        if not isinstance(value, ast.alias):
            return ""
        statement = self.evaluator.bindings(scope).froms[value]
        if isinstance(statement, ast.Import):
            own = self.modules.find(value.name, 0, self.source) is not None
            return "" if own else value.name if value.asname else value.name.partition(".")[0]
        other = self._module(statement.module or "", statement.level)
        if other is not None:
            return other._name_at_top(value.name, depth + 1)
        return f"{statement.module}.{value.name}" if not statement.level else ""

    def _name_at_top(self, name: str, depth: int) -> str:
        names = self.evaluator.bindings(self.source.tree).names
        found = (self._bound_name(each, self.source.tree, depth) for each in names.get(name, ()))
        return next((each for each in found if each), "") if depth <= DEEPEST else ""

    def definition(self, node: ast.expr) -> Definition | None:
        """Return the class or function of the project that the expression names."""
        if isinstance(node, ast.Attribute):
            module = self.module_of(node.value)
            if module is not None:
                return module._defined(module.source.tree, node.attr)
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                holder = self.class_of(node)
                return self._defined(holder, node.attr) if holder is not None else None
        bound = self.evaluator.bound(node) if isinstance(node, ast.Name) else None
        return self._defined(bound[0], node.id) if bound and isinstance(node, ast.Name) else None

    def _defined(self, scope: ast.AST, name: str, depth: int = 0) -> Definition | None:
        for value in self.evaluator.bindings(scope).names.get(name, ()):
            if isinstance(value, ast.alias):
                statement = self.evaluator.bindings(scope).froms[value]
                other = self._from(statement)
                return (
                    other._defined(other.source.tree, value.name, depth + 1) if other and depth < DEEPEST else None
                )
        for node in self.source.inside[scope]:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                return Definition(self, node)
        return None

    def module_of(self, node: ast.expr) -> ClientCode | None:
        """Return the module of the project that the expression names."""
        bound = self.evaluator.bound(node) if isinstance(node, ast.Name) else None
        for value in bound[1] if bound else ():
            if isinstance(value, ast.alias) and bound:
                statement = self.evaluator.bindings(bound[0]).froms[value]
                if isinstance(statement, ast.Import):
                    return self._module(value.name if value.asname else value.name.partition(".")[0], 0)
                base = statement.module
                return self._module(f"{base}.{value.name}" if base else value.name, statement.level)
        return None

    def _from(self, statement: ast.Import | ast.ImportFrom) -> ClientCode | None:
        return (
            self._module(statement.module or "", statement.level) if isinstance(statement, ast.ImportFrom) else None
        )

    def _module(self, name: str, level: int) -> ClientCode | None:
        source = self.modules.find(name, level, self.source)
        if source is None or source is self.source:
            return None
        if id(source) not in self._others:
            try:
                _ = source.nodes
            except (SyntaxError, ValueError, RecursionError):
                return None
            self._others[id(source)] = ClientCode(source, self.modules)
        return self._others[id(source)]

    def bound_values(self, node: ast.Name) -> list[tuple[ClientCode, ast.expr]]:
        """Return every expression that the name may stand for, as far as the source says."""
        bound = self.evaluator.bound(node)
        if bound is None:
            return []
        scope, values = bound
        if node.id in self.source.global_names:
            scope = self.source.tree
            return [*self._values(scope, node.id), *self._set_by_functions(node.id)]
        latest = self._latest(node, scope, values)
        return [(self, latest)] if latest is not None else self._values(scope, node.id)

    def _values(self, scope: ast.AST, name: str, depth: int = 0) -> list[tuple[ClientCode, ast.expr]]:
        found: list[tuple[ClientCode, ast.expr]] = []
        bindings = self.evaluator.bindings(scope)
        for value in bindings.names.get(name, ()):
            if isinstance(value, ast.alias):
                other = self._from(bindings.froms[value])
                if other is not None and depth < DEEPEST:
                    found += other._values(other.source.tree, value.name, depth + 1)
            elif value is not None:
                found.append((self, value))
        return [*found, *((self, each) for each in self._otherwise(scope, name))]

    def _latest(self, node: ast.Name, scope: ast.AST, values: list[Bound]) -> ast.expr | None:
        """Return the last value that a name gets before it is read, where both stand in one run of statements."""
        if len(values) < 2 or next(self.evaluator.scopes(node), None) is not scope:
            return None
        before = [each for each in values if isinstance(each, ast.expr) and each.lineno < node.lineno]
        last = max(before, key=lambda each: each.lineno, default=None)
        statement = self.source.parents.get(last) if last is not None else None
        return last if statement is not None and self.source.parents.get(statement) is scope else None

    def _set_by_functions(self, name: str) -> list[tuple[ClientCode, ast.expr]]:
        return [
            (self, node.value)
            for node in self.source.nodes
            if isinstance(node, ast.Assign)
            and any(isinstance(each, ast.Name) and each.id == name for each in node.targets)
            and not isinstance(self.source.parents.get(node), ast.Module)
        ]

    def _otherwise(self, scope: ast.AST, name: str) -> list[ast.expr]:
        """Return what a `with`, a loop over values in sight, or the calls of a function bind the name to."""
        found: list[ast.expr] = []
        for node in self.source.inside[scope]:
            if isinstance(node, ast.With | ast.AsyncWith):
                found += [each.context_expr for each in node.items if _binds(each.optional_vars, name)]
            elif isinstance(node, ast.Assign) and any(_unpacks(each, node.value, name) for each in node.targets):
                found.append(node.value)
            elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and _binds(node.target, name):
                found += self._elements(node.iter) if isinstance(node.target, ast.Name) else []
        if isinstance(scope, Function):
            holder = self.class_of(scope) if scope.name == "__init__" else None
            calls = self.called_names.get(holder.name if holder is not None else scope.name, ())
            found += given_arguments(scope, name, calls)
            fixture = self._defined(self.source.tree, name)
            if fixture is not None and _is_fixture(fixture.node):
                found += [value for code, value in fixture.code.returned(fixture.node) if code is self]
        return found

    def _elements(self, node: ast.expr) -> list[ast.expr]:
        with self._once(node) as is_first:
            for code, value in self.followed(node) if is_first else ():
                if isinstance(value, ast.List | ast.Tuple | ast.Set) and code is self:
                    return [each for each in value.elts if not isinstance(each, ast.Starred)]
        return []

    @contextmanager
    def _once(self, node: ast.AST) -> Generator[bool]:
        """Give False where the node is looked at already, by what asks for it now."""
        if node in self._open:
            yield False
            return
        self._open.add(node)
        try:
            yield True
        finally:
            self._open.discard(node)

    def returned(self, function: ast.ClassDef | Function) -> list[tuple[ClientCode, ast.expr]]:
        """Return what a function of this file returns or yields."""
        return [
            (self, node.value)
            for node in self.source.inside.get(function, ())
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None
        ]

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class in whose body the node stands."""
        return next((each for each in self.source.above(node) if isinstance(each, ast.ClassDef)), None)

    def attribute_values(self, holder: ast.ClassDef, name: str) -> list[tuple[ClientCode, ast.expr]]:
        """Return what a class, or its instances, have under this name, also by a property or a base class."""
        if holder not in self._attributes:
            self._attributes[holder] = self._read_attributes(holder)
        found = list(self._attributes[holder].get(name, ()))
        with self._once(holder) as is_first:
            for base in holder.bases if is_first and not found else ():
                inherited = self.definition(base)
                if inherited is not None and isinstance(inherited.node, ast.ClassDef):
                    found += inherited.code.attribute_values(inherited.node, name)
        return found

    def _read_attributes(self, holder: ast.ClassDef) -> dict[str, list[tuple[ClientCode, ast.expr]]]:
        found: dict[str, list[tuple[ClientCode, ast.expr]]] = {}
        for node in ast.walk(holder):
            targets: list[ast.expr] = []
            value: ast.expr | None = None
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                value = node.value
            elif isinstance(node, ast.withitem):
                targets, value = [node.optional_vars] if node.optional_vars is not None else [], node.context_expr
            elif isinstance(node, Function) and self.source.parents.get(node) is holder:
                found.setdefault(node.name, []).extend(self.returned(node))
            flat = [part for each in targets for part in (each.elts if isinstance(each, ast.Tuple) else (each,))]
            for target in flat if value is not None else ():
                name = self._own_name(target, holder)
                if name and value is not None:
                    found.setdefault(name, []).append((self, value))
        return found

    def _own_name(self, target: ast.expr, holder: ast.ClassDef) -> str:
        """Return the attribute of the class, or of its instances, that an assignment fills."""
        if isinstance(target, ast.Attribute):
            owner = target.value.id if isinstance(target.value, ast.Name) else ""
            return target.attr if owner in ("self", "cls", holder.name) else ""
        is_own = self.source.parents.get(self.source.parents.get(target, target)) is holder
        return target.id if isinstance(target, ast.Name) and is_own else ""

    def followed(self, node: ast.expr, depth: int = 0) -> list[tuple[ClientCode, ast.expr]]:
        """Return the expressions that the expression may stand for, as far as names and attributes lead to them."""
        found: list[tuple[ClientCode, ast.expr]] = []
        waiting: list[tuple[ClientCode, ast.expr, int]] = [(self, node, depth)]
        seen: set[ast.expr] = {node}
        while waiting:
            code, each, deep = waiting.pop(0)
            values = code._steps(each) if deep < DEEPEST else []
            # None and "" stand for what is not there yet.
            plain = [one for one in values if not _is_nothing(one[1])] if len(values) > 1 else values
            fresh = [one for one in plain if one[1] not in seen]
            seen.update(value for _, value in fresh)
            waiting += [(other, value, deep + 1) for other, value in fresh]
            if not plain:
                found.append((code, each))
        return found or [(self, node)]

    def _steps(self, node: ast.expr) -> list[tuple[ClientCode, ast.expr]]:
        if isinstance(node, ast.Name):
            return self.bound_values(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.IfExp):
            return [(self, node.body), (self, node.orelse)]
        return [(self, node.value)] if isinstance(node, ast.NamedExpr | ast.Await) else []

    def _attribute(self, node: ast.Attribute) -> list[tuple[ClientCode, ast.expr]]:
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            holder = self.class_of(node)
            return self.attribute_values(holder, node.attr) if holder is not None else []
        module = self.module_of(node.value)
        if module is not None:
            return module._values(module.source.tree, node.attr)
        made = self.instance_class(node.value)
        if made is None or not isinstance(made.node, ast.ClassDef):
            return []
        return made.code.attribute_values(made.node, node.attr)

    def instance_class(self, node: ast.expr) -> Definition | None:
        """Return the class of the project that the expression is, or is an instance of."""
        direct = self.definition(node)
        if direct is not None:
            return direct if isinstance(direct.node, ast.ClassDef) else None
        with self._once(node) as is_first:
            for code, value in self.followed(node, DEEPEST - 3) if is_first else ():
                made = code.definition(value.func) if isinstance(value, ast.Call) else None
                if made is not None and isinstance(made.node, ast.ClassDef):
                    return made
        return None


def _binds(target: ast.expr | None, name: str) -> bool:
    return target is not None and any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Store)
        for each in ast.walk(target)
    )


def _unpacks(target: ast.expr, value: ast.expr, name: str) -> bool:
    """Tell whether the name gets a part of the value, which the source does not take apart."""
    return isinstance(target, ast.Tuple | ast.List) and not isinstance(value, ast.Tuple) and _binds(target, name)


def _is_fixture(node: ast.ClassDef | Function) -> bool:
    return any("fixture" in ast.unparse(each) for each in node.decorator_list)


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in (None, "")
