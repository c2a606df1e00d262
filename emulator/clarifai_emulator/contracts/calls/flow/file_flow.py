"""Reads one file into the flow graph: its names, functions and classes, and how values get from one to another."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.flow.flow_graph import NONE, OTHER, TOP, Held, Place, Sort

if TYPE_CHECKING:
    from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LITERALS = (ast.List, ast.Tuple, ast.Set, ast.Dict)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_PROPERTIES = frozenset({"property", "cached_property"})


@dataclass(eq=False, slots=True)
class FunctionInfo:
    """A function of the project. ``way``: how a class has it: ``method``, ``static``, ``class``, ``property``, or
    empty for one that stands in none."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    way: str = ""
    generates: bool = False

    @property
    def positional(self) -> list[str]:
        return [each.arg for each in (*self.node.args.posonlyargs, *self.node.args.args)]

    @property
    def by_name(self) -> list[str]:
        return [*self.positional, *(each.arg for each in self.node.args.kwonlyargs)]


@dataclass(eq=False, slots=True)
class ClassInfo:
    """A class of the project. ``is_model``: it inherits from the SDK's ``Model``."""

    node: ast.ClassDef
    above: set[ClassInfo] = field(default_factory=set["ClassInfo"])
    below: set[ClassInfo] = field(default_factory=set["ClassInfo"])
    asked: dict[str, Place] = field(default_factory=dict[str, Place])
    is_model: bool = False
    defined: frozenset[str] = frozenset()

    def family(self) -> set[ClassInfo]:
        """Return the class, all that it inherits from and all that inherit from it."""
        found: set[ClassInfo] = {self}
        for step in ("above", "below"):
            waiting: list[ClassInfo] = [self]
            while waiting:
                for each in waiting.pop().above if step == "above" else waiting.pop().below:
                    if each not in found:
                        found.add(each)
                        waiting.append(each)
        return found


@dataclass(frozen=True, slots=True)
class CallShape:
    """The arguments of a call, as places."""

    node: ast.Call
    file: FileFlow
    args: tuple[Place, ...]
    keywords: tuple[tuple[str, Place], ...]
    stars: tuple[Place, ...] = ()
    double_stars: tuple[Place, ...] = ()

    @property
    def every(self) -> tuple[Place, ...]:
        return (*self.args, *(place for _, place in self.keywords), *self.stars, *self.double_stars)

    def keyword(self, name: str) -> Place | None:
        return next((place for each, place in self.keywords if each == name), None)

    def first(self, name: str = "") -> Place | None:
        """Return the first argument by position, or else the one of this name."""
        return self.args[0] if self.args else self.keyword(name)


class FileFlow:
    """Reads one file."""

    def __init__(self, source: Source, flow: ModelFlow) -> None:
        self.source = source
        self._flow = flow
        self._graph = flow.graph
        self._bound: dict[ast.AST, set[str]] = {}
        self._outer: dict[ast.AST, dict[str, str]] = {}
        self._stars: list[ast.ImportFrom] = []
        self._functions: dict[ast.AST, FunctionInfo] = {}
        self._classes: dict[ast.AST, ClassInfo] = {}
        self._looking: set[str] = set()
        for scope, nodes in source.walked.binding.items():
            self._collect(scope, nodes)
        everywhere = (name for outer in self._outer.values() for name, kind in outer.items() if kind == "Global")
        self._top = {*self._bound[source.tree], *everywhere}

    def read(self) -> None:
        """Put everything that the file says into the graph."""
        readers = self._readers
        for scope, nodes in self.source.inside.items():
            for node in nodes:
                reader = readers.get(type(node))
                if reader is not None:
                    reader(self, node, scope)

    # Names.

    def _collect(self, scope: ast.AST, nodes: Sequence[ast.AST]) -> None:
        names: set[str] = set()
        outer: dict[str, str] = {}
        if isinstance(scope, (*_DEFINITIONS, ast.Lambda)):
            names.update(each.arg for each in _parameters(scope.args))
        for node in nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, (*_DEFINITIONS, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(each.asname or each.name.split(".")[0] for each in node.names)
                if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                    self._stars.append(node)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                outer.update(dict.fromkeys(node.names, type(node).__name__))
            elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                names.add(node.name)
        self._bound[scope] = names
        self._outer[scope] = outer

    def exported(self, name: str) -> Place | None:
        """Return the place of a name that other files may import; ``None`` where there is none."""
        if name in self._top:
            return self._graph.named(("name", self.source.tree, name))
        if name in self._looking or hasattr(builtins, name):
            return None
        self._looking.add(name)
        try:
            places = (self._flow.member(self.source, each, name) for each in self._stars)
            return next((each for each in places if each is not None), None)
        finally:
            self._looking.discard(name)

    def variable(self, name: str, scope: ast.AST) -> Place:
        """Return the place of a name as it is read in the scope."""
        for each in self._scopes(scope):
            if self._outer[each].get(name) == "Global":
                break
            if name in self._bound[each] and name not in self._outer[each]:
                return self._graph.named(("name", each, name))
        found = self.exported(name)
        if found is not None:
            return found
        return self._graph.of(Held(Sort.OUTSIDE, f"builtins.{name}") if hasattr(builtins, name) else TOP)

    def _scopes(self, scope: ast.AST) -> Iterator[ast.AST]:
        """Yield the scopes in which a name is looked up; a class counts for its own body only."""
        yield scope
        for each in self.source.walked.scopes_of(scope):
            if not isinstance(each, ast.ClassDef):
                yield each

    # Statements.

    def _call(self, node: ast.Call | ast.NamedExpr, scope: ast.AST) -> None:
        self.value(node, scope)

    def _assigned(self, node: ast.Assign, scope: ast.AST) -> None:
        for target in node.targets:
            self._assign(target, self.value(node.value, scope), scope)

    def _added(self, node: ast.AugAssign, scope: ast.AST) -> None:
        self._assign(node.target, self.value(node.value, scope), scope)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.comprehension, scope: ast.AST) -> None:
        self._assign(node.target, self._flow.items(self.value(node.iter, scope)), scope)

    def _with(self, node: ast.With | ast.AsyncWith, scope: ast.AST) -> None:
        for item in node.items:
            if item.optional_vars is not None:
                entered = self._graph.named(("entered", item))
                self._flow.entered(self.value(item.context_expr, scope), entered)
                self._assign(item.optional_vars, entered, scope)

    def _defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: ast.AST) -> None:
        made = self._class(node, scope) if isinstance(node, ast.ClassDef) else self._function(node, scope)
        self._graph.flows(made, self._graph.named(("name", scope, node.name)))

    def _return(self, node: ast.Return, scope: ast.AST) -> None:
        if node.value is not None and scope in self._functions:
            self._graph.flows(self.value(node.value, scope), self._flow.returns(self._functions[scope]))

    def _yield(self, node: ast.Yield | ast.YieldFrom, scope: ast.AST) -> None:
        if node.value is not None and scope in self._functions:
            given = self.value(node.value, scope)
            given = self._flow.items(given) if isinstance(node, ast.YieldFrom) else given
            self._graph.flows(given, self._flow.item(self._functions[scope].node, None))

    def _match(self, node: ast.Match, scope: ast.AST) -> None:
        subject = self.value(node.subject, scope)
        for each in (pattern for case in node.cases for pattern in ast.walk(case.pattern)):
            if isinstance(each, ast.MatchAs | ast.MatchStar) and each.name:
                target = self._graph.named(("name", scope, each.name))
                self._graph.flows(subject, target)
                self._graph.flows(self._flow.items(subject), target)
                self._graph.flows(self._flow.attributes(subject), target)

    def _annotated(self, node: ast.AnnAssign, scope: ast.AST) -> None:
        if node.value is not None:
            self._assign(node.target, self.value(node.value, scope), scope)
        if isinstance(node.target, ast.Name):
            self._flow.annotated(self.variable(node.target.id, scope), node.annotation, self, scope)

    def _assign(self, target: ast.expr, given: Place, scope: ast.AST) -> None:
        if isinstance(target, ast.Name):
            self._graph.flows(given, self.variable(target.id, scope))
        elif isinstance(target, ast.Attribute):
            self._flow.store(self.value(target.value, scope), target.attr, given)
        elif isinstance(target, ast.Subscript):
            self._flow.store_item(self.value(target.value, scope), _key(target.slice), given)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, given, scope)
        elif isinstance(target, ast.Tuple | ast.List):
            starred = any(isinstance(each, ast.Starred) for each in target.elts)
            for position, each in enumerate(target.elts):
                if isinstance(each, ast.Starred):
                    self._graph.flows(self._flow.items(given), self._flow.item(each, None))
                    self._assign(each.value, self._graph.of(Held(Sort.BOX, each)), scope)
                else:
                    self._assign(each, self._flow.items(given, None if starred else position), scope)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: ast.AST) -> None:
        for alias in node.names:
            if alias.name == "*":
                continue
            target = self._graph.named(("name", scope, alias.asname or alias.name.split(".")[0]))
            if isinstance(node, ast.ImportFrom):
                found = self._flow.member(self.source, node, alias.name)
            else:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                found = self._flow.module(self.source, whole)
            self._graph.flows(found if found is not None else self._graph.of(TOP), target)

    _readers: ClassVar[dict[type[ast.AST], Callable[[FileFlow, Any, ast.AST], None]]] = {
        ast.Call: _call,
        ast.NamedExpr: _call,
        ast.Assign: _assigned,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _added,
        ast.For: _loop,
        ast.AsyncFor: _loop,
        ast.comprehension: _loop,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Import: _import,
        ast.ImportFrom: _import,
        ast.FunctionDef: _defined,
        ast.AsyncFunctionDef: _defined,
        ast.ClassDef: _defined,
        ast.Return: _return,
        ast.Yield: _yield,
        ast.YieldFrom: _yield,
        ast.Match: _match,
    }

    # Functions and classes.

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: ast.AST) -> Place:
        names = [_last(each) for each in node.decorator_list]
        info = FunctionInfo(node, generates=_generates(self.source.inside[node]))
        if isinstance(scope, ast.ClassDef):
            info.way = "method"
            if "staticmethod" in names:
                info.way = "static"
            elif "classmethod" in names:
                info.way = "class"
            elif _PROPERTIES & set(names):
                info.way = "property"
        self._functions[node] = info
        self._parameters(info, scope)
        if info.way in ("method", "property", "class") and info.positional:
            sort = Sort.CLASS if info.way == "class" else Sort.INSTANCE
            owner = self._graph.named(("owner", scope))
            first = self._graph.named(("name", node, info.positional[0]))
            self._graph.when(owner, lambda held: self._graph.put(Held(sort, held.of), first), ("self", first))
        place = self._graph.of(Held(Sort.FUNCTION, info))
        for decorator in reversed(node.decorator_list):
            place = self._flow.decorated(place, self.value(decorator, scope), decorator, self, info)
        return place

    def _parameters(self, info: FunctionInfo, scope: ast.AST) -> None:
        given = info.node.args
        plain = [*given.posonlyargs, *given.args]
        defaults = dict(zip(reversed(plain), reversed(given.defaults), strict=False))
        defaults.update(
            {each: value for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value}
        )
        for each in (*plain, *given.kwonlyargs):
            place = self._graph.named(("name", info.node, each.arg))
            if each in defaults:
                self._graph.flows(self.value(defaults[each], scope), place)
            self._flow.annotated(place, each.annotation, self, scope)
            self._flow.parameter(place)
            self._flow.fixture_wanted(each.arg, place, info)
        for each in filter(None, (given.vararg, given.kwarg)):
            box = Held(Sort.BOX, each)
            self._graph.put(box, self._graph.named(("name", info.node, each.arg)))

    def _class(self, node: ast.ClassDef, scope: ast.AST) -> Place:
        defined = frozenset(each.name for each in node.body if isinstance(each, _DEFINITIONS))
        info = ClassInfo(node, defined=defined)
        self._classes[node] = info
        self._graph.put(Held(Sort.CLASS, info), self._graph.named(("owner", node)))
        for base in node.bases:
            self._flow.inherits(info, self.value(base, scope))
        return self._graph.of(Held(Sort.CLASS, info))

    def class_at(self, node: ast.AST) -> ClassInfo | None:
        """Return the innermost class around the node."""
        holder = next((each for each in self.source.above(node) if isinstance(each, ast.ClassDef)), None)
        return self._classes.get(holder) if holder is not None else None

    # Expressions.

    def value(self, node: ast.expr, scope: ast.AST) -> Place:
        """Return the place of what the expression gives."""
        known = self._graph.known(node)
        if known is not None:
            return known
        if isinstance(node, ast.Constant):
            return self._graph.of(NONE if node.value is None else OTHER)
        if isinstance(node, ast.Name):
            place = self.variable(node.id, scope)
            self._graph.call_it(node, place)
            return place
        place = self._graph.named(node)
        self._expression(node, place, scope)
        return place

    def _expression(self, node: ast.expr, place: Place, scope: ast.AST) -> None:
        if isinstance(node, ast.Call):
            self._flow.call(self.value(node.func, scope), self.shape(node, scope), place)
        elif isinstance(node, ast.Attribute):
            self._flow.load(self.value(node.value, scope), node.attr, place)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            self._flow.sliced(self.value(node.value, scope), node, place)
        elif isinstance(node, ast.Subscript):
            self._flow.load_item(self.value(node.value, scope), _key(node.slice), place)
        elif isinstance(node, ast.IfExp | ast.BoolOp | ast.BinOp | ast.NamedExpr | ast.Starred):
            self._one_of(node, place, scope)
        elif isinstance(node, ast.Await):
            self._flow.awaited(self.value(node.value, scope), place)
        elif isinstance(node, ast.Lambda):
            info = FunctionInfo(node)
            self._functions[node] = info
            self._parameters(info, scope)
            self._graph.flows(self.value(node.body, node), self._flow.returns(info))
            self._graph.put(Held(Sort.FUNCTION, info), place)
        elif isinstance(node, (*_LITERALS, *_COMPREHENSIONS)):
            self._container(node, scope)
            self._graph.put(Held(Sort.BOX, node), place)
        else:
            self._graph.put(TOP if isinstance(node, ast.Yield | ast.YieldFrom) else OTHER, place)

    def _one_of(self, node: ast.expr, place: Place, scope: ast.AST) -> None:
        parts: list[ast.expr] = []
        if isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp):
            parts = node.values
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.NamedExpr | ast.Starred):
            parts = [node.value]
        for each in parts:
            given = self.value(each, scope)
            self._graph.flows(given, place)
            if isinstance(node, ast.NamedExpr):
                # In a comprehension too, it is bound where the comprehension stands.
                self._assign(node.target, given, scope)

    def _container(self, node: ast.expr, scope: ast.AST) -> None:
        if isinstance(node, ast.Dict):
            for key, each in zip(node.keys, node.values, strict=True):
                given = self.value(each, scope)
                if key is None:
                    self._flow.pours(given, node)
                else:
                    self._graph.flows(given, self._flow.item(node, _key(key)))
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            starred = any(isinstance(each, ast.Starred) for each in node.elts)
            for position, each in enumerate(node.elts):
                if isinstance(each, ast.Starred):
                    inner = self._flow.items(self.value(each.value, scope))
                    self._graph.flows(inner, self._flow.item(node, None))
                else:
                    key = None if starred or isinstance(node, ast.Set) else position
                    self._graph.flows(self.value(each, scope), self._flow.item(node, key))
        elif isinstance(node, ast.DictComp):
            self._graph.flows(self.value(node.value, scope), self._flow.item(node, None))
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            self._graph.flows(self.value(node.elt, scope), self._flow.item(node, None))

    def shape(self, node: ast.Call, scope: ast.AST) -> CallShape:
        """Return the arguments of the call."""
        return CallShape(
            node,
            self,
            tuple(self.value(each, scope) for each in node.args if not isinstance(each, ast.Starred)),
            tuple((each.arg, self.value(each.value, scope)) for each in node.keywords if each.arg),
            tuple(self.value(each.value, scope) for each in node.args if isinstance(each, ast.Starred)),
            tuple(self.value(each.value, scope) for each in node.keywords if not each.arg),
        )


def _parameters(given: ast.arguments) -> list[ast.arg]:
    every = [*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg]
    return [each for each in every if each is not None]


def _generates(nodes: Sequence[ast.AST]) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in nodes)


def _key(node: ast.expr) -> str | int | None:
    """Return a key that is written out; ``None`` for any other."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return node.value
    return None


def _last(node: ast.expr) -> str:
    """Return the last name of a decorator."""
    target = node.func if isinstance(node, ast.Call) else node
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""
