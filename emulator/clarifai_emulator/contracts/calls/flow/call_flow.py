"""Says what calls give: of functions and classes of the project, of the SDK, of containers, of other packages."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clarifai_emulator.contracts.calls.call_targets import CLIENT, CONTEXT, LOCAL, MODEL
from clarifai_emulator.contracts.calls.flow.file_flow import CallShape, ClassInfo, FunctionInfo
from clarifai_emulator.contracts.calls.flow.flow_graph import (
    MODELS,
    OTHER,
    TAINT,
    TOP,
    UNKNOWN_MODEL,
    Held,
    Place,
    Sort,
)
from clarifai_emulator.contracts.calls.flow.outside_flow import OutsideFlow

if TYPE_CHECKING:
    from clarifai_emulator.contracts.calls.flow.model_flow import ModelFlow

_BUILDERS = (CONTEXT, LOCAL, MODEL, CLIENT)
_SDK_OBJECTS = ("App", "User")
# Functions of App, User and Model that give a model.
_GIVING = frozenset({"model", "create_model", "create_version", "patch_version"})
_LISTING = frozenset({"list_models", "list_versions", "list_trainable_model_types"})


class CallFlow:
    """Passes values into calls and out of them."""

    def __init__(self, flow: ModelFlow) -> None:
        self._flow = flow
        self._graph = flow.graph
        self._outside = OutsideFlow(flow, self)
        self._written: dict[tuple[ast.Call, ast.Call], ast.Call] = {}

    def arrives(self, held: Held, shape: CallShape, result: Place) -> None:
        """Say that this value is called."""
        of, sort = held.of, held.sort
        if sort in (Sort.FUNCTION, Sort.BOUND) and isinstance(of, FunctionInfo):
            self._function(of, shape, result, skip=sort is Sort.BOUND)
        elif sort is Sort.CLASS and isinstance(of, ClassInfo):
            self._new(of, shape, result)
        elif sort is Sort.SDK:
            self._sdk(str(of), shape, result)
        elif sort is Sort.SDK_METHOD and isinstance(of, tuple):
            self._sdk_method(of[0], str(of[1]), shape, result)
        elif sort is Sort.OUTSIDE:
            self._outside.calls(str(of), shape, result)
        elif sort is Sort.BOX_METHOD and isinstance(of, tuple):
            self._outside.box_method(of[0], str(of[1]), shape, result)
        elif sort is Sort.PARTIAL and isinstance(of, ast.Call):
            self._outside.partial(of, shape, result)
        elif sort is Sort.INSTANCE and isinstance(of, ClassInfo):
            self._flow.call(self._flow.attribute(held, "__call__"), shape, result)
        elif sort is Sort.TAINT:
            self._graph.put(TAINT, result)
        elif sort is Sort.TOP:
            self._outside.unknown(shape, result)
            self._graph.put(TOP, result)
        elif sort is Sort.METHOD:
            self._graph.put(OTHER, result)

    # Of the project.

    def _function(self, function: FunctionInfo, shape: CallShape, result: Place, *, skip: bool) -> None:
        self.bind(function, shape, skip=skip)
        if function.generates:
            self._graph.put(Held(Sort.BOX, function.node), result)
        else:
            self._graph.flows(self._flow.returns(function), result)

    def bind(self, function: FunctionInfo, shape: CallShape, *, skip: bool) -> None:
        """Pass the arguments of a call to the parameters; ``skip``: the first one has its value."""
        node = function.node
        positional = function.positional[1:] if skip else function.positional
        more = node.args.vararg
        for position, place in enumerate(shape.args):
            if position < len(positional):
                self._graph.flows(place, self._parameter(function, positional[position]))
            elif more is not None:
                self._graph.flows(place, self._flow.item(more, None))
        by_name = set(function.by_name)
        for name, place in shape.keywords:
            if name in by_name:
                self._graph.flows(place, self._parameter(function, name))
            elif node.args.kwarg is not None:
                self._graph.flows(place, self._flow.item(node.args.kwarg, name))
        self._starred(function, shape, positional[len(shape.args) :], skip=skip)

    def _starred(self, function: FunctionInfo, shape: CallShape, rest: Sequence[str], *, skip: bool) -> None:
        """Pass arguments that are unpacked; ``rest``: the parameters that have none by position."""
        node = function.node
        for star in shape.stars:
            inner = self._flow.items(star)
            for name in rest:
                self._graph.flows(inner, self._parameter(function, name))
            if node.args.vararg is not None:
                self._graph.flows(inner, self._flow.item(node.args.vararg, None))
        for star in shape.double_stars:
            for name in function.by_name[1:] if skip else function.by_name:
                self._named(star, name, self._parameter(function, name))
            if node.args.kwarg is not None:
                self._flow.pours(star, node.args.kwarg)

    def _named(self, star: Place, name: str, parameter: Place) -> None:
        """Pass what a dict has under the name."""

        def act(held: Held) -> None:
            if held.sort is Sort.BOX:
                self._graph.flows(self._flow.item(held.of, name), parameter)
                self._graph.flows(self._flow.item(held.of, None), parameter)

        self._graph.when(star, act, ("unpack", name, parameter))

    def _parameter(self, function: FunctionInfo, name: str) -> Place:
        return self._graph.named(("name", function.node, name))

    def _new(self, owner: ClassInfo, shape: CallShape, result: Place) -> None:
        self._graph.put(Held(Sort.INSTANCE, owner), result)
        if any("__init__" in each.defined for each in owner.family()):
            self._graph.when(
                self._flow.asked(owner, "__init__"),
                lambda held: self.bind(held.of, shape, skip=True) if isinstance(held.of, FunctionInfo) else None,
                ("new", shape.node),
            )
            return
        # A dataclass, a named tuple, a pydantic model: the arguments are its attributes.
        declared = [
            each.target.id
            for each in owner.node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        ]
        for name, place in (*zip(declared, shape.args, strict=False), *shape.keywords):
            self._graph.flows(place, self._graph.named(("name", owner.node, name)))

    def escapes(self, place: Place) -> None:
        """Say that code of other packages gets what is there, and may call it with anything."""

        def act(held: Held) -> None:
            if held.sort in (Sort.FUNCTION, Sort.BOUND) and isinstance(held.of, FunctionInfo):
                for name in held.of.by_name[1 if held.of.way in ("method", "class") else 0 :]:
                    self._graph.put(TOP, self._parameter(held.of, name))

        self._graph.when(place, act, "escape")

    # Of the SDK.

    def _sdk(self, name: str, shape: CallShape, result: Place) -> None:
        last = name.rpartition(".")[2]
        builder = next((each for each in _BUILDERS if name.endswith(f".{each}")), None)
        if builder is not None:
            self.built(builder, shape, result)
        elif last in _SDK_OBJECTS:
            self._graph.put(Held(Sort.SDK_OBJECT, (last, shape.node)), result)
        elif last in _GIVING:
            self._graph.put(Held(Sort.MODEL, UNKNOWN_MODEL), result)
        elif last in _LISTING:
            self._graph.put(TAINT, result)
        else:
            self._graph.put(OTHER, result)

    def built(self, builder: str, shape: CallShape, result: Place) -> None:
        """Say which model is built here."""
        found = self._flow.built_at(shape, builder)
        sort = Sort.MODEL if builder in (MODEL, CONTEXT) else Sort.CLIENT
        number = found.index
        if number is None:
            number = self._flow.unknown.number(found, shape.file.source)
        self._graph.put(Held(sort, number), result)

    def _sdk_method(self, owner: tuple[str, ast.Call], name: str, shape: CallShape, result: Place) -> None:
        if name == "app" and owner[0] == "User":
            call = self._written.setdefault((owner[1], shape.node), _with_user(owner[1], shape.node))
            self._graph.put(Held(Sort.SDK_OBJECT, ("App", call)), result)
        elif name == "model" and owner[0] == "App":
            call = self._written.setdefault((owner[1], shape.node), _of_app(owner[1], shape.node))
            self.built(MODEL, CallShape(call, shape.file, (), ()), result)
        elif name in _GIVING:
            self._graph.put(Held(Sort.MODEL, UNKNOWN_MODEL), result)
        elif name in _LISTING:
            self._graph.put(TAINT, result)
        else:
            self._graph.put(OTHER, result)

    def taints(self, start: Place, result: Place) -> None:
        """Say that the result may be, or hold, what is at the place, where that is a model."""
        looked_into = set[Held]()  # what holds itself is looked into once

        def act(held: Held) -> None:
            if held in looked_into:
                return
            looked_into.add(held)
            if held.sort in MODELS or held.sort is Sort.TAINT:
                self._graph.put(TAINT, result)
            elif held.sort is Sort.BOX:
                self._graph.when(self._graph.named(("items", held.of)), act, ("taint", result))
            elif held.sort in (Sort.FUNCTION, Sort.BOUND) and isinstance(held.of, FunctionInfo):
                self._graph.when(self._flow.returns(held.of), act, ("taint", result))

        self._graph.when(start, act, ("taint", result))


def _of_app(app: ast.Call, call: ast.Call) -> ast.Call:
    """Write `App(app_id=…, user_id=…).model(model_id=…)` as `Model(…)`."""
    ids = [each for each in app.keywords if each.arg in ("app_id", "user_id")]
    given = [each for each in call.keywords if each.arg in ("model_id", "app_id", "user_id")]
    if call.args:
        given.append(ast.keyword("model_id", call.args[0]))
    names = {each.arg for each in given}
    if app.args or not ids:
        ids.append(ast.keyword("url", app.args[0] if app.args else app))
    rest = [each for each in ids if each.arg not in names]
    return ast.copy_location(ast.Call(call.func, [], [*given, *rest]), call)


def _with_user(user: ast.Call, app: ast.Call) -> ast.Call:
    """Write `User(user_id=…).app(app_id=…)` as `App(…)`."""
    ids = [each for each in user.keywords if each.arg == "user_id"]
    if user.args:
        ids.append(ast.keyword("user_id", user.args[0]))
    given = list(app.keywords)
    if app.args:
        given.append(ast.keyword("app_id", app.args[0]))
    return ast.copy_location(ast.Call(app.func, [], [*given, *ids]), app)
