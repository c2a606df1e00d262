"""Says what calls of builtins, the standard library and other packages give."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.calls.call_sites import PASSING
from clarifai_emulator.contracts.calls.flow.file_flow import CallShape
from clarifai_emulator.contracts.calls.flow.flow_graph import OTHER, TAINT, Held, Place, Sort

if TYPE_CHECKING:
    from clarifai_emulator.contracts.calls.flow.call_flow import CallFlow
    from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow

_COLLECTING = frozenset(
    {
        "list",
        "tuple",
        "set",
        "frozenset",
        "sorted",
        "reversed",
        "iter",
        "deque",
        "cycle",
        "chain",
        "filter",
        "islice",
    }
)
_MAPPING = frozenset({"dict", "defaultdict", "OrderedDict", "ChainMap", "SimpleNamespace", "Namespace", "UserDict"})
_ONE_OF = frozenset({"next", "max", "min", "choice", "anext"})
_THE_SAME = frozenset(
    {"copy", "deepcopy", "nullcontext", "closing", "aclosing", "replace", "run", "wait_for", "shield",
     "staticmethod", "create_task", "ensure_future", "run_until_complete", "vars", "cast",
     "run_coroutine_threadsafe", "proxy"}
)  # fmt: skip
_TAKING = frozenset(
    {"get", "pop", "popleft", "get_nowait", "result", "setdefault", "__getitem__", "send", "popitem"}
)
_PUTTING = frozenset({"append", "appendleft", "add", "put", "put_nowait", "push", "insert", "setdefault"})
_POURING = frozenset({"extend", "update", "union"})
# Functions of other packages that keep what they are given, or give it back: what becomes of it is followed.
FOLLOWED = frozenset(
    {*_COLLECTING, *_MAPPING, *_ONE_OF, *_THE_SAME, "gather", "partial", "Depends", "field", "enumerate", "ref"}
)


class OutsideFlow:
    """Passes values through code that is not the project's."""

    def __init__(self, flow: ModelFlow, calls: CallFlow) -> None:
        self._flow = flow
        self._graph = flow.graph
        self._calls = calls
        self._partials: dict[ast.Call, CallShape] = {}
        self._merged: dict[tuple[ast.Call, ast.Call], ast.Call] = {}

    def calls(self, name: str, shape: CallShape, result: Place) -> None:
        """Say that a function of another package, or a builtin, is called."""
        root, _, rest = name.partition(".")
        last = rest.rpartition(".")[2] or root
        act = getattr(self, f"_call_{last}", None)
        if root != "builtins" and last != "map" and hasattr(builtins, last):
            # A method that has the name of a builtin: `variable.set(model)`.
            self.unknown(shape, result)
            self._graph.put(Held(Sort.OUTSIDE, f"{root}.()"), result)
        elif act is not None:
            act(shape, result)
        elif last in PASSING and len(shape.args) > PASSING[last]:
            self._passing(PASSING[last], shape, result, last)
        elif last in _COLLECTING:
            self._collect(shape, result)
        elif last in _MAPPING:
            self._mapping(shape, result)
        elif last in _ONE_OF:
            self._one_of(shape, result)
        elif last in _THE_SAME and shape.args:
            self._graph.flows(shape.args[-1] if last == "cast" else shape.args[0], result)
        else:
            if root != "builtins":
                self.unknown(shape, result)
            self._graph.put(Held(Sort.OUTSIDE, f"{root}.()") if root != "builtins" else OTHER, result)

    def unknown(self, shape: CallShape, result: Place) -> None:
        """Say that unknown code gets the arguments: what it gives may be one of them, or hold one, and so may the
        object whose method it is."""
        function = shape.node.func
        owner = self._graph.named(function.value) if isinstance(function, ast.Attribute) else result
        for each in shape.every:
            self._calls.escapes(each)
            self._calls.taints(each, result)
            self._calls.taints(each, owner)

    # Functions that are known by their name.

    def _call_partial(self, shape: CallShape, result: Place) -> None:
        self._partials[shape.node] = shape
        self._graph.put(Held(Sort.PARTIAL, shape.node), result)

    _call_partialmethod = _call_partial
    _call_Singleton = _call_partial
    _call_ThreadSafeSingleton = _call_partial

    def _call_replace(self, shape: CallShape, result: Place) -> None:
        """Say that an object is copied, with other attributes."""
        if shape.args:
            self._graph.flows(shape.args[0], result)
            for name, place in shape.keywords:
                self._flow.store(shape.args[0], name, place)

    _call_evolve = _call_replace

    def partial(self, made: ast.Call, shape: CallShape, result: Place) -> None:
        """Say that what ``functools.partial`` made is called."""
        first = self._partials.get(made)
        if first is None or not first.args:
            return
        key = (made, shape.node)
        if key not in self._merged:
            args, keywords = [*made.args[1:], *shape.node.args], [*made.keywords, *shape.node.keywords]
            self._merged[key] = ast.copy_location(ast.Call(made.args[0], args, keywords), shape.node)
        call = self._merged[key]
        names = {name for name, _ in shape.keywords}
        merged = CallShape(
            call,
            shape.file,
            (*first.args[1:], *shape.args),
            (*(each for each in first.keywords if each[0] not in names), *shape.keywords),
            (*first.stars, *shape.stars),
            (*first.double_stars, *shape.double_stars),
        )
        self._graph.when(
            first.args[0], lambda held: self._calls.arrives(held, merged, result), ("partial", call, result)
        )

    def _call_classmethod(self, shape: CallShape, result: Place) -> None:
        def act(held: Held) -> None:
            self._graph.put(Held(Sort.BOUND, held.of) if held.sort is Sort.FUNCTION else held, result)

        if shape.args:
            self._graph.when(shape.args[0], act, ("class method", shape.node))

    def _call_property(self, shape: CallShape, result: Place) -> None:
        getter = shape.first("fget")
        if getter is not None:
            self._flow.call(getter, self._bare(shape), result)

    _call_cached_property = _call_property

    def _call_getattr(self, shape: CallShape, result: Place) -> None:
        node = shape.node.args
        if len(node) >= 2 and isinstance(node[1], ast.Constant) and isinstance(node[1].value, str):
            self._flow.load(shape.args[0], node[1].value, result)
        elif shape.args:
            self._calls.taints(shape.args[0], result)
        for each in shape.args[2:]:
            self._graph.flows(each, result)

    def _call_setattr(self, shape: CallShape, result: Place) -> None:
        node = shape.node.args
        if len(shape.args) == 3:
            key = node[1].value if isinstance(node[1], ast.Constant) else None
            if isinstance(key, str):
                self._flow.store(shape.args[0], key, shape.args[2])
            else:
                self._flow.store_item(shape.args[0], None, shape.args[2])
        self._graph.put(OTHER, result)

    def _call_globals(self, shape: CallShape, result: Place) -> None:
        self._graph.put(Held(Sort.FILE, shape.file.source), result)

    def _call_import_module(self, shape: CallShape, result: Place) -> None:
        name = shape.node.args[0] if shape.node.args else None
        found = (
            self._flow.module(shape.file.source, name.value)
            if isinstance(name, ast.Constant) and isinstance(name.value, str)
            else None
        )
        self._graph.flows(found if found is not None else self._graph.of(TAINT), result)

    def _call___import__(self, shape: CallShape, result: Place) -> None:
        name = shape.node.args[0] if shape.node.args else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            found = self._flow.module(shape.file.source, name.value.split(".")[0])
            if found is not None:
                self._graph.flows(found, result)

    def _call_super(self, shape: CallShape, result: Place) -> None:
        owner = shape.file.class_at(shape.node)
        if owner is not None:
            self._graph.put(Held(Sort.SUPER, owner), result)

    def _call_type(self, shape: CallShape, result: Place) -> None:
        if shape.args:
            self._graph.when(
                shape.args[0],
                lambda held: (
                    self._graph.put(Held(Sort.CLASS, held.of), result) if held.sort is Sort.INSTANCE else None
                ),
                ("type", result),
            )

    def _call_field(self, shape: CallShape, result: Place) -> None:
        factory, default = shape.keyword("default_factory"), shape.keyword("default")
        if factory is not None:
            self._flow.call(factory, self._bare(shape), result)
        if default is not None:
            self._graph.flows(default, result)

    _call_Field = _call_field
    _call_PrivateAttr = _call_field
    _call_ib = _call_field

    def _call_Depends(self, shape: CallShape, result: Place) -> None:
        given = shape.first("dependency")
        if given is not None:
            made = self._graph.named(("depends", shape.node))
            self._flow.call(given, self._bare(shape), made)
            self._flow.entered(made, result)

    _call_Security = _call_Depends

    def _call_Thread(self, shape: CallShape, result: Place) -> None:
        target, given = shape.keyword("target"), shape.keyword("args")
        named = shape.keyword("kwargs")
        if target is not None:
            stars = (given,) if given is not None else ()
            double = (named,) if named is not None else ()
            inner = CallShape(shape.node, shape.file, (), (), stars, double)
            self._flow.call(target, inner, self._graph.named(("thread", shape.node)))
        self._graph.put(OTHER, result)

    _call_Process = _call_Thread

    def _call_map(self, shape: CallShape, result: Place) -> None:
        if shape.args:
            given = tuple(self._flow.items(each) for each in shape.args[1:])
            self._flow.call(
                shape.args[0], replace(self._bare(shape), args=given), self._flow.item(shape.node, None)
            )
        self._graph.put(Held(Sort.BOX, shape.node), result)

    _call_starmap = _call_map

    def _call_gather(self, shape: CallShape, result: Place) -> None:
        for position, each in enumerate(shape.args):
            self._graph.flows(each, self._flow.item(shape.node, position))
        for each in shape.stars:
            self._graph.flows(self._flow.items(each), self._flow.item(shape.node, None))
        self._graph.put(Held(Sort.BOX, shape.node), result)

    def _call_enumerate(self, shape: CallShape, result: Place) -> None:
        self._pairs(shape, result, {1: shape.args[0]} if shape.args else {})

    def _call_zip(self, shape: CallShape, result: Place) -> None:
        self._pairs(shape, result, dict(enumerate(shape.args)))

    def _pairs(self, shape: CallShape, result: Place, parts: dict[int, Place]) -> None:
        pair = ("pair", shape.node)
        for position, each in parts.items():
            self._graph.flows(self._flow.items(each), self._flow.item(pair, position))
        self._graph.put(Held(Sort.BOX, pair), self._flow.item(shape.node, None))
        self._graph.put(Held(Sort.BOX, shape.node), result)

    def _call_ref(self, shape: CallShape, result: Place) -> None:
        """Say that a weak reference, or its like, is made: it gives what it refers to when it is called."""
        if shape.args:
            self._graph.flows(shape.args[0], result)
            self._graph.flows(shape.args[0], self._flow.item(shape.node, None))
            self._graph.put(Held(Sort.BOX_METHOD, (shape.node, "pop")), result)

    def _bare(self, shape: CallShape) -> CallShape:
        return CallShape(shape.node, shape.file, (), ())

    # Kinds of functions.

    def _passing(self, skipped: int, shape: CallShape, result: Place, name: str) -> None:
        """Say that what is given is called: ``to_thread(f, x)`` gives what ``f(x)`` gives, or a future of it."""
        call = ast.copy_location(
            ast.Call(shape.node.args[skipped], shape.node.args[skipped + 1 :], shape.node.keywords), shape.node
        )
        inner = replace(shape, node=call, args=shape.args[skipped + 1 :])
        given = self._flow.item(shape.node, None) if name == "submit" else result
        self._flow.call(shape.args[skipped], inner, given)
        if name == "submit":
            self._graph.put(Held(Sort.BOX, shape.node), result)

    def _collect(self, shape: CallShape, result: Place) -> None:
        for each in (*shape.args, *shape.stars):
            self._graph.flows(self._flow.items(each), self._flow.item(shape.node, None))
            self._graph.when(each, lambda held: self._keyed(held, shape.node), ("keyed", shape.node))
        self._graph.put(Held(Sort.BOX, shape.node), result)

    def _keyed(self, held: Held, node: ast.Call) -> None:
        """Pass the elements on that are found by their position only."""
        if held.sort is Sort.BOX and isinstance(held.of, ast.Dict | ast.DictComp):
            return
        self._flow.pours(self._graph.of(held), node)

    def _mapping(self, shape: CallShape, result: Place) -> None:
        for name, place in shape.keywords:
            self._graph.flows(place, self._flow.item(shape.node, name))
            self._graph.flows(place, self._graph.named(("field", shape.node, name)))
        for each in (*shape.args, *shape.double_stars):
            self._flow.pours(each, shape.node)
            self._graph.when(each, lambda held: self._factory(held, shape), ("factory", shape.node))
        self._graph.put(Held(Sort.BOX, shape.node), result)

    def _factory(self, held: Held, shape: CallShape) -> None:
        if held.sort in (Sort.FUNCTION, Sort.CLASS, Sort.PARTIAL, Sort.BOUND):
            self._calls.arrives(held, self._bare(shape), self._flow.item(shape.node, None))

    def _one_of(self, shape: CallShape, result: Place) -> None:
        if shape.args:
            self._graph.flows(self._flow.items(shape.args[0]), result)
        for each in shape.args[1:]:
            self._graph.flows(each, result)

    # Methods of containers.

    def box_method(self, box: object, name: str, shape: CallShape, result: Place) -> None:
        """Say that a method of a container is called."""
        for star in shape.stars:
            inner = self._flow.items(star)
            shape = replace(shape, args=(*shape.args, inner), stars=())
        if name in _PUTTING and shape.args:
            key = shape.node.args[0] if name == "setdefault" else None
            value = key.value if isinstance(key, ast.Constant) else None
            place = self._flow.item(box, value if isinstance(value, str) else None)
            self._graph.flows(shape.args[-1], place)
        if name in _POURING:
            for each in shape.args:
                self._flow.pours(each, box)
            for key, place in shape.keywords:
                self._graph.flows(place, self._flow.item(box, key))
        if name in _TAKING:
            self._take(box, shape, result)
        elif name in ("copy", "union", "__iter__") or (name in ("values", "items") and isinstance(box, tuple)):
            self._graph.put(Held(Sort.BOX, box), result)
        elif name == "values":
            self._graph.flows(self._graph.named(("items", box)), self._flow.item((box, "values"), None))
            self._graph.put(Held(Sort.BOX, (box, "values")), result)
        elif name == "items":
            pair = (box, "pair")
            self._graph.flows(self._graph.named(("items", box)), self._flow.item(pair, 1))
            self._graph.put(Held(Sort.BOX, pair), self._flow.item((box, "items"), None))
            self._graph.put(Held(Sort.BOX, (box, "items")), result)
        else:
            self._graph.put(OTHER, result)

    def _take(self, box: object, shape: CallShape, result: Place) -> None:
        nodes = shape.node.args
        key = nodes[0].value if nodes and isinstance(nodes[0], ast.Constant) else None
        if isinstance(key, str):
            self._graph.flows(self._flow.item(box, key), result)
            self._graph.flows(self._flow.item(box, None), result)
        else:
            self._graph.flows(self._graph.named(("items", box)), result)
        for each in shape.args[1:]:
            self._graph.flows(each, result)
