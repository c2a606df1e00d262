"""Finds which of the given models a client builds, where it builds one.

Model("https://clarifai.com/me/main/models/hello")   Model(model_id="hello", user_id="me", app_id="main")
Model.from_current_context()   ModelClient(…)   ModelClient.from_local_grpc(port=8000)
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarifai_emulator.contracts.calls.client_source import Source
from clarifai_emulator.contracts.calls.constants import Evaluator, Modules, UnknownValue
from clarifai_emulator.messages.address import SITE, ModelAddress

MODEL, CLIENT = "Model", "ModelClient"
CONTEXT, LOCAL = "Model.from_current_context", "ModelClient.from_local_grpc"
_BUILDERS = (MODEL, CLIENT, CONTEXT, LOCAL)
# Stands for every model that is only known when the client runs.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Address:
    """The name of a model: ids, each empty if it is not given; or ``any``; or a port on this machine."""

    user_id: str = ""
    app_id: str = ""
    model_id: str = ""
    port: int = 0
    any: bool = False

    def __str__(self) -> str:
        if self.any:
            return ANY
        if self.port:
            return f"localhost:{self.port}"
        return ModelAddress(self.user_id, self.app_id, self.model_id).name

    def covers(self, other: Address) -> bool:
        """Tell whether a client that says ``other`` means this model; an id that one side does not say agrees."""
        if self.port or other.port:
            return self.port == other.port
        pairs = ((self.user_id, other.user_id), (self.app_id, other.app_id), (self.model_id, other.model_id))
        return bool(other.model_id) and all(mine == theirs or not mine or not theirs for mine, theirs in pairs)


class NotAnAddress(Exception):
    """A text that the SDK does not take for the address of a model. The text says why."""


@dataclass(frozen=True, slots=True)
class GivenModel:
    """A model directory and the address that clients use: a URL, ``localhost:PORT``, ``*``, or empty for the ids in
    its config.yaml."""

    directory: Path
    address: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A place that builds a model. ``index``: which of the given models; ``None`` with the reason."""

    call: ast.Call
    builder: str
    index: int | None
    reason: str = ""
    address: str = ""


def read_address(text: str) -> Address:
    """Return a URL as the SDK reads it, ``USER/APP/models/ID``, ``localhost:PORT`` or ``*``. Raises
    ``NotAnAddress``."""
    if text == ANY:
        return Address(any=True)
    host, _, port = text.partition(":")
    if host == "localhost" and port.isdigit():
        return Address(port=int(port))
    if "://" not in text and text.count("/") == 3:
        text = f"{SITE}{text}"
    # The SDK looks at the parts of the path alone, whatever the host is.
    parts = text.removeprefix("https://").removeprefix("http://").split("?")[0].split("#")[0].split("/")
    if len(parts) not in (5, 7) or not all(parts[1:5]):
        raise NotAnAddress(f"'{text}' is no address of a model: {SITE}USER/APP/models/ID")
    return Address(parts[1], parts[2], parts[4])


class GivenAddresses:
    """The given models, and which of them a place in a client means."""

    def __init__(self, addresses: Sequence[Address], unreadable: Collection[int] = ()) -> None:
        """Take the addresses in the order of the models. ``unreadable``: those whose methods could not be read."""
        self.addresses = addresses
        self._unreadable = unreadable
        self._any = next((index for index, each in enumerate(addresses) if each.any), None)

    def find(self, wanted: Address) -> int | None:
        """Return the model that has this address; one that says more of it comes first."""
        found = [index for index, each in enumerate(self.addresses) if not each.any and each.covers(wanted)]
        return max(found, key=lambda index: bool(self.addresses[index].user_id), default=None)

    def built(self, source: Source, modules: Modules, evaluator: Evaluator) -> Iterator[Built]:
        """Yield every place of the source that builds a model."""
        for node in source.calls:
            builder = sdk_name(node.func, evaluator, modules, source)
            if builder in _BUILDERS:
                yield self.built_by(node, builder, evaluator)

    def built_by(self, call: ast.Call, builder: str, evaluator: Evaluator) -> Built:
        """Return which model the call builds. ``builder``: what it calls, by its name in the SDK."""
        found = self._built(call, builder, evaluator)
        if found.index is None or found.index not in self._unreadable:
            return found
        return Built(call, builder, None, "the methods of this model could not be read")

    def _built(self, call: ast.Call, builder: str, evaluator: Evaluator) -> Built:
        if builder == MODEL:
            return self._model(call, evaluator)
        if builder == LOCAL:
            return self._local(call, evaluator)
        if self._any is not None:
            return Built(call, builder, self._any)
        if len(self.addresses) == 1:
            return Built(call, builder, 0)
        where = "the current context" if builder == CONTEXT else "its request template"
        return Built(call, builder, None, f"which model it is, {where} says when the client runs")

    def _model(self, call: ast.Call, evaluator: Evaluator) -> Built:
        try:
            address = _address(call, evaluator)
        except UnknownValue as error:
            if self._any is not None:
                return Built(call, MODEL, self._any)
            return Built(call, MODEL, None, f"which model it is, cannot be seen: {error}")
        except NotAnAddress as error:
            return Built(call, MODEL, None, str(error), address="-")
        index = self.find(address)
        if index is None:
            index = self._any
        return Built(call, MODEL, index, "" if index is not None else "not given", str(address))

    def _local(self, call: ast.Call, evaluator: Evaluator) -> Built:
        given = {each.arg: each.value for each in call.keywords if each.arg}
        node = call.args[0] if call.args else given.get("port")
        try:
            port = 8000 if node is None else int(evaluator.value(node))
        except (UnknownValue, TypeError, ValueError):
            port = 0
        index = self.find(Address(port=port)) if port else None
        if index is None:
            index = self._any if self._any is not None or len(self.addresses) != 1 else 0
        return Built(call, LOCAL, index, "" if index is not None else f"no --model DIR=localhost:{port} was given")


def _address(call: ast.Call, evaluator: Evaluator) -> Address:
    given: dict[str, ast.expr] = {each.arg: each.value for each in call.keywords if each.arg}
    unpacked = [each.value for each in call.keywords if not each.arg]
    if any(isinstance(each, ast.Starred) for each in call.args):
        raise UnknownValue("its arguments are unpacked")
    given.update(zip(("url", "model_id"), call.args, strict=False))
    values: dict[str, Any] = {}
    for node in unpacked:
        values.update(evaluator.value(node))
    for name in ("url", "model_id", "user_id", "app_id"):
        if name in given:
            values[name] = evaluator.value(given[name])
    if values.get("url"):
        return read_address(str(values["url"]))
    if values.get("model_id"):
        user, app, model = (str(values.get(name) or "") for name in ("user_id", "app_id", "model_id"))
        return Address(user, app, model)
    raise NotAnAddress("Model() needs a url or a model_id")


def is_of_sdk(module: str) -> bool:
    """Tell whether a module is one of the SDK. Before version 9 it had classes of the same names in another one."""
    return module.split(".")[0] == "clarifai" and module.split(".")[:2] != ["clarifai", "rest"]


def sdk_name(node: ast.expr, evaluator: Evaluator, modules: Modules, source: Source, depth: int = 0) -> str:
    """Name what the expression is in the SDK: ``Model``, ``Model.from_current_context``, …; empty for anything
    else."""
    if isinstance(node, ast.Name):
        return _sdk_binding(node.id, evaluator.bound(node), evaluator, modules, source, depth)
    if not isinstance(node, ast.Attribute):
        return ""
    inner = sdk_name(node.value, evaluator, modules, source, depth)
    if inner.startswith("clarifai"):
        return node.attr if node.attr in (MODEL, CLIENT) else f"{inner}.{node.attr}"
    return f"{inner}.{node.attr}" if inner in (MODEL, CLIENT) else ""


def _sdk_binding(name: str, found: Any, evaluator: Evaluator, modules: Modules, source: Source, depth: int) -> str:
    aliases = [each for each in (found[1] if found else ()) if isinstance(each, ast.alias)]
    if not aliases or depth > 5:
        return ""
    statement = evaluator.bindings(found[0]).froms[aliases[0]]
    if isinstance(statement, ast.Import):
        whole = aliases[0].name if aliases[0].asname else name
        return whole if is_of_sdk(whole) else ""
    module = statement.module or ""
    if statement.level == 0 and is_of_sdk(module):
        return aliases[0].name if aliases[0].name in (MODEL, CLIENT) else f"{module}.{aliases[0].name}"
    other = modules.find(module, statement.level, source)
    if other is None:
        return ""
    inner = Evaluator(other, modules)
    try:
        values = inner.bindings(other.tree).names.get(aliases[0].name, [])
    except SyntaxError:
        return ""
    return _sdk_binding(aliases[0].name, (other.tree, values), inner, modules, other, depth + 1)
