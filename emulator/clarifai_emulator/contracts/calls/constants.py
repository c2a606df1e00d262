"""Evaluates expressions without running anything: literals, names that are bound once, also in other modules."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from clarifai_emulator.contracts.calls.bindings import Bindings, Bound
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.written_environ import ReadVariable, read_variable

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
# 9**9**9 takes longer than anybody waits.
_LARGEST = 10_000
_DEEPEST = 40

# Methods that change the container that they are called on.
_CHANGING = frozenset(
    {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard", "clear",
     "sort", "reverse"}
)  # fmt: skip


class UnknownValue(Exception):
    """The value is only known when the program runs. The text says why."""


class Modules(Protocol):
    """The project's modules by name, as a file imports them."""

    def find(self, module: str, level: int, source: Source) -> Source | None: ...


class Evaluator:
    """Evaluates expressions of one source."""

    def __init__(self, source: Source, modules: Modules) -> None:
        self._source = source
        self._modules = modules
        self._changes: dict[ast.AST, dict[str, list[ast.AST]]] = {}

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        """Return the value of the expression. Raises ``Unknown``."""
        if depth > _DEEPEST:
            raise UnknownValue("it is too deep")
        try:
            return self._value(node, depth + 1)
        except UnknownValue:
            raise
        except Exception as error:  # what the program itself would raise there
            raise UnknownValue(f"it raises {type(error).__name__}") from None

    def bound(self, node: ast.Name) -> tuple[ast.AST, list[Bound]] | None:
        """Return the scope that binds the name where it stands, and everything it binds it to."""
        name, bindings = node.id, self._source.bindings
        for scope in self._source.walked.scopes_of(node):
            values = bindings(scope).names.get(name)
            if values is not None:
                return scope, values
        return None

    def bindings(self, scope: ast.AST) -> Bindings:
        """Return the names of one scope, and what each is bound to."""
        return self._source.bindings(scope)

    def scopes(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the scopes that a name at this node is looked up in, from the inside."""
        return self._source.walked.scopes_of(node)

    def once(self, node: ast.Name) -> ast.expr | None:
        """Return the one expression that the name is bound to; ``None`` where there is not exactly one."""
        found = self.bound(node)
        if found is None:
            return None
        scope, values = found
        value = values[0] if len(values) == 1 else None
        if not isinstance(value, ast.expr) or self.changes(scope, node.id):
            return None
        return value

    def changes(self, scope: ast.AST, name: str) -> bool:
        """Tell whether a loop, `+=`, or `global` binds the name as well."""
        return name in self.bindings(scope).changed or name in self._source.global_names

    def is_changed(self, node: ast.Name) -> bool:
        """Tell whether something is put into, or taken from, what the name is bound to."""
        return bool(self._changes_of(node))

    def appended(self, node: ast.Name) -> list[ast.expr] | None:
        """Return what is appended to the list that the name is bound to; ``None`` where it is changed otherwise."""
        items: list[ast.expr] = []
        for each in self._changes_of(node):
            is_one = (
                isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "append"
            )
            if not is_one or not isinstance(each, ast.Call) or len(each.args) != 1:
                return None
            items += each.args
        return items

    def _changes_of(self, node: ast.Name) -> list[ast.AST]:
        scope = self.bound(node)
        if scope is None:
            return []
        if scope[0] not in self._changes:
            self._changes[scope[0]] = _changes_in(scope[0])
        return self._changes[scope[0]].get(node.id, [])

    def _value(self, node: ast.expr, depth: int) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return self._named(node, depth)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, depth)
        if isinstance(node, ast.JoinedStr):
            return "".join(str(self.value(part, depth)) for part in node.values)
        if isinstance(node, ast.FormattedValue) and node.format_spec is None:
            return format(self.value(node.value, depth))
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth)
        if isinstance(node, ast.UnaryOp):
            return self._sign(node, depth)
        variable = read_variable(node) if self._source.environ is not None else None
        if variable is not None:
            return self._variable(variable, depth)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and self._source.environ is not None:
            return self._first_known(node, depth)
        return self._collection(node, depth)

    def _variable(self, variable: ReadVariable, depth: int) -> Any:
        """Return what a replica has in its environment; of a variable that it may have, the default."""
        name = str(self.value(variable.name, depth))
        known = (self._source.environ or {}).get(name)
        if known is not None:
            return known
        if variable.default is not None:
            value = self.value(variable.default, depth)
            if value is not None:
                return value
        raise UnknownValue(f"the variable {name} is set where it runs")

    def _first_known(self, node: ast.BoolOp, depth: int) -> Any:
        """Return the value of `os.environ.get("URL") or "https://…"`."""
        for each in node.values[:-1]:
            if read_variable(each) is None:
                raise UnknownValue("it is only known when the program runs")
            try:
                return self.value(each, depth)
            except UnknownValue:
                continue
        return self.value(node.values[-1], depth)

    def _collection(self, node: ast.expr, depth: int) -> Any:
        if isinstance(node, ast.List):
            return [self.value(each, depth) for each in node.elts]
        if isinstance(node, ast.Tuple):
            return tuple(self.value(each, depth) for each in node.elts)
        if isinstance(node, ast.Set):
            return {self.value(each, depth) for each in node.elts}
        if isinstance(node, ast.Dict):
            result: dict[Any, Any] = {}
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    result.update(self.value(value, depth))
                else:
                    result[self.value(key, depth)] = self.value(value, depth)
            return result
        raise UnknownValue("it is only known when the program runs")

    def _operation(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if isinstance(node.op, ast.Pow | ast.Mult) and any(
            isinstance(each, int) and abs(each) > _LARGEST for each in (left, right)
        ):
            raise UnknownValue("it is too large")
        operation = _OPERATORS.get(type(node.op))
        if operation is None:
            raise UnknownValue("it is only known when the program runs")
        return operation(left, right)

    def _sign(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.value(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return not value
        return -value if isinstance(node.op, ast.USub) else +value

    def _call(self, node: ast.Call, depth: int) -> Any:
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in ("format", "strip", "rstrip", "lower", "join"):
            text = self.value(function.value, depth)
            if isinstance(text, str):
                given = [self.value(each, depth) for each in node.args]
                named = {each.arg: self.value(each.value, depth) for each in node.keywords if each.arg}
                return getattr(text, function.attr)(*given, **named)
        if isinstance(function, ast.Name) and function.id == "dict" and self.bound(function) is None:
            result: dict[Any, Any] = dict(*(self.value(each, depth) for each in node.args))
            for each in node.keywords:
                result.update(
                    {each.arg: self.value(each.value, depth)} if each.arg else self.value(each.value, depth)
                )
            return result
        given = self.returned(node)
        if given is not None:
            return self.value(given, depth)
        raise UnknownValue("it is what a call returns")

    def returned(self, node: ast.Call) -> ast.expr | None:
        """Return the one expression that a call gives, of a function of this file that takes nothing, and does
        nothing else."""
        if not isinstance(node.func, ast.Name) or node.args or node.keywords:
            return None
        found = self.bound(node.func)
        if found is None or len(found[1]) != 1 or self.changes(found[0], node.func.id):
            return None
        function = found[1][0]
        if isinstance(function, ast.Lambda):
            return function.body
        for each in self._source.inside[found[0]]:
            if isinstance(each, ast.FunctionDef) and each.name == node.func.id and not each.decorator_list:
                last = each.body[-1] if len(each.body) == 1 else None
                return last.value if isinstance(last, ast.Return) else None
        return None

    def _named(self, node: ast.Name, depth: int) -> Any:
        found = self.bound(node)
        if found is None:
            raise UnknownValue(f"'{node.id}' is not bound here")
        scope, values = found
        if len(values) == 1 and isinstance(values[0], ast.alias):
            return self._imported(values[0], self.bindings(scope).froms[values[0]], depth)
        value = self.once(node)
        if value is None:
            raise UnknownValue(f"'{node.id}' is only known when the program runs")
        if not isinstance(value, ast.Constant) and self.is_changed(node):
            raise UnknownValue(f"'{node.id}' is changed before it is used")
        return self.value(value, depth)

    def _attribute(self, node: ast.Attribute, depth: int) -> Any:
        if not isinstance(node.value, ast.Name):
            raise UnknownValue("it is only known when the program runs")
        found = self.bound(node.value)
        if found is None:
            raise UnknownValue(f"'{node.value.id}' is not bound here")
        own = self._own_value(node) if node.value.id in ("self", "cls") else None
        if own is not None:
            return self.value(own, depth)
        scope, values = found
        binding = values[0] if len(values) == 1 else None
        if isinstance(binding, ast.alias):
            source = self._module_of(binding, self.bindings(scope).froms[binding])
            if source is not None:
                return _member(source, self._modules, (node.attr,), depth)
            imported = self._imported_class(binding, self.bindings(scope).froms[binding])
            if imported is not None:
                return _member(imported[0], self._modules, (imported[1], node.attr), depth)
        elif node.value.id in self.bindings(scope).classes:
            return _in_class(self, self.bindings(scope).classes[node.value.id], node.attr, depth)
        raise UnknownValue(f"'{node.value.id}.{node.attr}' is only known when the program runs")

    def _own_value(self, node: ast.Attribute) -> ast.expr | None:
        """Return the one expression that an attribute of an object is set to, in its class or in a method of it;
        ``None`` where the file sets it in several places, or none."""
        values = self._set_attributes.get(node.attr, ())
        return values[0] if len(values) == 1 and isinstance(values[0], ast.expr) else None

    @cached_property
    def _set_attributes(self) -> Mapping[str, Sequence[Bound]]:
        """Return what the file sets attributes to, by their names, whatever they are attributes of."""
        found: dict[str, list[Bound]] = {}
        for each in self._source.nodes:
            if isinstance(each, ast.ClassDef):
                for name, values in self.bindings(each).names.items():
                    found.setdefault(name, []).extend(values)
        for each in self._source.attributes:
            if not isinstance(each.ctx, ast.Load):
                parent = self._source.parents.get(each)
                is_plain = isinstance(parent, ast.Assign) and each in parent.targets
                is_plain = is_plain or (isinstance(parent, ast.AnnAssign) and parent.target is each)
                value = parent.value if is_plain and isinstance(parent, ast.Assign | ast.AnnAssign) else None
                found.setdefault(each.attr, []).append(value)
        return found

    def _imported(self, alias: ast.alias, statement: ast.Import | ast.ImportFrom, depth: int) -> Any:
        if isinstance(statement, ast.ImportFrom):
            source = self._modules.find(statement.module or "", statement.level, self._source)
            if source is not None:
                return _member(source, self._modules, (alias.name,), depth)
        raise UnknownValue(f"'{alias.asname or alias.name}' comes from another package")

    def _module_of(self, alias: ast.alias, statement: ast.Import | ast.ImportFrom) -> Source | None:
        if isinstance(statement, ast.Import):
            return (
                self._modules.find(alias.name, 0, self._source) if alias.asname or "." not in alias.name else None
            )
        inner = f"{statement.module}.{alias.name}" if statement.module else alias.name
        return self._modules.find(inner, statement.level, self._source)

    def _imported_class(
        self, alias: ast.alias, statement: ast.Import | ast.ImportFrom
    ) -> tuple[Source, str] | None:
        if not isinstance(statement, ast.ImportFrom):
            return None
        source = self._modules.find(statement.module or "", statement.level, self._source)
        return (source, alias.name) if source is not None else None


def _changes_in(scope: ast.AST) -> dict[str, list[ast.AST]]:
    """Return the places in a scope that change what a name is bound to, and do not bind it anew: `x[0] = …`,
    `del x.y`, `x.append(…)`."""
    found: dict[str, list[ast.AST]] = {}
    for node in ast.walk(scope):
        owner: ast.expr | None = None
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            owner = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            owner = node.func.value
        if isinstance(owner, ast.Name):
            found.setdefault(owner.id, []).append(node)
    return found


def _member(source: Source, modules: Modules, path: tuple[str, ...], depth: int) -> Any:
    """Return the value of a name at the top of another module, or of a name of a class there."""
    evaluator = Evaluator(source, modules)
    try:
        bindings = evaluator.bindings(source.tree)
    except SyntaxError:
        raise UnknownValue(f"{source.path.name} cannot be parsed") from None
    if len(path) == 2:
        definition = bindings.classes.get(path[0])
        if definition is None:
            raise UnknownValue(f"'{path[0]}' is not a class of {source.path.name}")
        return _in_class(evaluator, definition, path[1], depth)
    values = bindings.names.get(path[0], [])
    value = values[0] if len(values) == 1 else None
    if isinstance(value, ast.alias):
        return evaluator._imported(value, bindings.froms[value], depth)  # pyright: ignore[reportPrivateUsage]
    if not isinstance(value, ast.expr) or evaluator.changes(source.tree, path[0]):
        raise UnknownValue(f"'{path[0]}' of {source.path.name} is only known when the program runs")
    return evaluator.value(value, depth)


def _in_class(evaluator: Evaluator, definition: ast.ClassDef, name: str, depth: int) -> Any:
    values = evaluator.bindings(definition).names.get(name, [])
    value = values[0] if len(values) == 1 else None
    if not isinstance(value, ast.expr):
        raise UnknownValue(f"'{definition.name}.{name}' is only known when the program runs")
    return evaluator.value(value, depth)


def known(evaluator: Evaluator, given: Mapping[str, ast.expr]) -> dict[str, Any]:
    """Evaluate the expressions whose value is known."""
    values: dict[str, Any] = {}
    for name, node in given.items():
        try:
            values[name] = evaluator.value(node)
        except UnknownValue:
            continue
    return values
