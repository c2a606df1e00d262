"""Clients in JavaScript and TypeScript are held against the models, as those in Python are."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

NODE = """\
const { Model, Workflow } = require('clarifai-nodejs')
const model = new Model({ url: 'https://clarifai.com/me/demo/models/hello', authConfig: { pat: process.env.CLARIFAI_PAT } })
"""
SDK = [
    ("model.predict({ methodName: 'predict', promt: 'Hello' })",
     "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?"),
    ("model.predict({ methodName: 'predct', prompt: 'Hello' })",
     "unknown-method: The model has no method 'predct'; it has predict, generate, stream. Did you mean 'predict'?"),
    ("model.predict({ methodName: 'predict' })", "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("model.predict({ methodName: 'predict', prompt: 3 })", "wrong-type: predict(): argument 'prompt' is 3 (number), and a string is expected (str)."),
    ("model.predict({ methodName: name, prompt: 'Hello' })", "dynamic-method: The method is named by name: the call is not checked."),
    ("model.predict({ methodName: 'predict', ...rest })", "unpacked-arguments: predict() is given arguments that are not known before it runs."),
    ("model.predict({ inputs: [x] })", "unchecked-request: predict(): the input is in the form of older clients, without parts."),
    ("model.predictByUrl({ url: 'x', inputType: 'image' })", "unchecked-request: predictByUrl(): the input is in the form of older clients, without parts."),
    ("new Model({ modelId: 'helo', authConfig: { userId: 'me', appId: 'demo' } }).predict({ methodName: 'predict' })",
     "model-not-given: predict(): no --model was given for me/demo/models/helo, so it is not checked. Did you mean 'me/demo/models/hello'?"),
    ("new Model({ url: process.env.MODEL }).predict({ methodName: 'predict' })",
     "unknown-model: predict(): which model it is, cannot be seen: it is only known when the program runs."),
    ("class Bot { model = new Model({ url: 'https://clarifai.com/me/demo/models/hello' }); ask() { return this.model.predict({ methodName: 'predict' }) } }",
     "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    ("const flow = new Workflow({ url })\nflow.predict({ inputs: [x] })",
     "workflow-not-given: The definition of new Workflow({ url }) is not at hand, so predict() is not checked."),
    ("const Clarifai = require('clarifai')\nconst app = new Clarifai.App({ apiKey })\napp.models.predict('food', image)",
     "unresolved-request: predict() is a call of the client before clarifai-nodejs, which is not checked."),
    ("let parts = []\nparts = parts.filter((x) => x)\nparts = parts.map((x) => x)\nparts.predict({ prompt: `${parts}` })\nmodel.predict({ methodName: 'predict' })",
     "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
]  # fmt: skip
HOW = (
    "`model` must be a model's URL, as https://clarifai.com/USER/APP/models/MODEL, or USER/APP/models/MODEL, with "
    "/versions/VERSION behind it for a certain version; a hosted model's id alone will do. Got 'me/demo/openai'. "
    "Did you mean 'me/demo/models/openai'?"
)
BASE = "const baseURL = 'https://api.clarifai.com/v2/ext/openai/v1'\n"
OPENAI = (
    "import OpenAI from 'openai'\n"
    + BASE
    + "const client = new OpenAI({ baseURL, apiKey: process.env.CLARIFAI_PAT })\n"
)
# `NAME` stands for the model's name.
FORMS = [
    OPENAI + "await client.chat.completions.create({ model: 'NAME', messages: [] })",
    OPENAI + "const body = { model: 'NAME', messages: [] }\nconst answer = await client.chat.completions.create(body as any)",
    OPENAI + "const chosen = 'NAME'\nfor await (const x of await client.chat.completions.create({ model: chosen, messages: [], stream: true })) {}",
    OPENAI + "class Bot { private client: OpenAI; constructor() { this.client = new OpenAI({ baseURL }) }\n"
    "  ask(): Promise<unknown> { return this.client.responses.create({ model: `${'NAME'}`, input: 'x' }) } }",
    OPENAI + "function made() { return new OpenAI({ baseURL }) }\nmade().embeddings.create({ model: 'NAME', input: 'x' })",
    "const { OpenAI } = require('openai')\n" + BASE + "new OpenAI({ baseURL: process.env.URL ?? baseURL }).chat.completions.create({ model: 'NAME', messages: [] })",
    "import { ChatOpenAI } from '@langchain/openai'\n" + BASE + "new ChatOpenAI({ model: 'NAME', configuration: { baseURL } })",
    "import { createOpenAICompatible } from '@ai-sdk/openai-compatible'\n" + BASE + "const clarifai = createOpenAICompatible({ name: 'x', baseURL })\nclarifai('NAME')",
    "import { createOpenAI } from '@ai-sdk/openai'\n" + BASE + "const clarifai = createOpenAI({ baseURL })\nclarifai.chat('NAME')",
    BASE + "fetch(`${baseURL}/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'NAME', messages: [] }) })",
    "import axios from 'axios'\n" + BASE + "axios.post(baseURL + '/chat/completions', { model: 'NAME', messages: [] })",
]  # fmt: skip
PARTS = "{ inputs: [{ data: { metadata: { _method_name: 'predict' }, parts: [{ id: 'NAME', data: { string_value: text } }] } }] }"
URL = "https://api.clarifai.com/v2/ext/mcp/v1/users/me/apps/demo/models/mcp"
MCP = """\
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
const client = new Client({ name: 'x', version: '1' })
await client.connect(new StreamableHTTPClientTransport(new URL('URL')))
await client.callTool({ name: 'TOOL', arguments: { left: 1, right: 2 } })
"""


@pytest.mark.parametrize(("code", "message"), SDK)
def test_a_wrong_call_through_clarifai_nodejs_is_told(check_requests: CheckRequests, code: str, message: str):
    assert said(check_requests(NODE + code, "client.js")) == [message]


def test_a_right_call_through_clarifai_nodejs_is_counted(check_requests: CheckRequests):
    code = NODE + "model.predict({ methodName: 'predict', prompt: text }).then((out) => out.predict)\n"
    stream = "for await (const each of model.generate({ methodName: 'generate', prompt: 'x' })) {}\n"

    assert check_requests(code + stream, "client.mjs") == ([], 2)


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_name_is_told_in_each_form_and_a_right_one_is_not(check_requests: CheckRequests, form: str):
    (wrong,) = said(check_requests(form.replace("NAME", "me/demo/openai"), "client.ts"))
    right = check_requests(form.replace("NAME", "me/demo/models/openai"), "client.ts")
    elsewhere = form.replace("NAME", "gpt-4o").replace(
        "https://api.clarifai.com/v2/ext/openai/v1", "http://localhost/v1"
    )

    assert wrong.startswith("wrong-url: ")
    assert wrong.endswith(HOW)
    assert right == ([], 1)
    assert check_requests(elsewhere.replace("CLARIFAI", "X"), "client.ts") == ([], 0)


def test_a_prediction_over_rest_is_held_against_the_signature(check_requests: CheckRequests):
    code = f"const url = 'https://api.clarifai.com/v2/users/me/apps/demo/models/hello/outputs'\nfetch(url, {{ method: 'POST', body: JSON.stringify({PARTS}) }})"

    assert said(check_requests(code.replace("NAME", "promt"), "client.tsx")) == [
        "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?"
    ]
    assert check_requests(code.replace("NAME", "prompt"), "client.tsx") == ([], 1)


def test_tools_of_a_server_are_held_against_what_it_registers(check_requests: CheckRequests):
    code = MCP.replace("URL('URL')", f"URL('{URL}')")

    assert said(check_requests(code.replace("TOOL", "ad"), "client.js")) == [
        "unknown-tool: The server of model 'mcp' has no tool 'ad'; it has add, fail. Did you mean 'add'?"
    ]
    assert check_requests(code.replace("TOOL", "add"), "client.js") == ([], 2)


def test_what_cannot_be_seen_is_named(check_requests: CheckRequests):
    code = "export async function ask(client) { return client.chat.completions.create({ model: 'gpt-4o', messages: [] }) }"

    assert said(check_requests(code, "client.js")) == [
        "unresolved-request: It is not known where chat.completions.create() is sent to, so it is not checked."
    ]


def test_a_parameter_of_a_function_is_not_the_constant_of_its_name(check_requests: CheckRequests):
    code = (
        OPENAI
        + "const model = 'me/demo/openai'\nconst ask = (model) => client.chat.completions.create({ model, messages: [] })"
    )

    assert said(check_requests(code, "client.js")) == [
        "unknown-model: chat.completions.create(): which model it is, cannot be seen: it is only known when the program runs."
    ]


def test_a_file_that_is_broken_is_read_as_far_as_it_goes(check_requests: CheckRequests):
    assert check_requests("const x = {{{ ;; new Model(", "client.js") == ([], 0)
