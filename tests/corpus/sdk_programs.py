"""Makes programs that call the SDK's ``Model``: each way to hold it, form of a call and use of an answer once, the
rest of the program drawn at random; and makes one thing of each wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from corpus.call_forms import (
    ARGUMENTS,
    ASYNC,
    BY_POSITION,
    NAMELESS,
    READS,
    STREAMS,
    UNARY,
    UNREAD,
    USES,
    Form,
    dictionary,
    written,
)
from corpus.every_method import kind_of, misspelt, right, wrong
from corpus.holders import BUILT, FRAMEWORKS, HABITS, HOLDERS, INSIDE
from corpus.program import Program
from corpus.sample_models import url_of
from unit.contracts.calls.flow.holding_ways import STEPS

HEAD = """\
import asyncio, contextlib, contextvars, copy, functools, itertools, os, queue, threading, types, typing
from collections import ChainMap, OrderedDict, defaultdict, deque, namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Iterator, Optional, Union, cast
import clarifai.client.model
import numpy as np
from clarifai.client import App, Model, User
from clarifai.runners.utils.data_types import Audio, Concept, Frame, Image, NamedFields, Region, Text, Video
"""
CHAINS = 80
# The keyword arguments of Model that the SDK ignores, or refuses.
_ELSEWHERE = {
    "deployment by another name": "deployment='blue'",
    "nodepool without its cluster": "nodepool_id='cpu'",
    "deployment and nodepool": "deployment_id='blue', nodepool_id='cpu', compute_cluster_id='local'",
}


# What is made wrong of nearly every shape: of these, some are drawn.
_USUAL = frozenset(
    {"method misspelt", "argument misspelt", "argument left out", "argument too much", "value of another type",
     "model misspelt", "address without /models", "called in an event loop", *_ELSEWHERE}
)  # fmt: skip
_OF_THE_USUAL = 4
_HELD = {
    "ways to hold a model": STEPS,
    "habits of holding one": HABITS,
    "held by a framework": FRAMEWORKS,
    "called in a framework": INSIDE,
}


@dataclass(frozen=True, slots=True)
class SampleMethod:
    """A method of a sample model."""

    model: str
    signature: Any

    @property
    def is_stream(self) -> bool:
        return any(each.iterator for each in self.signature.output_fields)

    @property
    def is_fed(self) -> bool:
        return any(each.iterator for each in self.signature.input_fields)

    def given(self, rolls: random.Random) -> list[tuple[str, str]]:
        """Return all arguments, or the required ones alone."""
        every = bool(rolls.randrange(2))
        fields = [each for each in self.signature.input_fields if every or each.required]
        return [(each.name, right(each)[0]) for each in fields]


@dataclass(frozen=True, slots=True)
class Parts:
    """Holds what a program is put together of."""

    built: str
    holders: Sequence[str]
    number: int
    model: str
    method: str
    given: Sequence[tuple[str, str]]
    arguments: str
    form: Form
    use: str
    extra: str = ""
    address: str = ""

    def text(self) -> str:
        held, statements = self.built, ""
        for number, name in enumerate(self.holders, 10 * self.number):
            before, held = HOLDERS[name](held, number)
            statements += f"{before}\n" if before else ""
        if self.form.is_async and "asyncio.run" in held:
            statements, held = f"{statements}held = {held}\n", "held"
        before, args = written(self.arguments, self.given)
        filled = {"HELD": held, "METHOD": self.method, "ARGS": args + self.extra, "DICT": dictionary(self.given)}
        filled["VALUE"] = self.given[0][1] if self.given else "'x'"
        form, answer = _filled(self.form.before, filled), _filled(self.form.expression, filled)
        use = self.use.replace("ANSWER", answer)
        if self.form.is_async:
            use = (
                "async def main():\n" + "".join(f"    {each}\n" for each in use.split("\n")) + "asyncio.run(main())"
            )
        body = f"{before}{form}{use}\n"
        if any(name in INSIDE for name in self.holders):
            body = "".join(f"    {each}\n" if each else "\n" for each in body.split("\n"))
        body = statements + body
        url = self.address or url_of(self.model)
        address = {"URL": repr(url), "ID": self.model}
        body = re.sub(r"\b(URL|ID)\b", lambda found: address[found[0]], body)
        constants = "".join(
            f"{name} = {value!r}\n"
            for name, value in (("ADDRESS", url), ("USER", "me"))
            if re.search(rf"\b{name}\b", body)
        )
        return HEAD + ("import elsewhere\n" if "elsewhere" in body else "") + constants + body


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = re.sub(r"\b(HELD|METHOD|ARGS|DICT|VALUE)\b|(?<=async_)METHOD", lambda found: values[found[0]], template)
    return text.replace("(, ", "(")


def sample_methods(signatures: Mapping[str, Sequence[Any]]) -> list[SampleMethod]:
    """Return the methods of the sample models. ``signatures``: of each model, by its name."""
    return [SampleMethod(model, each) for model, several in signatures.items() for each in several]


class SdkPrograms:
    """Draws programs. The same ``seed`` gives the same programs; a shape does not change those of another."""

    def __init__(self, methods: Sequence[SampleMethod], seed: int) -> None:
        self._methods = methods
        self._unary = [each for each in methods if not each.is_stream and not each.is_fed]
        self._streams = [each for each in methods if each.is_stream]
        self._seed = seed

    def programs(self) -> Iterator[Program]:
        """Yield a right program of each shape, and the wrong ones that are made of it."""
        for number, (dimension, shape, parts, method) in enumerate(self._shapes()):
            chosen = replace(parts, number=number)
            yield Program(dimension, shape, chosen.text())
            rolls = self._rolls(f"{dimension} {shape} wrong")
            mutants = dict(_mutants(chosen, method, rolls))
            usual = sorted(mutants.keys() & _USUAL)
            left = {*usual} - {*rolls.sample(usual, min(_OF_THE_USUAL, len(usual)))}
            for what, changed in mutants.items():
                if what not in left:
                    yield Program(dimension, shape, changed.text(), what)

    def _rolls(self, name: str) -> random.Random:
        return random.Random(f"{self._seed} {name}")

    def _shapes(self) -> Iterator[tuple[str, str, Parts, SampleMethod]]:
        for dimension, table in _HELD.items():
            for name in table:
                yield self._drawn(dimension, name, holders=[name])
        for name, built in BUILT.items():
            yield self._drawn("ways to build a model", name, built=built)
        for name, form in UNARY.items():
            yield self._drawn("forms of a call", name, form=form)
        for name, form in ASYNC.items():
            yield self._drawn(
                "calls with await", name, form=form, among=[m for m in self._unary if m.signature.name == "predict"]
            )
        for name in ARGUMENTS:
            yield self._drawn("forms of arguments", name, arguments=name)
        for name, use in USES.items():
            yield self._drawn("uses of an answer", name, use=use)
        for name, use in READS.items():
            yield self._drawn("ways to read a stream", name, among=self._streams, use=use)
        for name, form in STREAMS.items():
            yield self._drawn("forms of a call of a stream", name, among=self._streams, form=form)
        for method in self._methods:
            yield self._drawn("methods", f"{method.model}.{method.signature.name}", among=[method])
        for number in range(CHAINS):
            rolls = self._rolls(f"chain {number}")
            holders = rolls.choices(sorted(STEPS), k=rolls.randint(2, 4))
            yield self._drawn("chains of ways", f"{number}: {', '.join(holders)}", holders=holders)

    def _drawn(
        self,
        dimension: str,
        shape: str,
        *,
        among: Sequence[SampleMethod] = (),
        built: str = "",
        holders: Sequence[str] | None = None,
        form: Form | None = None,
        arguments: str = "",
        use: str = "",
    ) -> tuple[str, str, Parts, SampleMethod]:
        """Draw what a shape leaves open. ``among``: the methods that it can call."""
        rolls = self._rolls(f"{dimension} {shape}")
        fitting = among or self._unary
        if form is not None and form.one:
            fitting = [each for each in fitting if len(each.signature.input_fields) == 1]
        if arguments and arguments != "keywords":
            fitting = [each for each in fitting if len(each.signature.input_fields) > 1]
        method = rolls.choice(fitting)
        forms, uses = (STREAMS, READS) if method.is_stream else (UNARY, USES)
        simple = [each for each in forms.values() if not each.one]
        given = (
            method.given(rolls) if not arguments else [(e.name, right(e)[0]) for e in method.signature.input_fields]
        )
        parts = Parts(
            built or rolls.choice(sorted(BUILT.values())),
            [rolls.choice(sorted(STEPS))] if holders is None and rolls.randrange(2) else holders or [],
            0,
            method.model,
            method.signature.name,
            given,
            arguments or _arguments(given, rolls),
            form or (rolls.choice(simple) if rolls.randrange(2) else forms["plain"]),
            use or rolls.choice(sorted(uses.values())),
        )
        return dimension, shape, _fitting(parts), method


def _arguments(given: Sequence[tuple[str, str]], rolls: random.Random) -> str:
    return rolls.choice(ARGUMENTS) if given else "keywords"


def _fitting(parts: Parts) -> Parts:
    """Return the parts without what would be another call: one list of dictionaries, by position, is a batch."""
    if parts.arguments in BY_POSITION and len(parts.given) == 1 and parts.given[0][1].startswith("["):
        return replace(parts, arguments="keywords")
    return parts


def _mutants(parts: Parts, method: SampleMethod, rolls: random.Random) -> Iterator[tuple[str, Parts]]:
    """Yield the parts with one thing made wrong, and what that is."""
    yield "method misspelt", replace(parts, method=_another(parts.method, rolls))
    if "ARGS" in parts.form.expression + parts.form.before or "DICT" in parts.form.expression + parts.form.before:
        yield from _wrong_arguments(parts, method, rolls)
    else:  # one value alone
        yield from _wrong_values(parts, method, rolls)
    yield "model misspelt", replace(parts, model=_another(parts.model, rolls))
    if "url=URL)" in parts.built:
        what = rolls.choice(sorted(_ELSEWHERE))
        yield what, replace(parts, built=parts.built.replace("url=URL)", f"url=URL, {_ELSEWHERE[what]})"))
    if "URL" in parts.built or "ADDRESS" in parts.built:
        yield "address without /models", replace(parts, address=url_of(parts.model).replace("/models", ""))
    if "await (await " in parts.form.expression:
        once = parts.form.expression.replace("await (await ", "await (")
        yield "one await left out", replace(parts, form=replace(parts.form, expression=once))
    elif not method.is_stream and parts.form.expression == "HELD.METHOD(ARGS)":
        in_loop = Form("", "HELD.METHOD(ARGS)", is_async=True)
        yield "called in an event loop", replace(parts, form=in_loop)
    if method.is_stream and "yield" not in parts.form.before:
        what, use = rolls.choice(sorted(UNREAD.items()))
        yield f"stream {what}", replace(parts, use=use)


def _wrong_arguments(parts: Parts, method: SampleMethod, rolls: random.Random) -> Iterator[tuple[str, Parts]]:
    given, fields = list(parts.given), list(method.signature.input_fields)
    named = replace(parts, arguments="keywords") if parts.arguments in BY_POSITION else parts
    if given:
        at = rolls.randrange(len(given))
        spelt = [(misspelt(name, rolls) if n == at else name, text) for n, (name, text) in enumerate(given)]
        yield "argument misspelt", replace(named, given=spelt)
    required = [each.name for each in fields if each.required]
    if required:
        left = rolls.choice(required)
        yield "argument left out", replace(named, given=[each for each in given if each[0] != left])
    yield "argument too much", replace(named, given=[*given, ("surplus", "1")])
    if len(given) == len(fields) and parts.arguments in NAMELESS and "DICT" not in parts.form.expression:
        yield "position too much", replace(parts, given=[*given, ("surplus", "1")])
    if parts.arguments == "positions" and given and "ARGS" in parts.form.expression:
        yield "argument given twice", replace(parts, extra=f", {given[0][0]}={given[0][1]}")
    yield from _wrong_values(parts, method, rolls)


def _wrong_values(parts: Parts, method: SampleMethod, rolls: random.Random) -> Iterator[tuple[str, Parts]]:
    fields = {each.name: each for each in method.signature.input_fields}
    if not parts.given:
        return
    at = rolls.randrange(len(parts.given))
    name = parts.given[at][0]
    field = fields[name]

    def with_value(text: str) -> Parts:
        values = [(each, text if n == at else value) for n, (each, value) in enumerate(parts.given)]
        return _fitting(replace(parts, given=values))

    yield "value of another type", with_value(rolls.choice([text for text, _ in wrong(field)]))
    if field.HasField("model_type_range_info"):
        above = field.model_type_range_info.max + 1
        yield "value out of range", with_value(str(int(above) if kind_of(field) == "INT" else above))
    if field.model_type_enum_options:
        yield "value that is no choice", with_value("'no such choice'")


def _another(name: str, rolls: random.Random) -> str:
    return misspelt(name, rolls)
