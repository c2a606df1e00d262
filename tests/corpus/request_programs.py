"""Makes programs that ask the platform's endpoints: OpenAI's client and libraries on it, MCP, HTTP, shells, JavaScript;
and makes one thing of each wrong.
"""

# ruff: noqa: E501 - a program on one line reads better

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from corpus.every_method import misspelt
from corpus.program import Program
from unit.contracts.endpoints import (
    test_framework_python,
    test_http_python,
    test_javascript_calls,
    test_mcp_python,
    test_openai_python,
    test_shell_commands,
)

_NAME = "me/demo/models/openai"
_OPENAI_BASE = "https://api.clarifai.com/v2/ext/openai/v1"
# Statements that call, with `NAME` for the model, and what is wrong in others.
_CREATE: dict[str, tuple[str, Mapping[str, str]]] = {
    "chat": (
        "client.chat.completions.create(model='NAME', messages=MESSAGES, temperature=0.2)",
        {
            "argument misspelt": "client.chat.completions.create(model='NAME', messages=MESSAGES, temprature=0.2)",
            "argument left out": "client.chat.completions.create(model='NAME', temperature=0.2)",
            "value of another type": "client.chat.completions.create(model='NAME', messages='Hello', temperature=0.2)",
            "method misspelt": "client.chat.completion.create(model='NAME', messages=MESSAGES, temperature=0.2)",
        },
    ),
    "chat stream": (
        "for each in client.chat.completions.create(model='NAME', messages=MESSAGES, stream=True):\n    print(each)",
        {"value of another type": "client.chat.completions.create(model='NAME', messages=MESSAGES, stream='yes')"},
    ),
    "arguments in a dictionary": (
        "options = {'model': 'NAME', 'messages': MESSAGES}\nclient.chat.completions.create(**options)",
        {"argument misspelt": "options = {'model': 'NAME', 'messags': MESSAGES}\nclient.chat.completions.create(**options)"},
    ),
    "responses": (
        "client.responses.create(model='NAME', input='Hello')",
        {"argument misspelt": "client.responses.create(model='NAME', inputs='Hello')"},
    ),
    "embeddings": (
        "client.embeddings.create(model='NAME', input=['Hello'])",
        {"argument left out": "client.embeddings.create(model='NAME')"},
    ),
    "images": (
        "client.images.generate(model='NAME', prompt='Hello')",
        {"method misspelt": "client.images.edit(model='NAME', image=b'', prompt='Hello')"},
    ),
}  # fmt: skip
_NODE = """\
const { Model } = require('clarifai-nodejs')
const URL = 'https://clarifai.com/me/demo/models/ID'
"""
# Clients of clarifai-nodejs; `CALL` stands for `predict({ … })`.
_NODES = {
    "constant": "const model = new Model({ url: URL, authConfig: { pat: process.env.CLARIFAI_PAT } })\nmodel.CALL",
    "awaited": "async function ask() {\n  const model = new Model({ url: URL })\n  const answer = await model.CALL\n  console.log(answer)\n}",
    "then": "new Model({ url: URL }).CALL.then((answer) => console.log(answer))",
    "arrow": "const model = new Model({ url: URL })\nconst ask = async () => await model.CALL",
    "class": "class Bot {\n  constructor() { this.model = new Model({ url: URL }) }\n  ask() { return this.model.CALL }\n}",
    "field": "class Bot {\n  model = new Model({ url: URL })\n  ask() { return this.model.CALL }\n}",
    "function": "function load() { return new Model({ url: URL }) }\nload().CALL",
    "by ids": "const model = new Model({ modelId: 'ID', authConfig: { userId: 'me', appId: 'demo' } })\nmodel.CALL",
    "handler": "const model = new Model({ url: URL })\napp.post('/ask', async (request, response) => { response.json(await model.CALL) })",
    "exported": "const model = new Model({ url: URL })\nexport async function POST(request) { return Response.json(await model.CALL) }",
}  # fmt: skip
_NODE_CALLS = {
    "": "predict({ methodName: 'predict', prompt: 'Hello', n: 2 })",
    "method misspelt": "predict({ methodName: 'prdict', prompt: 'Hello', n: 2 })",
    "argument misspelt": "predict({ methodName: 'predict', promt: 'Hello', n: 2 })",
    "argument left out": "predict({ methodName: 'predict', n: 2 })",
    "value of another type": "predict({ methodName: 'predict', prompt: 'Hello', n: 'two' })",
}
_TOOLS = {
    "": "session.call_tool('add', {'left': 2, 'right': 3})",
    "method misspelt": "session.call_tool('ad', {'left': 2, 'right': 3})",
    "argument misspelt": "session.call_tool('add', {'left': 2, 'rigth': 3})",
    "argument left out": "session.call_tool('add', {'left': 2})",
    "value of another type": "session.call_tool('add', {'left': 2, 'right': 'three'})",
}
# The name of the argument, the method, and its value, as the body of a request has them.
_BODIES = {
    "": ("prompt", "predict", '"string_value": "Hello"'),
    "argument misspelt": ("promt", "predict", '"string_value": "Hello"'),
    "method misspelt": ("prompt", "prdict", '"string_value": "Hello"'),
    "value of another type": ("prompt", "predict", '"int_value": 3'),
}


def request_programs(seed: int) -> Iterator[Program]:
    """Yield a right program of each shape, and the wrong ones that are made of it."""
    yield from _named("libraries on OpenAI's API", test_framework_python.HEAD, test_framework_python.FORMS, seed)
    ways = [each.replace("me/demo/openai", "NAME") for each in test_openai_python.WAYS]
    settings = (("settings.py", test_openai_python.SETTINGS),)
    yield from _named("ways to make OpenAI's client", test_openai_python.HEAD, ways, seed, beside=settings)
    yield from _calls_of_openai()
    yield from _named("OpenAI's API in JavaScript", "", test_javascript_calls.FORMS, seed, suffix="ts")
    yield from _nodes(seed)
    for number, way in enumerate(test_mcp_python.WAYS):
        for wrong, call in _TOOLS.items():
            text = test_mcp_python.HEAD + way.replace("CALL", call)
            yield Program("sessions with MCP servers", str(number), text, wrong)
        text = test_mcp_python.HEAD.replace("models/mcp", "models/mpc") + way.replace("CALL", _TOOLS[""])
        yield Program("sessions with MCP servers", str(number), text, "model misspelt")
    yield from _bodies()


def _named(
    dimension: str,
    head: str,
    forms: list[str],
    seed: int,
    *,
    suffix: str = "py",
    beside: tuple[tuple[str, str], ...] = (),
) -> Iterator[Program]:
    """Yield programs in which only the name of the model can be wrong."""
    for number, form in enumerate(forms):
        rolls = random.Random(f"{seed} {dimension} {number}")
        names = {
            "": _NAME,
            "address without /models": "me/demo/openai",
            "model misspelt": f"me/demo/models/{misspelt('openai', rolls)}",
            "model of another kind": "me/demo/models/hello",
        }
        for wrong, name in names.items():
            yield Program(dimension, str(number), head + form.replace("NAME", name) + "\n", wrong, suffix, beside)


def _calls_of_openai() -> Iterator[Program]:
    for shape, (right, wrongs) in _CREATE.items():
        for wrong, text in (("", right), *wrongs.items()):
            code = test_openai_python.HEAD + text.replace("NAME", _NAME) + "\n"
            yield Program("calls of OpenAI's client", shape, code, wrong)
        code = test_openai_python.HEAD.replace(_OPENAI_BASE, _OPENAI_BASE.removesuffix("/v1"))
        yield Program(
            "calls of OpenAI's client", shape, code + right.replace("NAME", _NAME), "base url of another API"
        )


def _nodes(seed: int) -> Iterator[Program]:
    for shape, form in _NODES.items():
        rolls = random.Random(f"{seed} {shape}")
        for wrong, call in _NODE_CALLS.items():
            text = (_NODE + form).replace("CALL", call).replace("ID", "hello")
            yield Program("clarifai-nodejs", shape, text, wrong, "mjs")
        text = (_NODE + form).replace("CALL", _NODE_CALLS[""]).replace("ID", misspelt("hello", rolls))
        yield Program("clarifai-nodejs", shape, text, "model misspelt", "mjs")


def _bodies() -> Iterator[Program]:
    for wrong, (name, method, value) in _BODIES.items():
        body = test_shell_commands.BODY.replace("NAME", name).replace('"predict"', f'"{method}"')
        body = body.replace('"string_value": "Hello"', value)
        for number, form in enumerate(test_http_python.FORMS):
            yield Program("HTTP", str(number), test_http_python.HEAD + form.replace("BODY", body), wrong)
        for number, form in enumerate(test_shell_commands.FORMS):
            yield Program("curl", str(number), test_shell_commands.HEAD + form.replace("BODY", body), wrong, "sh")
