"""Writes programs at random that pass a model on in many ways before they call it."""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies

# Each takes an expression, a number that no other step has, and gives statements and the expression behind them.
Step = Callable[[str, int], tuple[str, str]]

HEAD = """\
import asyncio, contextlib, contextvars, copy, functools, itertools, queue, threading, types, typing
from collections import ChainMap, OrderedDict, defaultdict, deque, namedtuple
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Optional, Union, cast
import elsewhere
from clarifai.client import Model
"""


def _step(statements: str, expression: str) -> Step:
    text = textwrap.dedent(statements)

    def step(given: str, number: int) -> tuple[str, str]:
        def filled(each: str) -> str:
            return each.replace("GIVEN", given).replace("_N", f"_{number}")

        return filled(text), filled(expression)

    return step


STEPS: dict[str, Step] = {
    "name": _step("v_N = GIVEN", "v_N"),
    "two names": _step("u_N = v_N = GIVEN", "u_N"),
    "annotated": _step("v_N: Any = GIVEN", "v_N"),
    "optional": _step('v_N: "Optional[Model]" = GIVEN', "v_N"),
    "global": _step("v_N = None\ndef set_N():\n    global v_N\n    v_N = GIVEN\nset_N()", "v_N"),
    "lazy": _step(
        "v_N = None\ndef get_N():\n    global v_N\n    if v_N is None:\n        v_N = GIVEN\n    return v_N", "get_N()"
    ),
    "nonlocal": _step(
        "def outer_N():\n    v = None\n    def inner():\n        nonlocal v\n        v = GIVEN\n"
        "    inner()\n    return v",
        "outer_N()",
    ),
    "try": _step("try:\n    v_N = GIVEN\nexcept Exception:\n    v_N = None", "v_N"),
    "ternary": _step("v_N = GIVEN if HEAD_ else None".replace("HEAD_", "bool(1)"), "v_N"),
    "or": _step("v_N = None or GIVEN", "v_N"),
    "walrus": _step("if (v_N := GIVEN):\n    pass", "v_N"),
    "tuple": _step("v_N, w_N = GIVEN, 1", "v_N"),
    "star tuple": _step("w_N, *v_N = 1, GIVEN", "v_N[0]"),
    "swapped": _step("a_N, b_N = 1, GIVEN\na_N, b_N = b_N, a_N", "a_N"),
    "list": _step("v_N = [GIVEN]", "v_N[0]"),
    "last": _step("v_N = [GIVEN]", "v_N[-1]"),
    "appended": _step("v_N = []\nv_N.append(GIVEN)", "v_N[0]"),
    "set": _step("v_N = {GIVEN}", "next(iter(v_N))"),
    "dict": _step('v_N = {"a": 1, "b": GIVEN}', 'v_N["b"]'),
    "dict later": _step('v_N = {}\nv_N["b"] = GIVEN', 'v_N["b"]'),
    "dict by a value": _step("v_N = {}\nv_N[str(1)] = GIVEN", "v_N[str(1)]"),
    "get": _step("v_N = dict(b=GIVEN)", 'v_N.get("b")'),
    "setdefault": _step("v_N = {}", 'v_N.setdefault("b", GIVEN)'),
    "update": _step("v_N = {}\nv_N.update(b=GIVEN)", 'v_N["b"]'),
    "merged": _step('v_N = {**{"b": GIVEN}, "c": 1}', 'v_N["b"]'),
    "or of dicts": _step('v_N = {"c": 1} | {"b": GIVEN}', 'v_N["b"]'),
    "values": _step('v_N = list({"b": GIVEN}.values())', "v_N[0]"),
    "items": _step('for k_N, v_N in {"b": GIVEN}.items():\n    pass', "v_N"),
    "loop": _step("for v_N in [GIVEN]:\n    pass", "v_N"),
    "enumerate": _step("for i_N, v_N in enumerate([GIVEN]):\n    pass", "v_N"),
    "zip": _step("for i_N, v_N in zip([1], (GIVEN,)):\n    pass", "v_N"),
    "comprehension": _step("v_N = [each for each in [GIVEN]]", "v_N[0]"),
    "dict comprehension": _step("v_N = {k: GIVEN for k in 'ab'}", "v_N['a']"),
    "generator": _step("v_N = (each for each in [GIVEN])", "next(v_N)"),
    "generator function": _step("def gen_N():\n    yield GIVEN", "next(gen_N())"),
    "yield from": _step("def gen_N():\n    yield from [GIVEN]", "list(gen_N())[0]"),
    "chain": _step("v_N = itertools.chain([GIVEN], [])", "next(v_N)"),
    "sorted": _step("v_N = sorted([GIVEN], key=id)", "v_N[0]"),
    "deque": _step("v_N = deque()\nv_N.append(GIVEN)", "v_N.popleft()"),
    "queue": _step("v_N = queue.Queue()\nv_N.put(GIVEN)", "v_N.get()"),
    "default dict": _step("v_N = defaultdict(lambda: GIVEN)", 'v_N["any"]'),
    "chain map": _step("v_N = ChainMap({'b': GIVEN})", 'v_N["b"]'),
    "function": _step("def make_N():\n    return GIVEN", "make_N()"),
    "lambda": _step("make_N = lambda: GIVEN", "make_N()"),
    "identity": _step("def same_N(x):\n    return x", "same_N(GIVEN)"),
    "keyword": _step("def same_N(*, x=None):\n    return x", "same_N(x=GIVEN)"),
    "star": _step("def same_N(*a):\n    return a[0]", "same_N(GIVEN)"),
    "two stars": _step("def same_N(**k):\n    return k['x']", "same_N(x=GIVEN)"),
    "passed on": _step("def same_N(x):\n    return x\ndef on_N(*a, **k):\n    return same_N(*a, **k)", "on_N(GIVEN)"),
    "unpacked": _step("def same_N(x):\n    return x", "same_N(**{'x': GIVEN})"),
    "default": _step("def same_N(x=GIVEN):\n    return x", "same_N()"),
    "closure": _step("def outer_N(x):\n    def inner():\n        return x\n    return inner", "outer_N(GIVEN)()"),
    "partial": _step("def same_N(x):\n    return x", "functools.partial(same_N, GIVEN)()"),
    "cached": _step("@functools.lru_cache(maxsize=1)\ndef make_N():\n    return GIVEN", "make_N()"),
    "decorated by others": _step("@elsewhere.cached(1)\ndef make_N():\n    return GIVEN", "make_N()"),
    "decorated here": _step(
        "def given_N(f):\n    def wrapped(*a):\n        return f(GIVEN, *a)\n    return wrapped\n"
        "@given_N\ndef make_N(x):\n    return x",
        "make_N()",
    ),
    "coroutine": _step("async def make_N():\n    return GIVEN", "asyncio.run(make_N())"),
    "awaited": _step(
        "async def make_N():\n    return GIVEN\nasync def use_N():\n    return await make_N()", "asyncio.run(use_N())"
    ),
    "gathered": _step("async def make_N():\n    return GIVEN\nasync def use_N():\n"
                      "    a, b = await asyncio.gather(make_N(), make_N())\n    return b", "asyncio.run(use_N())"),
    "future": _step("v_N = ThreadPoolExecutor().submit(lambda: GIVEN)", "v_N.result()"),
    "mapped": _step("v_N = list(map(lambda x: x, [GIVEN]))", "v_N[0]"),
    "context": _step(
        "@contextlib.contextmanager\ndef open_N():\n    yield GIVEN\nwith open_N() as v_N:\n    pass", "v_N"
    ),
    "entered": _step(
        "class C_N:\n    def __enter__(self):\n        return GIVEN\n    def __exit__(self, *a): pass\n"
        "with C_N() as v_N:\n    pass",
        "v_N",
    ),
    "null context": _step("with contextlib.nullcontext(GIVEN) as v_N:\n    pass", "v_N"),
    "attribute": _step("class C_N:\n    def __init__(self):\n        self.m = GIVEN", "C_N().m"),
    "attribute by argument": _step("class C_N:\n    def __init__(self, m):\n        self.m = m", "C_N(GIVEN).m"),
    "attribute later": _step(
        "class C_N:\n    def __init__(self):\n        self.m = None\n    def load(self):\n        self.m = GIVEN\n"
        "c_N = C_N()\nc_N.load()",
        "c_N.m",
    ),
    "attribute from outside": _step("class C_N: pass\nc_N = C_N()\nc_N.m = GIVEN", "c_N.m"),
    "class attribute": _step("class C_N:\n    m = GIVEN", "C_N.m"),
    "class attribute by an object": _step("class C_N:\n    m = GIVEN", "C_N().m"),
    "class method": _step(
        "class C_N:\n    m = None\n    @classmethod\n    def load(cls):\n        cls.m = GIVEN\nC_N.load()", "C_N.m"
    ),
    "inherited": _step(
        "class B_N:\n    def __init__(self):\n        self.m = GIVEN\nclass C_N(B_N):\n"
        "    def get(self):\n        return self.m",
        "C_N().get()",
    ),
    "by a subclass": _step(
        "class B_N:\n    def get(self):\n        return self.m\nclass C_N(B_N):\n    def __init__(self):\n"
        "        self.m = GIVEN",
        "C_N().get()",
    ),
    "super": _step(
        "class B_N:\n    def __init__(self, m):\n        self.m = m\nclass C_N(B_N):\n"
        "    def __init__(self, m):\n        super().__init__(m)",
        "C_N(GIVEN).m",
    ),
    "property": _step("class C_N:\n    @property\n    def m(self):\n        return GIVEN", "C_N().m"),
    "cached property": _step(
        "class C_N:\n    @functools.cached_property\n    def m(self):\n        return GIVEN", "C_N().m"
    ),
    "static method": _step("class C_N:\n    @staticmethod\n    def make():\n        return GIVEN", "C_N.make()"),
    "method": _step("class C_N:\n    def make(self, x):\n        return x", "C_N().make(GIVEN)"),
    "called object": _step("class C_N:\n    def __call__(self):\n        return GIVEN", "C_N()()"),
    "item method": _step("class C_N:\n    def __getitem__(self, key):\n        return GIVEN", "C_N()['x']"),
    "iterated object": _step(
        "class C_N:\n    def __iter__(self):\n        yield GIVEN\nfor v_N in C_N():\n    pass", "v_N"
    ),
    "dataclass": _step("@dataclass\nclass C_N:\n    m: Any = None", "C_N(m=GIVEN).m"),
    "dataclass by position": _step("@dataclass\nclass C_N:\n    n: int\n    m: Any", "C_N(1, GIVEN).m"),
    "field": _step("@dataclass\nclass C_N:\n    m: Any = field(default_factory=lambda: GIVEN)", "C_N().m"),
    "named tuple": _step("class C_N(typing.NamedTuple):\n    m: Any", "C_N(GIVEN).m"),
    "named tuple of old": _step("C_N = namedtuple('C_N', 'm')", "C_N(GIVEN).m"),
    "namespace": _step("v_N = types.SimpleNamespace(m=GIVEN)", "v_N.m"),
    "set by name": _step("class C_N: pass\nc_N = C_N()\nsetattr(c_N, 'm', GIVEN)", "c_N.m"),
    "got by name": _step("class C_N: pass\nC_N.m = GIVEN", "getattr(C_N, 'm')"),
    "own dict": _step("class C_N: pass\nc_N = C_N()\nc_N.__dict__['m'] = GIVEN", "c_N.m"),
    "globals": _step("globals()['v_N'] = GIVEN", "globals()['v_N']"),
    "function attribute": _step("def f_N(): pass\nf_N.m = GIVEN", "f_N.m"),
    "copy": _step("v_N = copy.copy(GIVEN)", "v_N"),
    "cast": _step("v_N = cast(Any, GIVEN)", "v_N"),
    "handed to others": _step("v_N = elsewhere.prepared(GIVEN)", "v_N"),
    "attribute of others": _step("elsewhere.app.state.held_N = GIVEN", "elsewhere.request.app.state.held_N"),
    "item of others": _step("elsewhere.session['held_N'] = GIVEN", "elsewhere.session['held_N']"),
    "key or attribute": _step("elsewhere.session['held_N'] = GIVEN", "elsewhere.session.held_N"),
    "context variable": _step("v_N = contextvars.ContextVar('v_N')\nv_N.set(GIVEN)", "v_N.get()"),
    "inside": _step("def run_N():\n    v = GIVEN\n    def inner():\n        return v\n    return inner()", "run_N()"),
    "matched": _step("match GIVEN:\n    case v_N:\n        pass", "v_N"),
    "deleted": _step("w_N = GIVEN\nv_N = w_N\ndel w_N", "v_N"),
    "loop with else": _step("while True:\n    v_N = GIVEN\n    break", "v_N"),
    "thread": _step("held_N = []\nthreading.Thread(target=held_N.append, args=(GIVEN,)).start()", "held_N[0]"),
}  # fmt: skip
BUILDERS = {
    "Model": "Model(url=URL)",
    "by position": "Model(URL)",
    "alias": "(lambda M: M(url=URL))(Model)",
    "partial": "functools.partial(Model, pat='x')(url=URL)",
    "unpacked": "Model(**{'url': URL})",
    "by import": "__import__('importlib').import_module('clarifai.client').Model(url=URL)",
}


@dataclass(frozen=True, slots=True)
class Held:
    """A program. ``call``: the line that calls the model, the last one."""

    text: str
    way: str

    @property
    def line(self) -> int:
        return self.text.count("\n")


def program(builder: str, url: str, steps: list[str], call: str, first: int = 0) -> Held:
    """Write a program that passes a model on in these steps, and calls it."""
    text, expression = "", BUILDERS[builder].replace("URL", repr(url))
    for number, name in enumerate(steps, first):
        statements, expression = STEPS[name](expression, number)
        text += f"{statements}\n" if statements else ""
    return Held(f"{text}{expression}.{call}\n", f"{builder}: {', '.join(steps)}")


steps = strategies.lists(strategies.sampled_from(sorted(STEPS)), min_size=1, max_size=4)
builders = strategies.sampled_from(sorted(BUILDERS))
