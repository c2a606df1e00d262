"""Follows models through all files of a project: what a call, an attribute, an element may be.

    files ─► file_flow: names, functions, classes ─► graph ◄─ here: what attributes, elements and imports give
                                                       │      call_flow: what calls give
                                                       ▼
    which model, or what else, is a method called on? (held_models)

It forgets the order of statements, and which call of a function a value came with: it says what may be, never what
must be. What it does not understand is unknown, not absent.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from clarifai_emulator.contracts.calls.call_targets import Built, GivenAddresses, is_of_sdk
from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, Modules
from clarifai_emulator.contracts.calls.flow.call_flow import CallFlow
from clarifai_emulator.contracts.calls.flow.file_flow import CallShape, ClassInfo, FileFlow, FunctionInfo
from clarifai_emulator.contracts.calls.flow.flow_graph import (
    KEPT,
    MODELS,
    NONE,
    OTHER,
    TOP,
    UNKNOWN_MODEL,
    FlowGraph,
    Held,
    Place,
    Sort,
)
from clarifai_emulator.contracts.calls.flow.unknown_models import UnknownModels
from clarifai_emulator.python_source import parse_expression

_ANYTHING = ("Any", "object")
# Of what annotations say, what comes last.
_LAST = {Sort.OUTSIDE: 1, Sort.TOP: 2, Sort.OTHER: 3}


class ModelFlow:
    """Follows models through these files."""

    def __init__(
        self,
        sources: Iterable[Source],
        modules: Modules,
        targets: GivenAddresses,
        built: Mapping[ast.Call, Built],
        evaluators: Mapping[Source, Evaluator],
        sdk_names: Iterable[str],
    ) -> None:
        self.graph = FlowGraph()
        self.modules = modules
        self.targets = targets
        self.built = dict(built)
        self.unknown = UnknownModels()
        # Places that build a model by another name than the SDK's, which only the flow shows.
        self.more_built: dict[Source, list[Built]] = {}
        self.evaluators = evaluators
        self.sdk_names = frozenset(sdk_names)
        self._calls = CallFlow(self)
        self._wanted: list[tuple[str, Place, FunctionInfo]] = []
        self._parameters: set[Place] = set()
        self._fixtures: dict[str, list[FunctionInfo]] = {}
        self._typed: list[tuple[Place, Held]] = []
        self._files = {source: FileFlow(source, self) for source in sources}
        for each in self._files.values():
            each.read()
        self._settle()

    def _settle(self) -> None:
        every = {each for several in self._fixtures.values() for each in several}
        for name, place, function in self._wanted:
            is_test = str(getattr(function.node, "name", "")).startswith("test")
            for fixture in self._fixtures.get(name, ()) if is_test or function in every else ():
                self.graph.flows(self.returns(fixture), place)
                self.graph.flows(self.item(fixture.node, None), place)
        self.graph.settle()
        # Where nothing arrived, the annotation says what may.
        for place, held in sorted(self._typed, key=lambda each: _LAST.get(each[1].sort, 0)):
            if self.graph.at(place) <= {NONE}:
                self.graph.put(held, place)
        self.graph.settle()

    def at(self, node: ast.expr) -> frozenset[Held]:
        """Return what the expression may be; nothing where that was not looked at."""
        place = self.graph.known(node)
        return self.graph.at(place) if place is not None else frozenset()

    def built_at(self, shape: CallShape, builder: str) -> Built:
        """Return which model is built by a call, which may name the SDK's ``Model`` by any name."""
        known = self.built.get(shape.node)
        if known is None:
            source = shape.file.source
            known = self.built[shape.node] = self.targets.built_by(shape.node, builder, self.evaluators[source])
            self.more_built.setdefault(source, []).append(known)
        return known

    def is_parameter(self, node: ast.Name) -> bool:
        """Tell whether the name is that of a parameter where it stands."""
        return self.graph.known(node) in self._parameters

    def parameter(self, place: Place) -> None:
        """Say that the place is that of a parameter."""
        self._parameters.add(place)

    # Modules.

    def module(self, source: Source, name: str) -> Place | None:
        """Return the place of a module that is imported by this name."""
        found = self.modules.find(name, 0, source)
        if found is not None and found in self._files:
            return self.graph.of(Held(Sort.FILE, found))
        sort = Sort.SDK if is_of_sdk(name) else Sort.OUTSIDE
        return self.graph.of(Held(sort, name))

    def member(self, source: Source, node: ast.ImportFrom, name: str) -> Place | None:
        """Return the place of a name that is imported from a module; ``None`` where a file has no such name."""
        module = node.module or ""
        found = self.modules.find(module, node.level, source)
        if found is not None:
            file = self._files.get(found)
            place = file.exported(name) if file is not None else None
            if place is not None:
                return place
        inner = self.modules.find(f"{module}.{name}" if module else name, node.level, source)
        if inner is not None and inner in self._files:
            return self.graph.of(Held(Sort.FILE, inner))
        if found is not None or node.level:
            return None
        if is_of_sdk(module):
            return self.graph.of(Held(Sort.SDK, f"{module}.{name}"))
        return self.graph.of(Held(Sort.OUTSIDE, f"{module}.{name}"))

    # Places.

    def returns(self, function: FunctionInfo) -> Place:
        """Return the place of what the function gives."""
        return self.graph.named(("returns", function))

    def item(self, box: object, key: str | int | None) -> Place:
        """Return the place of a container's element; ``None`` for those whose key is not known."""
        place = self.graph.named(("item", box, key))
        self.graph.flows(place, self.graph.named(("items", box)))
        return place

    def call(self, function: Place, shape: CallShape, result: Place) -> None:
        """Say that the place is called, with these arguments."""
        self.graph.when(
            function, lambda held: self._calls.arrives(held, shape, result), ("call", shape.node, result)
        )

    # Attributes.

    def load(self, owner: Place, name: str, result: Place) -> None:
        """Say that the result is this attribute of what is at the place."""
        self.graph.when(owner, lambda held: self._load(held, name, result), ("load", name, result))

    def _load(self, held: Held, name: str, result: Place) -> None:
        graph, sort = self.graph, held.sort
        if sort in MODELS:
            self._of_model(held, name, result)
        elif sort in (Sort.INSTANCE, Sort.CLASS, Sort.SUPER):
            assert isinstance(held.of, ClassInfo)
            self._of_class(held, held.of, name, result)
        elif sort is Sort.BOX:
            graph.flows(graph.named(("field", held.of, name)), result)
            graph.put(Held(Sort.BOX_METHOD, (held.of, name)), result)
        elif sort is Sort.FILE:
            assert isinstance(held.of, Source)
            file = self._files[held.of]
            graph.flows(graph.named(("name", file.source.tree, name)), result)
        elif sort is Sort.SDK:
            graph.put(Held(Sort.SDK, f"{held.of}.{name}"), result)
        elif sort is Sort.SDK_OBJECT:
            graph.put(Held(Sort.SDK_METHOD, (held.of, name)), result)
        elif sort in (Sort.OUTSIDE, Sort.TOP, Sort.TAINT):
            # Whose attribute it is, nobody knows: it may be any of this name.
            graph.when(
                graph.named(("any", name)), lambda other: self._doubtful(other, result), ("doubtful", result)
            )
            is_client = held == KEPT and name in ("client", "async_client")
            graph.put(_outside(held, name) if sort is Sort.OUTSIDE else held if is_client else Held(sort), result)
        elif sort in (Sort.FUNCTION, Sort.BOUND):
            graph.flows(graph.named(("field", held.of, name)), result)
        else:
            graph.put(OTHER, result)

    def _doubtful(self, held: Held, result: Place) -> None:
        if held.sort in MODELS:
            self.graph.put(KEPT, result)
        elif held.sort is Sort.TAINT or held.sort in (Sort.BOX, Sort.FUNCTION, Sort.BOUND, Sort.INSTANCE):
            self.graph.put(held, result)

    def _of_model(self, held: Held, name: str, result: Place) -> None:
        if name in ("client", "async_client") and held.sort is Sort.MODEL:
            sort = Sort.CLIENT if name == "client" else Sort.ASYNC_CLIENT
            self.graph.put(Held(sort, held.of), result)
        elif name in self.sdk_names or name.startswith("_"):
            self.graph.put(Held(Sort.SDK, f"().{name}"), result)
        else:
            self.graph.put(Held(Sort.METHOD, (held.sort, held.of, name)), result)

    def _of_class(self, held: Held, owner: ClassInfo, name: str, result: Place) -> None:
        if name == "__dict__":
            self.graph.put(held, result)
            return
        if name == "__new__" and held.sort is Sort.SUPER:
            self.graph.put(Held(Sort.CLASS, owner), result)
        place = self.asked(owner, name)
        self.graph.when(place, lambda value: self._member_of(held, value, result), ("member", held.sort, result))
        if owner.is_model and not any(name in each.defined for each in owner.family()):
            self._of_model(Held(Sort.MODEL, UNKNOWN_MODEL), name, result)

    def _member_of(self, held: Held, value: Held, result: Place) -> None:
        function = value.of
        if value.sort is not Sort.FUNCTION or not isinstance(function, FunctionInfo) or not function.way:
            self.graph.put(value, result)
        elif function.way == "property":
            self.graph.flows(self.returns(function), result)
        elif function.way == "static" or (function.way == "method" and held.sort is Sort.CLASS):
            self.graph.put(value, result)
        else:
            self.graph.put(Held(Sort.BOUND, function), result)

    def attributes(self, owner: Place) -> Place:
        """Return the place of all attributes of what is at the place, as patterns take them."""
        result = self.graph.named(("attributes", owner))

        def act(held: Held) -> None:
            if held.sort is Sort.INSTANCE and isinstance(held.of, ClassInfo):
                for name in _attributes_of(held.of.node):
                    self.graph.flows(self.asked(held.of, name), result)

        self.graph.when(owner, act, ("attributes", result))
        return result

    def attribute(self, held: Held, name: str) -> Place:
        """Return the place of an attribute of this value."""
        place = self.graph.named(("attribute", held, name))
        self.load(self.graph.of(held), name, place)
        return place

    def asked(self, owner: ClassInfo, name: str) -> Place:
        """Return the place of an attribute of a class or its instances, inherited ones included."""
        if name not in owner.asked:
            place = owner.asked[name] = self.graph.named(("asked", owner, name))
            for each in owner.family():
                self.graph.flows(self.graph.named(("name", each.node, name)), place)
        return owner.asked[name]

    def inherits(self, owner: ClassInfo, base: Place) -> None:
        """Say that a class inherits from what is at the place."""
        self.graph.when(base, lambda held: self._inherit(owner, held), ("inherit", owner))

    def _inherit(self, owner: ClassInfo, held: Held) -> None:
        if held.sort is Sort.SDK and str(held.of).rpartition(".")[2] == "Model":
            owner.is_model = True
        if held.sort is not Sort.CLASS or not isinstance(held.of, ClassInfo) or held.of in owner.above:
            return
        owner.above.add(held.of)
        held.of.below.add(owner)
        for each in owner.family() | held.of.family():
            each.is_model = each.is_model or any(other.is_model for other in each.above)
            for name, place in each.asked.items():
                for other in each.family():
                    self.graph.flows(self.graph.named(("name", other.node, name)), place)

    def store(self, owner: Place, name: str, given: Place) -> None:
        """Say that this attribute of what is at the place is set."""
        self.graph.flows(given, self.graph.named(("any", name)))
        self.graph.when(owner, lambda held: self._store(held, name, given), ("store", name, given))

    def _store(self, held: Held, name: str, given: Place) -> None:
        if held.sort in (Sort.INSTANCE, Sort.CLASS) and isinstance(held.of, ClassInfo):
            self.graph.flows(given, self.graph.named(("name", held.of.node, name)))
        elif held.sort is Sort.FILE and isinstance(held.of, Source):
            self.graph.flows(given, self.graph.named(("name", held.of.tree, name)))
        elif held.sort in (Sort.BOX, Sort.FUNCTION, Sort.BOUND):
            self.graph.flows(given, self.graph.named(("field", held.of, name)))

    # Elements.

    def items(self, box: Place, key: str | int | None = None) -> Place:
        """Return the place of the elements of what is there: of one, or of all that may be met in a loop."""
        result = self.graph.named(("items of", box, key))
        if key is None:
            self.graph.when(box, lambda held: self._each(held, result), ("each", result))
        else:
            self.load_item(box, key, result)
        return result

    def _each(self, held: Held, result: Place) -> None:
        if held.sort is Sort.BOX:
            # A loop over a dict goes over its keys.
            if not isinstance(held.of, ast.Dict | ast.DictComp):
                self.graph.flows(self.graph.named(("items", held.of)), result)
        elif held.sort is Sort.INSTANCE and isinstance(held.of, ClassInfo):
            self._by_method(held, held.of, "__iter__", result)
        elif held.sort in (Sort.TAINT, Sort.TOP):
            self.graph.put(Held(held.sort), result)
        elif held.sort is Sort.OUTSIDE:
            self.graph.put(_outside(held, "()"), result)

    def load_item(self, box: Place, key: str | int | None, result: Place) -> None:
        """Say that the result is an element of what is at the place."""
        self.graph.when(box, lambda held: self._load_item(held, key, result), ("item", key, result))

    def _load_item(self, held: Held, key: str | int | None, result: Place) -> None:
        if held.sort is Sort.BOX:
            inside = ("items", held.of) if key is None or (isinstance(key, int) and key < 0) else None
            self.graph.flows(self.graph.named(inside) if inside else self.item(held.of, key), result)
            self.graph.flows(self.item(held.of, None), result)
            if isinstance(key, int) and isinstance(held.of, ast.List):
                self.graph.flows(self.graph.named(("items", held.of)), result)
        elif held.sort is Sort.FILE and isinstance(held.of, Source) and isinstance(key, str):
            self.graph.flows(self.graph.named(("name", held.of.tree, key)), result)
        elif held.sort is Sort.INSTANCE and isinstance(held.of, ClassInfo):
            if isinstance(key, str):
                self.graph.flows(self.asked(held.of, key), result)
            self._by_method(held, held.of, "__getitem__", result)
        elif held.sort in (Sort.OUTSIDE, Sort.TOP, Sort.TAINT):
            if isinstance(key, str):
                self._load(held, key, result)
            else:
                self._each(held, result)
                anything = self.graph.named(("any", None))
                self.graph.when(anything, lambda other: self._doubtful(other, result), ("doubtful", result))
        else:
            self.graph.put(OTHER, result)

    def sliced(self, box: Place, node: ast.Subscript, result: Place) -> None:
        """Say that the result is some of the elements of what is at the place, in a container of their own."""

        def act(held: Held) -> None:
            if held.sort is Sort.BOX:
                self.graph.flows(self.graph.named(("items", held.of)), self.item(node, None))
                self.graph.put(Held(Sort.BOX, node), result)
            else:
                self._load_item(held, None, result)

        self.graph.when(box, act, ("sliced", node))

    def _by_method(self, held: Held, owner: ClassInfo, name: str, result: Place) -> None:
        for each in owner.family():
            if name in each.defined:
                place = self.graph.named(("name", each.node, name))
                self.graph.when(place, lambda value: self._given_by(value, name, result), ("given", name, result))

    def _given_by(self, held: Held, name: str, result: Place) -> None:
        if isinstance(held.of, FunctionInfo):
            self.graph.flows(self.returns(held.of), result)
            if name == "__iter__":
                self.graph.flows(self.item(held.of.node, None), result)
                self.graph.when(self.returns(held.of), lambda value: self._each(value, result), ("each", result))

    def store_item(self, box: Place, key: str | int | None, given: Place) -> None:
        """Say that an element is put into what is at the place."""
        if isinstance(key, str):
            self.graph.flows(given, self.graph.named(("any", key)))
        self.graph.flows(given, self.graph.named(("any", None)))
        self.graph.when(box, lambda held: self._store_item(held, key, given), ("store item", key, given))

    def _store_item(self, held: Held, key: str | int | None, given: Place) -> None:
        if held.sort is Sort.BOX:
            self.graph.flows(given, self.item(held.of, key if isinstance(key, str) else None))
        elif held.sort is Sort.FILE and isinstance(held.of, Source) and isinstance(key, str):
            self.graph.flows(given, self.graph.named(("name", held.of.tree, key)))
        elif held.sort is Sort.INSTANCE and isinstance(held.of, ClassInfo) and isinstance(key, str):
            self.graph.flows(given, self.graph.named(("name", held.of.node, key)))

    def pours(self, start: Place, box: object) -> None:
        """Say that the elements of what is at the place come into a container, with their keys."""
        self.graph.when(start, lambda held: self._pour(held, box), ("pour", box))

    def _pour(self, held: Held, box: object) -> None:
        if held.sort is Sort.BOX:
            self.graph.flows(self.graph.named(("items", held.of)), self.item(box, None))
        elif held.sort in (Sort.TOP, Sort.TAINT):
            self.graph.put(held, self.item(box, None))

    # Statements.

    def entered(self, manager: Place, result: Place) -> None:
        """Say that the result is what a `with` binds: what a generator yields, or the manager's method gives."""
        self.graph.when(manager, lambda held: self._enter(held, result), ("enter", result))

    def _enter(self, held: Held, result: Place) -> None:
        if held.sort is Sort.BOX:
            self.graph.flows(self.graph.named(("items", held.of)), result)
        elif held.sort is Sort.INSTANCE and isinstance(held.of, ClassInfo):
            for name in ("__enter__", "__aenter__"):
                self._by_method(held, held.of, name, result)
        else:
            self.graph.put(held, result)

    def awaited(self, start: Place, result: Place) -> None:
        """Say that the result is what awaiting gives. What an async function gives stands for its coroutine too."""
        self.graph.flows(start, result)
        self.graph.when(
            start, lambda held: self._each(held, result) if held.sort is Sort.BOX else None, ("await", result)
        )

    # Functions.

    def decorated(
        self, place: Place, decorator: Place, node: ast.expr, file: FileFlow, info: FunctionInfo
    ) -> Place:
        """Return the place of a function behind a decorator: what a function of the project makes of it, else the
        function itself, which code of other packages may call too."""
        call = ast.copy_location(ast.Call(node, [], []), node)
        shape = CallShape(call, file, (place,), (), ())
        result = self.graph.named(("decorated", node))
        if ast.unparse(node).partition("(")[0].rpartition(".")[2] == "fixture":
            self._fixtures.setdefault(getattr(info.node, "name", ""), []).append(info)
        self.graph.when(decorator, lambda held: self._decorate(held, place, shape, result), ("decorate", node))
        return result

    def _decorate(self, held: Held, place: Place, shape: CallShape, result: Place) -> None:
        if held.sort in (Sort.FUNCTION, Sort.BOUND, Sort.CLASS, Sort.INSTANCE):
            self._calls.arrives(held, shape, result)
        else:
            self.graph.flows(place, result)
            self._calls.escapes(place)

    def fixture_wanted(self, name: str, place: Place, info: FunctionInfo) -> None:
        """Say that a function has a parameter of this name: pytest gives it the fixture."""
        self._wanted.append((name, place, info))

    def annotated(self, place: Place, annotation: ast.expr | None, file: FileFlow, scope: ast.AST) -> None:
        """Say what an annotation says of a place. It counts where nothing else is known of the place."""
        if annotation is None:
            self._typed.append((place, TOP))
            return
        self._typed.append((place, self._of_type(annotation, file, scope, place)))

    def _of_type(self, node: ast.expr, file: FileFlow, scope: ast.AST, place: Place) -> Held:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                parsed = parse_expression(node.value).body
            except SyntaxError:
                return TOP
            return self._of_type(parsed, file, scope, place)
        if isinstance(node, ast.Call):
            # Annotated[Model, Depends(get_model)]
            self.graph.flows(file.value(node, scope), place)
            return OTHER
        if isinstance(node, ast.Name | ast.Attribute):
            self.graph.when(file.value(node, scope), lambda held: self._instance(held, place), ("annotate", place))
            last = node.id if isinstance(node, ast.Name) else node.attr
            return TOP if last in _ANYTHING else OTHER
        parts = list(_parts(node))
        found = [self._of_type(each, file, scope, place) for each in parts]
        return TOP if TOP in found else OTHER

    def _instance(self, held: Held, place: Place) -> None:
        if held.sort is Sort.CLASS:
            self.graph.put(Held(Sort.INSTANCE, held.of), place)
        elif held.sort is Sort.SDK and str(held.of).rpartition(".")[2] in ("Model", "ModelClient"):
            self._typed.append((place, Held(Sort.MODEL, UNKNOWN_MODEL)))
        elif held.sort is Sort.OUTSIDE and not str(held.of).startswith(("builtins.", "typing.")):
            self._typed.append((place, _outside(held, "()")))


def _parts(node: ast.expr) -> Iterable[ast.expr]:
    if isinstance(node, ast.BinOp):
        return (node.left, node.right)
    if isinstance(node, ast.Subscript):
        inner = node.slice
        several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        base = ast.unparse(node.value).rpartition(".")[2]
        return several if base in ("Optional", "Union", "Annotated", "ClassVar", "Final") else ()
    return ()


def _attributes_of(node: ast.ClassDef) -> set[str]:
    """Return the attributes that a class declares, or that its methods set."""
    declared = {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    own = (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
    return declared | {each.attr for each in own if isinstance(each.value, ast.Name) and each.value.id == "self"}


def _outside(held: Held, name: str) -> Held:
    """Return what an attribute of another package's object is: of the same package, by its last name."""
    return Held(Sort.OUTSIDE, f"{str(held.of).split('.')[0]}.{name}")
