"""Makes correct clients for every method of some models, and breaks them by rule.

A client is a small program that builds a model in one of several ways and calls one method in one of several forms.
``correct`` gives all of them; ``mutations`` changes one thing of each: a name, an argument, a value, a use, or the
model instead of the client. Nothing is chosen by hand; the seed decides which form a mutation is written in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

HEAD = """\
import asyncio
import os
import sys
from collections.abc import Iterator

import numpy as np
from clarifai.client import Model
from clarifai.client.model_client import ModelClient
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video

"""
RIGHT: dict[str, tuple[str, str]] = {
    "STR": ('"Hello"', "str"),
    "BYTES": ('b"Hello"', "bytes"),
    "INT": ("3", "int"),
    "FLOAT": ("0.5", "float"),
    "BOOL": ("True", "bool"),
    "NDARRAY": ("np.zeros((2, 2))", "np.ndarray"),
    "JSON_DATA": ('{"key": 1}', "dict"),
    "TEXT": ('Text("Hello")', "Text"),
    "IMAGE": ('Image.from_url("https://example.com/a.png")', "Image"),
    "CONCEPT": ('Concept("cat", value=0.9)', "Concept"),
    "REGION": ("Region(box=[0.1, 0.1, 0.9, 0.9])", "Region"),
    "FRAME": ("Frame(time=1.5)", "Frame"),
    "AUDIO": ('Audio(url="https://example.com/a.mp3")', "Audio"),
    "VIDEO": ('Video(url="https://example.com/a.mp4")', "Video"),
}
WRONG: dict[str, list[tuple[str, str]]] = {
    "STR": [("3", "int"), ('b"x"', "bytes"), ("None", "None"), ('["x"]', "list[str]"), ("0.5", "float")],
    "BYTES": [('"x"', "str"), ("3", "int")],
    "INT": [('"3"', "str"), ("1.5", "float"), ("True", "bool"), ("None", "None")],
    "FLOAT": [('"0.5"', "str"), ("[0.5]", "list[float]")],
    "BOOL": [('"yes"', "str"), ("None", "None")],
    "NDARRAY": [('"x"', "str")],
    "JSON_DATA": [('"x"', "str"), ("3", "int")],
    "TEXT": [("3", "int")],
    "IMAGE": [('"https://example.com/a.png"', "str"), ('b"x"', "bytes")],
    "CONCEPT": [("3", "int")],
    "REGION": [('"x"', "str")],
    "FRAME": [('"x"', "str")],
    "AUDIO": [('"x"', "str")],
    "VIDEO": [('"x"', "str")],
    "NAMED_FIELDS": [('"x"', "str"), ("3", "int")],
    "TUPLE": [('"x"', "str"), ("3", "int")],
    "LIST": [('"abc"', "str"), ('{"k": 1}', "dict[str, int]"), ("3", "int")],
}
MISUSES: dict[str, list[str]] = {
    "STR": ["result.append(1)", "result + 1", "result.text", "number: int = result"],
    "BYTES": ["result.encode()", "result.text"],
    "INT": ["result.upper()", "result[0]", "len(result)"],
    "FLOAT": ["result.upper()", "result[0]"],
    "BOOL": ["result.upper()", "result[0]"],
    "NDARRAY": ["result.upper()"],
    "JSON_DATA": ["result.upper()", "result + 1"],
    "TEXT": ["result.upper()", "result + 1"],
    "IMAGE": ["result.upper()", "result[0]"],
    "CONCEPT": ["result.upper()", "result[0]"],
    "REGION": ["result.upper()", "result[0]"],
    "FRAME": ["result.upper()"],
    "AUDIO": ["result.upper()"],
    "VIDEO": ["result.upper()"],
    "NAMED_FIELDS": ["result.no_such_field", "result.upper()"],
    "TUPLE": ["result.upper()", "result.name"],
    "LIST": ["result.upper()", "result.name"],
}


@dataclass(frozen=True)
class Client:
    """A program. ``line``: what a mutation changed, from 1; 0 for a correct one. ``rule``: how it was changed."""

    text: str
    line: int = 0
    rule: str = ""


@dataclass(frozen=True)
class Call:
    """A call of a method: the arguments as (name, expression, annotation)."""

    method: str
    kind: str
    arguments: tuple[tuple[str, str, str], ...]
    output: str
    url: str


def kind_of(field: Any) -> str:
    return str(type(field).DataType.Name(field.type))


def right(field: Any) -> tuple[str, str]:
    """Return an expression and its annotation for a value of the field."""
    kind = kind_of(field)
    if kind == "LIST":
        text, tp = right(field.type_args[0])
        text, tp = f"[{text}, {text}]", f"list[{tp}]"
    elif kind == "TUPLE":
        parts = [right(each) for each in field.type_args]
        text, tp = f"({', '.join(each for each, _ in parts)})", f"tuple[{', '.join(each for _, each in parts)}]"
    elif kind == "NAMED_FIELDS":
        named = ", ".join(f"{each.name}={right(each)[0]}" for each in field.type_args)
        text, tp = f"NamedFields({named})", "NamedFields"
    elif field.model_type_enum_options:
        text, tp = repr(field.model_type_enum_options[0].id), "str"
    else:
        text, tp = RIGHT[kind]
    return (f"iter([{text}, {text}])", f"Iterator[{tp}]") if field.iterator else (text, tp)


def wrong(field: Any) -> Iterator[tuple[str, str]]:
    """Yield expressions of other types."""
    kind = kind_of(field)
    for text, tp in WRONG[kind]:
        # A default of None takes None.
        if text == "None" and field.default == "null":
            continue
        yield (f"iter([{text}, {text}])", f"Iterator[{tp}]") if field.iterator else (text, tp)
    if field.iterator:
        text, tp = right(field)
        yield text.removeprefix("iter(").removesuffix(")"), tp.replace("Iterator", "list")
    if kind == "LIST" and not field.iterator:
        yield from ((f"[{text}]", f"list[{tp}]") for text, tp in WRONG[kind_of(field.type_args[0])][:2])
    if kind == "TUPLE":
        yield "(" + right(field.type_args[0])[0] + ",)", "tuple[" + right(field.type_args[0])[1] + "]"
    if kind == "NAMED_FIELDS":
        first = field.type_args[0]
        yield f"NamedFields({first.name}={right(first)[0]})", ""


def call_of(signature: Any, url: str) -> Call:
    from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType

    kind = {"UNARY_UNARY": "unary", "UNARY_STREAMING": "generate", "STREAMING_STREAMING": "stream"}
    arguments = tuple((each.name, *right(each)) for each in signature.input_fields)
    return Call(
        signature.name,
        kind[RunnerMethodType.Name(signature.method_type)],
        arguments,
        kind_of(signature.output_fields[0]),
        url,
    )


# Ways to build the model: statements, and the expression that is called.


def _by_url(url: str) -> tuple[list[str], str]:
    return [f'model = Model(url="{url}")'], "model"


def _by_position(url: str) -> tuple[list[str], str]:
    return [f'model = Model("{url}")'], "model"


def _by_ids(url: str) -> tuple[list[str], str]:
    user, app, _, name = url.removeprefix("https://clarifai.com/").split("/")
    return [f'model = Model(model_id="{name}", user_id="{user}", app_id="{app}")'], "model"


def _by_constant(url: str) -> tuple[list[str], str]:
    return [f'URL = "{url}"', "model = Model(url=URL)"], "model"


def _by_parts(url: str) -> tuple[list[str], str]:
    user, app, _, name = url.removeprefix("https://clarifai.com/").split("/")
    return [
        f'USER, APP = "{user}", "{app}"',
        f'model = Model(f"https://clarifai.com/{{USER}}/{{APP}}/models/{name}")',
    ], "model"


def _by_function(url: str) -> tuple[list[str], str]:
    return ["def make():", f'    return Model(url="{url}")', "model = make()"], "model"


def _by_class(url: str) -> tuple[list[str], str]:
    lines = [
        "class Holder:",
        "    def __init__(self):",
        f'        self.model = Model("{url}")',
        "holder = Holder()",
    ]
    return lines, "holder.model"


def _by_client(url: str) -> tuple[list[str], str]:
    return [f'model = Model("{url}")'], "model.client"


BUILDERS: list[Callable[[str], tuple[list[str], str]]] = [
    _by_url, _by_position, _by_ids, _by_constant, _by_parts, _by_function, _by_class, _by_client,
]  # fmt: skip


def written(call: Call, arguments: list[tuple[str, str, str]], form: str, target: str) -> tuple[list[str], str]:
    """Return statements before the call, and the call, in one form: keywords, positions, variables, unpacked."""
    known = [name for name, _, _ in call.arguments]
    if form == "positions" and [name for name, _, _ in arguments] == known[: len(arguments)]:
        shown = ", ".join(text for _, text, _ in arguments)
        if not (len(arguments) == 1 and shown.startswith(("[{", "[]"))):
            return [], f"{target}.{call.method}({shown})"
    if form == "variables":
        lines = [f"given_{name} = {text}" for name, text, _ in arguments]
        return lines, f"{target}.{call.method}({', '.join(f'{name}=given_{name}' for name, _, _ in arguments)})"
    if form == "unpacked":
        inner = ", ".join(f'"{name}": {text}' for name, text, _ in arguments)
        return [f"options = {{{inner}}}"], f"{target}.{call.method}(**options)"
    return [], f"{target}.{call.method}({', '.join(f'{name}={text}' for name, text, _ in arguments)})"


FORMS = ["keywords", "positions", "variables", "unpacked"]


def read(call: Call, expression: str) -> list[str]:
    """Return the lines in which a correct program uses the answer; the first line has the call."""
    if call.kind == "unary":
        return [f"result = {expression}", "print(result)"]
    return [f"for chunk in {expression}:", "    print(chunk)"]


def program(
    call: Call, arguments: list[tuple[str, str, str]], rng: random.Random, uses: list[str] | None = None
) -> Client:
    """Write a program with this call; ``line`` is the call's."""
    builder, form = rng.choice(BUILDERS), rng.choice(FORMS)
    lines, target = builder(call.url)
    before, expression = written(call, arguments, form, target)
    if form in ("variables", "unpacked") or rng.random() < 0.5:
        before, body = (
            [],
            [*before, *read(call, expression)]
            if uses is None
            else [*before, *(use.format(expression) for use in uses)],
        )
        lines += ["def main():", *(f"    {each}" for each in body), "main()"]
        at = next(n for n, each in enumerate(lines) if f".{call.method}(" in each and "def " not in each)
    else:
        lines += [*before, *(read(call, expression) if uses is None else [use.format(expression) for use in uses])]
        at = next(n for n, each in enumerate(lines) if f".{call.method}(" in each)
    return Client(HEAD + "\n".join(lines) + "\n", HEAD.count("\n") + at + 1)


def typed_program(
    call: Call, name: str, tp: str, right_arguments: list[tuple[str, str, str]], rng: random.Random
) -> Client:
    """Write a program whose argument comes through a function's parameter, so that only its type is known."""
    lines, target = rng.choice(BUILDERS)(call.url)
    shown = ", ".join(f"{each}={'given' if each == name else text}" for each, text, _ in right_arguments)
    body = read(call, f"{target}.{call.method}({shown})")
    lines += [f"def main(given: {tp}):", *(f"    {each}" for each in body)]
    at = next(n for n, each in enumerate(lines) if f".{call.method}(" in each)
    return Client(HEAD + "\n".join(lines) + "\n", HEAD.count("\n") + at + 1)


def correct(signatures: list[tuple[str, Any]], rng: random.Random) -> Iterator[Client]:
    """Yield correct programs: each method in every form, and with typed parameters."""
    for url, signature in signatures:
        call = call_of(signature, url)
        arguments = list(call.arguments)
        required = [given for given, field in zip(arguments, signature.input_fields, strict=True) if field.required]
        for chosen in (arguments, arguments, required, required):
            yield replace(program(call, chosen, rng), line=0)
        for name, _, tp in arguments:
            yield replace(typed_program(call, name, tp, arguments, rng), line=0)
        if call.kind == "unary":
            yield from _correct_unary(call, arguments, rng)
        else:
            yield replace(program(call, arguments, rng, ["chunks = list({})", "print(len(chunks))"]), line=0)
            yield replace(
                program(call, arguments, rng, ["parts = [str(each) for each in {}]", "print(parts)"]), line=0
            )


def _correct_unary(call: Call, arguments: list[tuple[str, str, str]], rng: random.Random) -> Iterator[Client]:
    given = ", ".join(f"{name}={text}" for name, text, _ in arguments)
    dicts = ", ".join(f'"{name}": {text}' for name, text, _ in arguments)
    lines, target = rng.choice(BUILDERS)(call.url)
    bodies = [
        [f"answer, response = {target}.{call.method}({given}, with_proto=True)", "print(answer, response.status)"],
        [f"answers = {target}.{call.method}([{{{dicts}}}, {{{dicts}}}])", "print(len(answers))"],
        [
            "async def main():",
            f"    print(await asyncio.to_thread({target}.{call.method}, {given}))",
            "asyncio.run(main())",
        ],
    ]
    for body in bodies:
        yield Client(HEAD + "\n".join([*lines, *body]) + "\n")


def misspelt(name: str, rng: random.Random) -> str:
    """Return the name with a letter left out, doubled, or two exchanged."""
    at = rng.randrange(len(name) - 1) if len(name) > 1 else 0
    ways = [
        name[:at] + name[at + 1 :],
        name[: at + 1] + name[at:],
        name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
    ]
    return next(
        (each for each in rng.sample(ways, 3) if each not in ("", name) and each.isidentifier()), name + "s"
    )


def mutations(signatures: list[tuple[str, Any]], rng: random.Random) -> Iterator[Client]:
    """Yield programs with one thing wrong."""
    for url, signature in signatures:
        call = call_of(signature, url)
        arguments = list(call.arguments)
        yield from _of_names(call, arguments, signature, rng)
        for field, given in zip(signature.input_fields, arguments, strict=True):
            yield from _of_values(call, arguments, field, given[0], rng)
        yield from _of_uses(call, arguments, rng)


def _of_names(
    call: Call, arguments: list[tuple[str, str, str]], signature: Any, rng: random.Random
) -> Iterator[Client]:
    other = misspelt(call.method, rng)
    renamed = program(replace(call, method=other), arguments, rng)
    yield replace(renamed, rule="method misspelt")
    for position, (name, text, tp) in enumerate(arguments):
        changed = [*arguments]
        changed[position] = (misspelt(name, rng), text, tp)
        yield replace(program(call, changed, _keywords(rng)), rule="argument misspelt")
    for position, field in enumerate(signature.input_fields):
        if field.required:
            left = [*arguments[:position], *arguments[position + 1 :]]
            yield replace(program(call, left, _keywords(rng)), rule="argument left out")
    yield replace(program(call, [*arguments, ("surplus", "1", "int")], _keywords(rng)), rule="argument too much")
    lines, target = rng.choice(BUILDERS)(call.url)
    shown = ", ".join([text for _, text, _ in arguments] + ["1"])
    yield _plain([*lines, *read(call, f"{target}.{call.method}({shown})")], call, "position too much")


def _of_values(
    call: Call, arguments: list[tuple[str, str, str]], field: Any, name: str, rng: random.Random
) -> Iterator[Client]:
    position = [each for each, _, _ in arguments].index(name)
    for text, tp in wrong(field):
        changed = [*arguments]
        changed[position] = (name, text, tp)
        yield replace(program(call, changed, _literal(rng)), rule="value of another type")
        if tp and tp != "None":
            yield replace(typed_program(call, name, tp, arguments, rng), rule="variable of another type")
    if field.HasField("model_type_range_info"):
        changed = [*arguments]
        above = field.model_type_range_info.max + 1
        changed[position] = (name, str(int(above) if kind_of(field) == "INT" else above), "")
        yield replace(program(call, changed, _literal(rng)), rule="value out of range")
    if field.model_type_enum_options:
        changed = [*arguments]
        changed[position] = (name, '"no such choice"', "")
        yield replace(program(call, changed, _literal(rng)), rule="value that is no choice")


def _of_uses(call: Call, arguments: list[tuple[str, str, str]], rng: random.Random) -> Iterator[Client]:
    lines, target = rng.choice(BUILDERS)(call.url)
    expression = f"{target}.{call.method}({', '.join(f'{name}={text}' for name, text, _ in arguments)})"
    dicts = ", ".join(
        f'"{misspelt(name, rng) if n == 0 else name}": {text}' for n, (name, text, _) in enumerate(arguments)
    )
    if call.kind == "unary":
        for misuse in MISUSES[call.output]:
            yield _plain([*lines, f"result = {expression}", misuse], call, "answer misused", at=misuse)
        if call.output in ("STR", "INT", "FLOAT", "BOOL", "IMAGE"):
            yield _plain([*lines, f"for each in {expression}:", "    print(each)"], call, "one answer looped over")
        yield _plain([*lines, f"print({target}.{call.method}([{{{dicts}}}]))"], call, "batch key misspelt")
        yield _plain(
            [*lines, "async def main():", f"    print({expression})", "asyncio.run(main())"],
            call,
            "called in async",
        )
    else:
        yield _plain([*lines, expression], call, "stream not read")
        yield _plain([*lines, f"print({expression})"], call, "stream shown")
        yield _plain(
            [*lines, f"chunks = {expression}", "chunks.upper()"], call, "answer misused", at="chunks.upper()"
        )
        yield _plain([*lines, f"print({target}.{call.method}([{{{dicts}}}]))"], call, "batch of a stream")
    yield _plain([*lines, f'getattr({target}, sys.argv[1])("x")'], call, "method by value", at="getattr")
    yield _plain([*lines, f"print({target}.{call.method}(**os.environ))"], call, "arguments by value")
    unknown = ['model = Model(os.environ["MODEL_URL"])', f"print(model.{call.method}(nonsense=1))"]
    yield _plain(unknown, call, "model by value", at="os.environ")
    helper = ["def ask(model):", f"    return model.{call.method}(nonsense=1)"]
    if call.method in ("predict", "generate", "stream"):
        yield _plain([*lines, *helper, f"ask({target})"], call, "model without a type", at="nonsense")


def _plain(lines: list[str], call: Call, rule: str, at: str = "") -> Client:
    at = at or f".{call.method}("
    number = next(n for n, each in enumerate(lines) if at in each)
    return Client(HEAD + "\n".join(lines) + "\n", HEAD.count("\n") + number + 1, rule)


class _Fixed(random.Random):
    """Chooses among some forms only."""

    def __init__(self, rng: random.Random, forms: list[str]) -> None:
        super().__init__(rng.random())
        self._forms = forms

    def choice(self, seq: Any) -> Any:
        return super().choice(self._forms if seq is FORMS else seq)


def fixed(rng: random.Random, *forms: str) -> random.Random:
    """Return a source of the same random choices that chooses among these forms only."""
    return _Fixed(rng, list(forms))


def _keywords(rng: random.Random) -> random.Random:
    return fixed(rng, "keywords", "variables", "unpacked")


def _literal(rng: random.Random) -> random.Random:
    return fixed(rng, *FORMS)


def changed_models(signature: Any, rng: random.Random) -> Iterator[tuple[str, Any]]:
    """Yield the signature with one thing changed that breaks clients of the old one: (what, signature)."""

    def copy() -> Any:
        new = type(signature)()
        new.CopyFrom(signature)
        return new

    new = copy()
    new.name = misspelt(signature.name, rng)
    yield "method renamed", new
    for position, field in enumerate(signature.input_fields):
        new = copy()
        new.input_fields[position].name = misspelt(field.name, rng)
        yield "parameter renamed", new
        new = copy()
        del new.input_fields[position]
        yield "parameter removed", new
        if not field.iterator and not field.type_args and not field.model_type_enum_options:
            new = copy()
            one = new.input_fields[position]
            one.type = one.DataType.Value("IMAGE" if kind_of(field) not in ("IMAGE",) else "STR")
            one.default = ""
            one.required = field.required
            yield "parameter of another type", new
    new = copy()
    extra = new.input_fields.add()
    extra.name, extra.type, extra.required = "added", extra.DataType.Value("STR"), True
    yield "required parameter added", new
