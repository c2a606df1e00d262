"""Writes the types that client files are checked with: a ``Model`` that knows the given models."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_emulator.contracts.calls.call_targets import Address
from clarifai_emulator.contracts.stubs import sdk_surface, stub_types
from clarifai_emulator.contracts.stubs.sdk_surface import SdkSurface
from clarifai_emulator.python_source import parse_expression, parse_module

# The argument that the checked copy gives where this package knows which model it is.
CONTRACT_ARGUMENT = "_clarifai_contract_"
CALL_MARK, MODEL_MARK, SDK_MARK = "clarifai-call", "clarifai-model", "clarifai-sdk"
UNKNOWN = -1
# Marks the form of a call that only arguments without a known type fit. It stands before the form for messages,
# which they fit, too.
OPEN = "open"
_NO_VALUE = "NoValue"
# Functions that the checked copies call with what is known to be a model, whatever the type checker takes it for.
IN_NOTEBOOKS = "notebook"
CAST_MODULE = "clarifai_emulator_casts"
ANYTHING = "anything"  # of what a file puts something else in the place of
EACH = "each"  # of what a method gives for each value of a collection
CASTS = {"Model": "model", "Client": "client", "AsyncClient": "async_client"}
MAKES = {"Model": "made_model", "Client": "made_client"}  # of what the SDK makes a model with

_KINDS = {"UNARY_UNARY": "unary", "UNARY_STREAMING": "generate", "STREAMING_STREAMING": "stream"}
_PRELUDE = """\
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping, Set
from typing import Any, Literal, Protocol, SupportsFloat, SupportsIndex, TypeVar, overload
from typing_extensions import deprecated
from clarifai_grpc.grpc.api import resources_pb2
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video
"""
_SHAPES = """
Item = TypeVar("Item", covariant=True)
class Sequenced(Protocol[Item]):
    def __contains__(self, value: object, /) -> bool: ...
    def __iter__(self) -> Iterator[Item]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: SupportsIndex, /) -> Item: ...
class Arrayable(Protocol):
    def __array__(self) -> Any: ...
class NumpyBool(Protocol):
    def __bool__(self) -> bool: ...
    @property
    def dtype(self) -> Any: ...
class PILImage(Protocol):
    @property
    def size(self) -> Any: ...
    def getbands(self) -> Any: ...
class NoValue:
    def __init__(self, value: "NoValue") -> None: ...
class CanaryModel:
    @deprecated("clarifai-call -1 canary unary")
    def canary(self, prompt: str) -> str: ...
Listable = Sequenced[Item] | Iterator[Item] | Set[Item] | Arrayable
Fields = NamedFields
# The SDK says Text of some functions that give an Input.
Proto = resources_pb2.Input | resources_pb2.Text
Protos = list[resources_pb2.Input] | list[resources_pb2.Text] | list[Proto]
class Json(dict[str, Any], list[Any]):
    def __getitem__(self, key: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def pop(self, *args: Any) -> Any: ...
    def items(self) -> Any: ...
    def keys(self) -> Any: ...
    def values(self) -> Any: ...
    def copy(self) -> Any: ...
"""


@dataclass(frozen=True, slots=True)
class StubModel:
    """A given model: its methods as signatures, and its address."""

    name: str
    signatures: Sequence[Any]
    address: Address


def checking_stubs(
    models: Sequence[StubModel], urls: Mapping[str, int], surface: SdkSurface, *, neutral: bool = False
) -> dict[str, str]:
    """File names and texts. ``urls``: which model each address in the clients means. ``surface``: the SDK's own
    names. ``neutral``: the same, except that it knows no types: what is found with these too, has nothing to do
    with the models.
    """
    uses_arrays = any("NDARRAY" in _kinds_of(each) for each in models)
    writer = _Writer(models, urls, surface, neutral)
    text = "\n".join(
        [_PRELUDE, "import numpy as np" if uses_arrays and not neutral else "", _SHAPES, *writer.lines(), ""]
    )
    exports = [f"from {module} import {name} as {name}" for module, name in sdk_surface.client_exports()]
    folder = "clarifai/client"
    return {
        "clarifai/__init__.pyi": "",
        f"{folder}/__init__.pyi": "\n".join([*exports, ""]),
        f"{folder}/model.pyi": text,
        f"{CAST_MODULE}.pyi": "\n".join([*_casts(len(models)), ""]),
        f"{folder}/model_client.pyi": "from clarifai.client.model import ModelClient as ModelClient\n",
        "clarifai/runners/__init__.pyi": "",
        "clarifai/runners/utils/__init__.pyi": "",
        "clarifai/runners/utils/data_types/__init__.pyi": data_types_stub(),
        "clarifai/runners/utils/data_types/data_types.pyi": "from clarifai.runners.utils.data_types import *\n",
    }


def _casts(number: int) -> Iterator[str]:
    yield "from collections.abc import Callable, Iterable"
    yield "from typing import Any, TypeVar"
    yield "from clarifai.client import model"
    yield "T = TypeVar('T')"
    yield f"def {EACH}(values: Iterable[T], /) -> tuple[Callable[..., T], Iterable[T]]: ..."
    yield f"def {ANYTHING}(value: Any, /) -> Any: ..."
    for index in range(number):
        for made, name in CASTS.items():
            yield f"def {name}_{index}(value: Any, /) -> model.{made}_{index}: ..."
        for made, name in MAKES.items():
            yield f"def {name}_{index}(*args: Any, **kwargs: Any) -> model.{made}_{index}: ..."


class _Writer:
    def __init__(
        self, models: Sequence[StubModel], urls: Mapping[str, int], surface: SdkSurface, neutral: bool
    ) -> None:
        self._surface = surface
        self._models = models
        self._urls = urls
        self._neutral = neutral
        self._classes = stub_types.NamedFieldClasses("Fields_{}".format)

    def lines(self) -> Iterator[str]:
        # Methods first: they find the named fields, whose classes may stand anywhere in a stub.
        bodies = [line for index, model in enumerate(self._models) for line in self._model(index, model)]
        yield from self._base("Model", self._surface.model_attributes, "Model")
        yield from self._by_contract("from_current_context", "Model", "Model")
        yield from self._base("ModelClient", self._surface.client_attributes, "Client")
        yield from self._by_contract("from_local_grpc", "Client", "ModelClient")
        yield from bodies
        for shape, name in self._classes.names.items():
            yield from self._fields(name, self._classes.fields[shape])

    def _base(self, name: str, attributes: Iterable[str], made: str) -> Iterator[str]:
        yield f"class {name}:"
        for each in attributes:
            if self._surface.function(each) is None:
                yield f"    {each}: Any"
            else:
                yield from self._sdk_function(UNKNOWN, each)
        for index in range(len(self._models)):
            yield from self._new(index, f"*args: Any, {CONTRACT_ARGUMENT}: Literal[{index}], **kwargs: Any", made)
        if name == "Model":
            for url, index in self._urls.items():
                yield from self._new(index, f"url: Literal[{url!r}], **kwargs: Any", made)
            yield "    client: ModelClient"
            yield "    async_client: ModelClient"
        yield "    @overload"
        yield f'    @deprecated("{MODEL_MARK} {UNKNOWN}")'
        yield f"    def __new__(cls, *args: Any, **kwargs: Any) -> {name}: ..."

    def _new(self, index: int, parameters: str, made: str) -> Iterator[str]:
        yield "    @overload"
        yield f'    @deprecated("{MODEL_MARK} {index}")'
        yield f"    def __new__(cls, {parameters}) -> {made}_{index}: ..."

    def _by_contract(self, name: str, made: str, unknown: str) -> Iterator[str]:
        forms = [
            (f"*args: Any, {CONTRACT_ARGUMENT}: Literal[{index}], **kwargs: Any", f"{made}_{index}")
            for index in range(len(self._models))
        ]
        for parameters, result in [*forms, ("*args: Any, **kwargs: Any", unknown)]:
            if forms:
                yield "    @overload"
            yield "    @classmethod"
            yield f"    def {name}(cls, {parameters}) -> {result}: ..."

    def _model(self, index: int, model: StubModel) -> Iterator[str]:
        hidden = set(self._surface.model_attributes)
        yield f"class Model_{index}(Model):"
        yield f"    client: Client_{index}"
        yield f"    async_client: AsyncClient_{index}"
        for name in sdk_surface.OF_ONE_INPUT:
            yield from self._sdk_function(index, name)
        for signature in model.signatures:
            if signature.name not in hidden:
                yield from self._method(index, signature, takes_protos=signature.name in sdk_surface.FORWARDED)
        for name in sdk_surface.FORWARDED:
            signature = next((each for each in model.signatures if each.name == name), None)
            if signature is not None:
                yield from self._forwarded(index, signature)
        for prefix, method in (("Client", self._method), ("AsyncClient", self._async_method)):
            yield f"class {prefix}_{index}(ModelClient):"
            hidden = set(self._surface.client_attributes)
            for signature in model.signatures:
                if signature.name not in hidden:
                    yield from method(index, signature)
            yield "    ..."

    def _sdk_function(self, index: int, name: str) -> Iterator[str]:
        yield f'    @deprecated("{SDK_MARK} {index} {name}")'
        yield f"    def {name}(self, *args: Any, **kwargs: Any) -> Any: ..."

    def _method(self, index: int, signature: Any, *, takes_protos: bool = False) -> Iterator[str]:
        kind = kind_of(signature)
        mark = f'    @deprecated("{CALL_MARK} {index} {signature.name} {kind}")'
        parameters, result = self._parameters(signature), self._result(signature)
        once = self._once(signature)
        pair = f"tuple[{once}, Any]" if kind == "unary" else f"Iterator[tuple[{once}, Any]]"
        pair = "Any" if self._neutral else pair
        forms = [
            (f"{parameters}, *, with_proto: Literal[False] = ...", result, ""),
            (f"{parameters}, *, with_proto: Literal[True]", pair, ""),
        ]
        if kind == "unary":
            batch = ", batch: list[dict[str, Any]], /"
            forms += [
                (f"{batch}, *, with_proto: Literal[False] = ...", f"list[{once}]", " batch"),
                (f"{batch}, *, with_proto: Literal[True]", f"tuple[list[{once}], Any]", " batch"),
            ]
        if takes_protos:
            inputs = "Protos" if kind != "stream" else "Iterator[Protos]"
            # With messages, the SDK looks at these two and drops all others.
            more = "*, inference_params: Any = ..., output_config: Any = ..., **kwargs: Any"
            forms.append((f", inputs: {_NO_VALUE}, {more}", "Any", f" {OPEN}"))
            forms.append((f", inputs: {inputs}, {more}", "Any", " protos"))
        for form, answer, more in forms:
            yield "    @overload"
            yield mark.replace('")', f'{more}")')
            yield f"    def {signature.name}(self{form}) -> {answer}: ..."

    def _async_method(self, index: int, signature: Any) -> Iterator[str]:
        kind = kind_of(signature)
        yield f'    @deprecated("{CALL_MARK} {index} {signature.name} {kind} async-client")'
        once = self._once(signature)
        result = f"Coroutine[Any, Any, {once}]" if kind == "unary" else f"AsyncIterator[{once}]"
        if self._neutral:
            yield f"    def {signature.name}(self{self._parameters(signature, loose=True)}) -> Any: ..."
            return
        yield f"    async def {signature.name}(self{self._parameters(signature, loose=True)}) -> {result}: ..."

    def _forwarded(self, index: int, signature: Any) -> Iterator[str]:
        """Write the functions of the SDK that call a method asynchronously: what one await gives is a coroutine.
        In a notebook the SDK calls the method as a plain one: there, it is the answer."""
        kind, once = kind_of(signature), self._once(signature)
        parameters = self._parameters(signature, loose=True)
        answers = {
            "unary": "Coroutine[Any, Any, {}]",
            "generate": "Coroutine[Any, Any, AsyncIterator[{}]]",
            "stream": "None",
        }
        forms = [(parameters, once), (f"{parameters}, *, with_proto: Literal[True]", f"tuple[{once}, Any]")]
        if kind == "unary":
            forms.append((", batch: list[dict[str, Any]], /", f"list[{once}]"))
        forms += [(f", inputs: {_NO_VALUE}, **kwargs: Any", "Any"), (", inputs: Protos, **kwargs: Any", "Any")]
        for prefix, way in (("async", "async"), (IN_NOTEBOOKS, "notebook")):
            for number, (form, answer) in enumerate(forms):
                given = answers[kind].format(answer) if way == "async" else answer
                if way == "notebook" and kind != "unary":
                    given = f"Iterator[{answer}]"
                more = {len(forms) - 1: "-protos", len(forms) - 2: f" {OPEN}"}.get(number, "")
                result = "Any" if self._neutral or more else given
                yield "    @overload"
                mark = f"{CALL_MARK} {index} {signature.name} {kind} {way}{more}"
                yield f'    @deprecated("{mark}")'
                form_of = "def" if self._neutral else "async def"
                yield f"    {form_of} {prefix}_{signature.name}(self{form}) -> {result}: ..."

    def _parameters(self, signature: Any, *, loose: bool = False) -> str:
        text = ""
        for field in signature.input_fields:
            tp = "Any" if self._neutral else stub_types.accepted(field)
            if loose and field.iterator:
                tp = "Any"
            text += f", {field.name}: {tp}{'' if field.required else ' = ...'}"
        return text

    def _result(self, signature: Any) -> str:
        self._classes.add(signature.output_fields)
        return "Any" if self._neutral else stub_types.answered(signature.output_fields, self._classes.names)

    def _once(self, signature: Any) -> str:
        self._classes.add(signature.output_fields)
        return "Any" if self._neutral else stub_types.answered_once(signature.output_fields, self._classes.names)

    def _fields(self, name: str, field: Any) -> Iterator[str]:
        yield f"class {name}(NamedFields):"
        for each in field.type_args:
            declared = "Any" if self._neutral else stub_types.answered_once([each], self._classes.names)
            yield f"    {each.name}: {declared}"
        yield "    def __getitem__(self, key: str, /) -> Any: ..."


def kind_of(signature: Any) -> str:
    """Return ``unary``, ``generate`` or ``stream``."""
    from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType

    return _KINDS.get(RunnerMethodType.Name(signature.method_type), "unary")


def data_types_stub() -> str:
    """Return the SDK's data types, read from its source: names as they are there, types where they are Python's
    own."""
    path = sdk_surface.sdk_file("runners/utils/data_types/data_types.py")
    tree = parse_module(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names = {node.name for node in classes}
    lines = ["from typing import Any, Iterable, List, Tuple, Union", "def cast(*args: Any) -> Any: ..."]
    for node in classes:
        lines += _class_stub(node, names) if node.name != "NamedFields" else _NAMED_FIELDS
    return "\n".join([*lines, ""])


_NAMED_FIELDS = [
    "class NamedFields:",
    "    def __init__(self, **kwargs: Any) -> None: ...",
    "    def items(self) -> Any: ...",
    "    def keys(self) -> Any: ...",
    "    def values(self) -> Any: ...",
    "    def __contains__(self, key: str) -> bool: ...",
    "    def __getitem__(self, key: str) -> Any: ...",
    "    def __setitem__(self, key: str, value: Any) -> None: ...",
    "    def __setattr__(self, name: str, value: Any) -> None: ...",
]


def _class_stub(node: ast.ClassDef, names: set[str]) -> Iterator[str]:
    bases = [each.id for each in node.bases if isinstance(each, ast.Name) and each.id in names]
    yield f"class {node.name}{'(' + ', '.join(bases) + ')' if bases else ''}:"
    for each in node.body:
        if isinstance(each, ast.FunctionDef):
            for decorator in each.decorator_list:
                yield f"    @{ast.unparse(decorator)}"
            returns = "None" if each.name == "__init__" else _type(each.returns, names)
            yield f"    def {each.name}({_arguments(each.args, names)}) -> {returns}: ..."
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield f"    {each.target.id}: Any"
    for attribute in _own_attributes(node):
        yield f"    {attribute}: Any"
    yield "    ..."


def _own_attributes(node: ast.ClassDef) -> list[str]:
    properties = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    found = {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == "self"
    }
    return sorted(found - properties)


def _arguments(given: ast.arguments, names: set[str]) -> str:
    plain = [*given.posonlyargs, *given.args]
    without_default = len(plain) - len(given.defaults)
    parts: list[str] = []
    for position, each in enumerate(plain):
        if position == 0 and each.arg in ("self", "cls"):
            parts.append(each.arg)
            continue
        default = given.defaults[position - without_default] if position >= without_default else None
        optional = " | None" if isinstance(default, ast.Constant) and default.value is None else ""
        parts.append(
            f"{each.arg}: {_type(each.annotation, names)}{optional}{' = ...' if default is not None else ''}"
        )
    if given.vararg:
        parts.append(f"*{given.vararg.arg}: Any")
    if given.kwarg:
        parts.append(f"**{given.kwarg.arg}: Any")
    return ", ".join(parts)


def _type(node: ast.expr | None, names: set[str]) -> str:
    """Return the annotation, where everything in it is known here; else ``Any``."""
    if node is None:
        return "Any"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = parse_expression(node.value).body
    known = {*names, "str", "int", "float", "bool", "bytes", "List", "Tuple", "Iterable", "None"}
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    simple = all(isinstance(each, ast.Name | ast.Subscript | ast.Tuple | ast.Load) for each in ast.walk(node))
    # Within Image, `bytes` is its own property.
    return ast.unparse(node) if simple and used <= known - {"bytes"} else "Any"


def _kinds_of(model: StubModel) -> set[str]:
    def kinds(field: Any) -> Iterator[str]:
        yield stub_types.kind(field)
        for each in field.type_args:
            yield from kinds(each)

    return {
        kind
        for signature in model.signatures
        for field in (*signature.input_fields, *signature.output_fields)
        for kind in kinds(field)
    }
