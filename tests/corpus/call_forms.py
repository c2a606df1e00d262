"""Forms of a call, of its arguments, and of what is done with the answer.

In a form, ``HELD`` is the expression that is the model, ``METHOD`` the method, ``ARGS`` its arguments, ``DICT`` the
arguments as a dictionary; in a use, ``ANSWER`` is the call.
"""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Name and expression of each argument that is given.
Arguments = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a call. ``is_async``: its expression awaits. ``one``: the method must have one parameter."""

    before: str
    expression: str
    is_async: bool = False
    one: bool = False


UNARY = {
    "plain": Form("", "HELD.METHOD(ARGS)"),
    "by the client": Form("", "HELD.client.METHOD(ARGS)"),
    "getattr": Form("", "getattr(HELD, 'METHOD')(ARGS)"),
    "bound": Form("ask = HELD.METHOD\n", "ask(ARGS)"),
    "lambda": Form("ask = lambda: HELD.METHOD(ARGS)\n", "ask()"),
    "function": Form("def ask():\n    return HELD.METHOD(ARGS)\n", "ask()"),
    "function that is given the model": Form("def ask(model):\n    return model.METHOD(ARGS)\n", "ask(HELD)"),
    "typed function": Form("def ask(model: Model) -> Any:\n    return model.METHOD(ARGS)\n", "ask(HELD)"),
    "method": Form("class Asking:\n    def __init__(self, model):\n        self.model = model\n    def ask(self):\n        return self.model.METHOD(ARGS)\n", "Asking(HELD).ask()"),
    "partial": Form("", "functools.partial(HELD.METHOD, ARGS)()"),
    "to_thread": Form("", "await asyncio.to_thread(HELD.METHOD, ARGS)", is_async=True),
    "executor of the loop": Form("", "await asyncio.get_running_loop().run_in_executor(None, functools.partial(HELD.METHOD, ARGS))", is_async=True),
    "gathered threads": Form("", "(await asyncio.gather(asyncio.to_thread(HELD.METHOD, ARGS)))[0]", is_async=True),
    "task of a thread": Form("", "await asyncio.create_task(asyncio.to_thread(HELD.METHOD, ARGS))", is_async=True),
    "submitted": Form("", "ThreadPoolExecutor().submit(HELD.METHOD, ARGS).result()"),
    "submitted function": Form("def ask():\n    return HELD.METHOD(ARGS)\n", "ThreadPoolExecutor().submit(ask).result()"),
    "mapped function": Form("def ask(_):\n    return HELD.METHOD(ARGS)\n", "list(ThreadPoolExecutor().map(ask, [1]))[0]"),
    "mapped": Form("", "list(map(HELD.METHOD, [VALUE]))[0]", one=True),
    "mapped by a pool": Form("", "list(ThreadPoolExecutor().map(HELD.METHOD, [VALUE]))[0]", one=True),
    "thread": Form("answers = []\ndef ask():\n    answers.append(HELD.METHOD(ARGS))\nthread = threading.Thread(target=ask)\nthread.start()\nthread.join()\n", "answers[0]"),
    "comprehension": Form("", "[HELD.METHOD(ARGS) for _ in range(1)][0]"),
    "dictionary": Form("", "{'a': HELD.METHOD(ARGS)}['a']"),
    "conditional": Form("", "(HELD.METHOD(ARGS) if bool(1) else None)"),
    "with proto": Form("", "HELD.METHOD(ARGS, with_proto=True)[0]"),
    "batch": Form("", "HELD.METHOD([DICT, DICT])[1]"),
    "batch by name": Form("items = [DICT]\n", "HELD.METHOD(items)[0]"),
    "batch that is built": Form("items = []\nitems.append(DICT)\n", "HELD.METHOD(items)[0]"),
    "batch of a comprehension": Form("", "HELD.METHOD([DICT for _ in range(2)])[0]"),
    "decorated": Form("def logged(f):\n    @functools.wraps(f)\n    def wrapped(*a, **k):\n        return f(*a, **k)\n    return wrapped\n@logged\ndef ask():\n    return HELD.METHOD(ARGS)\n", "ask()"),
    "retried": Form("def retry(f, *a, **k):\n    return f(*a, **k)\n", "retry(HELD.METHOD, ARGS)"),
    "a table of methods": Form("calls = {'a': HELD.METHOD}\n", "calls['a'](ARGS)"),
    "method caller": Form("import operator\n", "operator.methodcaller('METHOD', ARGS)(HELD)"),
    "generator": Form("def answers():\n    yield HELD.METHOD(ARGS)\n", "next(answers())"),
    "property": Form("class Asking:\n    @property\n    def answer(self):\n        return HELD.METHOD(ARGS)\n", "Asking().answer"),
    "walrus": Form("", "(answer := HELD.METHOD(ARGS))"),
    "try": Form("try:\n    answer = HELD.METHOD(ARGS)\nexcept ZeroDivisionError:\n    raise\n", "answer"),
    "context": Form("with contextlib.suppress(ZeroDivisionError):\n    answer = HELD.METHOD(ARGS)\n", "answer"),
    "nested function": Form("def outer():\n    model = HELD\n    def inner():\n        return model.METHOD(ARGS)\n    return inner()\n", "outer()"),
    "class body": Form("class Once:\n    answer = HELD.METHOD(ARGS)\n", "Once.answer"),
    "default": Form("def ask(answer=HELD.METHOD(ARGS)):\n    return answer\n", "ask()"),
}  # fmt: skip
# Of methods that are called predict only.
ASYNC = {
    "async_predict": Form("", "await (await HELD.async_METHOD(ARGS))", is_async=True),
    "async_predict in two steps": Form("async def ask():\n    later = await HELD.async_METHOD(ARGS)\n    return await later\n", "await ask()", is_async=True),
    "async_predict gathered": Form("", "(await asyncio.gather(await HELD.async_METHOD(ARGS)))[0]", is_async=True),
    "async_predict as a task": Form("", "await asyncio.create_task(await HELD.async_METHOD(ARGS))", is_async=True),
    "async_predict with a limit": Form("", "await asyncio.wait_for(await HELD.async_METHOD(ARGS), 30)", is_async=True),
}  # fmt: skip
STREAMS = {
    "plain": Form("", "HELD.METHOD(ARGS)"),
    "by the client": Form("", "HELD.client.METHOD(ARGS)"),
    "bound": Form("ask = HELD.METHOD\n", "ask(ARGS)"),
    "getattr": Form("", "getattr(HELD, 'METHOD')(ARGS)"),
    "function": Form("def ask():\n    return HELD.METHOD(ARGS)\n", "ask()"),
    "generator": Form("def ask():\n    yield from HELD.METHOD(ARGS)\n", "ask()"),
    "generator with a loop": Form("def ask():\n    for each in HELD.METHOD(ARGS):\n        yield each\n", "ask()"),
    "partial": Form("", "functools.partial(HELD.METHOD, ARGS)()"),
}  # fmt: skip
_ARGUMENTS: dict[str, Callable[[Arguments], tuple[str, str]]] = {
    "keywords": lambda given: ("", ", ".join(f"{name}={text}" for name, text in given)),
    "positions": lambda given: ("", ", ".join(text for _, text in given)),
    "positions and keywords": lambda given: (
        "",
        ", ".join([given[0][1], *(f"{name}={text}" for name, text in given[1:])]) if given else "",
    ),
    "keywords turned round": lambda given: ("", ", ".join(f"{name}={text}" for name, text in reversed(given))),
    "variables": lambda given: (
        "".join(f"given_{name} = {text}\n" for name, text in given),
        ", ".join(f"{name}=given_{name}" for name, _ in given),
    ),
    "literal unpacked": lambda given: ("", f"**{dictionary(given)}"),
    "dict() unpacked": lambda given: ("", f"**dict({', '.join(f'{name}={text}' for name, text in given)})"),
    "name unpacked": lambda given: (f"options = {dictionary(given)}\n", "**options"),
    "merged": lambda given: (
        f"first, second = {dictionary(given[:1])}, {dictionary(given[1:])}\n",
        "**{**first, **second}",
    ),
    "two unpacked": lambda given: ("", f"**{dictionary(given[:1])}, **{dictionary(given[1:])}"),
    "built": lambda given: (
        "options = {}\n" + "".join(f"options['{name}'] = {text}\n" for name, text in given),
        "**options",
    ),
    "updated": lambda given: (
        f"options = {dictionary(given[:1])}\noptions.update({dictionary(given[1:])})\n",
        "**options",
    ),
    "tuple unpacked": lambda given: ("", f"*({''.join(f'{text}, ' for _, text in given)})"),
    "list unpacked": lambda given: (f"values = [{', '.join(text for _, text in given)}]\n", "*values"),
    "of a class": lambda given: (
        "class Given:\n" + "".join(f"    {name} = {text}\n" for name, text in given) + "    kept = 1\n",
        ", ".join(f"{name}=Given.{name}" for name, _ in given),
    ),
    "of a function": lambda given: (
        "".join(f"def given_{name}():\n    return {text}\n" for name, text in given),
        ", ".join(f"{name}=given_{name}()" for name, _ in given),
    ),
    "conditional": lambda given: ("", ", ".join(f"{name}=({text} if bool(1) else {text})" for name, text in given)),
}  # fmt: skip
BY_POSITION = frozenset({"positions", "positions and keywords", "tuple unpacked", "list unpacked"})
NAMELESS = frozenset({"positions", "tuple unpacked", "list unpacked"})
ARGUMENTS = tuple(_ARGUMENTS)


def dictionary(given: Arguments) -> str:
    """Return the arguments as a dictionary is written."""
    return "{" + ", ".join(f"'{name}': {text}" for name, text in given) + "}"


def written(form: str, given: Arguments) -> tuple[str, str]:
    """Return what stands before the call, and between its brackets."""
    return _ARGUMENTS[form](given)


USES = {
    "printed": "print(ANSWER)",
    "kept": "answer = ANSWER\nprint(answer)",
    "formatted": 'print(f"""{(ANSWER)}""")',
    "compared": "if ANSWER is None:\n    raise SystemExit(1)",
    "in a list": "answers = [ANSWER]\nprint(len(answers))",
    "in a dictionary": "print({'answer': ANSWER})",
    "appended": "answers = []\nanswers.append(ANSWER)\nprint(answers)",
    "asserted": "assert ANSWER is not None",
    "shown": "print(repr(ANSWER))",
    "logged": "import logging\nlogging.getLogger('x').info('%s', ANSWER)",
    "timed": "import time\nbegan = time.time()\nanswer = ANSWER\nprint(time.time() - began, answer)",
    "left": "ANSWER",
}
READS = {
    "loop": "for each in ANSWER:\n    print(each)",
    "list": "print(list(ANSWER))",
    "comprehension": "print([str(each) for each in ANSWER])",
    "joined": "print(''.join(str(each) for each in ANSWER))",
    "first": "print(next(iter(ANSWER)))",
    "enumerated": "for number, each in enumerate(ANSWER):\n    print(number, each)",
    "unpacked": "print(*ANSWER)",
    "named": "parts = ANSWER\nfor each in parts:\n    print(each)",
    "tuple": "answers = tuple(ANSWER)\nprint(len(answers))",
    "broken off": "for each in ANSWER:\n    break",
    "chained": "for each in itertools.chain(ANSWER, []):\n    print(each)",
    "sliced": "print(list(itertools.islice(ANSWER, 2)))",
    "summed": "print(sum(1 for _ in ANSWER))",
    "extended": "answers = []\nanswers.extend(ANSWER)\nprint(answers)",
    "returned": "def read():\n    return list(ANSWER)\nprint(read())",
    "in a thread": "def read():\n    return list(ANSWER)\nasync def main():\n    print(await asyncio.to_thread(read))\nasyncio.run(main())",
}
# What people do with a stream as if it were the answer: ``check`` has to say so.
UNREAD = {
    "left": "ANSWER",
    "printed": "print(ANSWER)",
    "formatted": 'print(f"""{(ANSWER)}""")',
    "as text": "print(str(ANSWER))",
    "measured": "print(len(ANSWER))",
    "indexed": "print(ANSWER[0])",
    "added": "print(ANSWER + 'x')",
    "kept and printed": "answer = ANSWER\nprint(answer)",
    "read twice": "answers = ANSWER\nprint(list(answers))\nprint(list(answers))",
}
