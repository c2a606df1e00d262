"""HTTP requests to the platform are held against the models: the path, and the body as far as it is written."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

HEAD = """\
import json, os
import urllib.request
import aiohttp, httpx, requests
BASE = "https://api.clarifai.com"
OUTPUTS = BASE + "/v2/users/me/apps/demo/models/hello/outputs"
CHAT = BASE + "/v2/ext/openai/v1/chat/completions"
HEADERS = {"Authorization": f"Key {os.environ['CLARIFAI_PAT']}"}
"""
PART = "{'id': 'prompt', 'data': {'string_value': 'x'}}"
METHOD = "'metadata': {'_method_name': 'predict'}"
RIGHT = "{'inputs': [{'data': {METHOD, 'parts': [PART]}}]}".replace("METHOD", METHOD).replace("PART", PART)
WRONG = RIGHT.replace("'prompt'", "'promt'")
# `BODY` stands for the body.
FORMS = [
    "requests.post(OUTPUTS, json=BODY, headers=HEADERS)",
    "requests.post(url=OUTPUTS, data=json.dumps(BODY), headers=HEADERS)",
    "requests.request('POST', OUTPUTS, json=BODY)",
    "with requests.Session() as session:\n    session.post(OUTPUTS, json=BODY)",
    "httpx.post(OUTPUTS, json=BODY)",
    "client = httpx.Client(base_url=BASE)\nclient.post('/v2/users/me/apps/demo/models/hello/outputs', json=BODY)",
    "async def f():\n    async with httpx.AsyncClient() as client:\n        await client.post(OUTPUTS, content=json.dumps(BODY))",
    "async def f():\n    async with aiohttp.ClientSession() as session:\n        async with session.post(OUTPUTS, json=BODY) as response: pass",
    "urllib.request.urlopen(urllib.request.Request(OUTPUTS, data=json.dumps(BODY).encode(), headers=HEADERS))",
    "payload = BODY\nrequests.post(f'{BASE}/v2/users/{os.environ[\"USER\"]}/apps/demo/models/hello/versions/v1/outputs', json=payload)",
    "def post(url, payload): return requests.post(url, json=payload)\npost(OUTPUTS, BODY)",
    "requests.post('http://localhost:7878/v2/models/hello/outputs', json=dict(BODY, user_app_id={'user_id': 'me', 'app_id': 'demo'}))".replace("dict(BODY, user_app_id=", "{**BODY, 'user_app_id': ").replace("'demo'}))", "'demo'}})"),
]  # fmt: skip
BODIES = [
    (WRONG, "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?"),
    (RIGHT.replace("'predict'", "'predct'"), "unknown-method: The model has no method 'predct'; it has predict, generate, stream. Did you mean 'predict'?"),
    (RIGHT.replace("string_value': 'x'", "int_value': 3"),
     "wrong-type: predict(): argument 'prompt' came as int_value, and str (string_value) is read: the model gets an empty value."),
    (RIGHT.replace("[" + PART + "]", "[]"), "missing-argument: predict(): argument 'prompt' (str) is required and not given."),
    (RIGHT.replace("'inputs'", "'input'"),
     "wrong-body: requests.post(): Message type \"clarifai.api.PostModelOutputsRequest\" has no field named \"input\" at \"PostModelOutputsRequest\"."),
    (RIGHT.replace("[" + PART + "]", "json.loads(os.environ['X'])"),
     "unpacked-arguments: requests.post(): its parts are only known when it runs, and not all of them are checked."),
    ("json.load(open('x'))", "unpacked-arguments: requests.post() sends json.load(open('x')): its arguments are not checked."),
    ("{'inputs': [{'data': {'text': {'raw': 'x'}}}]}", "unchecked-request: requests.post(): the input is in the form of older clients, without parts."),
]  # fmt: skip
OTHERS = [
    ("requests.post(OUTPUTS.replace('x', 'y'), headers=HEADERS, json={})",
     "unresolved-request: It is not known where requests.post() is sent to, so it is not checked."),
    ("requests.post(BASE + '/v2/users/me/apps/demo/models/helo/outputs', json={})",
     "model-not-given: requests.post(): no --model was given for me/demo/models/helo, so it is not checked. Did you mean 'me/demo/models/hello'?"),
    ("requests.post(f\"{BASE}/v2/users/me/apps/demo/models/{os.environ['M']}/outputs\", json={})",
     "unknown-model: requests.post(): which model '…' is, is only known when it runs."),
    ("requests.post(BASE + '/v2/users/me/apps/demo/model/hello/outputs', json={})",
     "wrong-url: There is no path /v2/users/me/apps/demo/model/hello/outputs. The outputs of a model are at /v2/users/USER/apps/APP/models/MODEL/outputs."),
    ("requests.post(BASE + '/v2/users/me/apps/demo/workflows/both/results', json={})",
     "workflow-not-given: The definition of workflow 'both' is not at hand, so requests.post() is not checked."),
    ("requests.post(CHAT, json={'model': 'me/demo/models/hello', 'messages': []})",
     "no-openai: Model 'hello' has no method openai_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    ("httpx.post(CHAT, json={'model': 'me/demo/models/openai'})", "missing-argument: httpx.post(): 'messages' is required and not given."),
    ("requests.post(CHAT + 's', json={'model': 'me/demo/models/openai'})",
     "unknown-endpoint: There is no /v2/ext/openai/v1/chat/completionss. Did you mean /v2/ext/openai/v1/chat/completions? There are /chat/completions, /responses, /embeddings, /images/generations, /models."),
    ("requests.post(os.environ['URL'], headers=HEADERS, json={})",
     "unresolved-request: It is not known where requests.post() is sent to, so it is not checked."),
    ("requests.post(os.environ['CLARIFAI_URL'], json={})",
     "unresolved-request: It is not known where requests.post() is sent to, so it is not checked."),
    ("requests.get(BASE + '/v2/users/me/apps/demo/models', headers=HEADERS)", None),
    ("requests.post('https://example.com/v2/models/hello/infer', json={})", None),
    ("{'a': 1}.get('https://api.clarifai.com')", None),
]  # fmt: skip
# Names that are bound to what they are read from, and classes that are bases of each other.
CIRCLES = [
    "def walk(op):\n    for op in op.children:\n        op.get('/')",
    "def last(node):\n    while node:\n        node = node.next\n        node.get('/')",
    "class A(B):\n    pass\nclass B(A):\n    pass\nA().session.get('/')",
    "a = b\nb = a\nfor a in b.x:\n    a.y.get('/')",
]


@pytest.mark.parametrize("code", CIRCLES)
def test_code_that_goes_in_circles_comes_to_an_end(check_requests: CheckRequests, code: str):
    (wrong,) = said(check_requests(f"{HEAD}{code}\nrequests.post(OUTPUTS, json={WRONG})"))

    assert wrong.startswith("unknown-argument: predict(): there is no argument 'promt'")


@pytest.mark.parametrize("form", FORMS)
def test_a_request_is_found_however_it_is_sent(check_requests: CheckRequests, form: str):
    (wrong,) = said(check_requests(HEAD + form.replace("BODY", WRONG)))
    right = check_requests(HEAD + form.replace("BODY", RIGHT))

    assert (
        wrong
        == "unknown-argument: predict(): there is no argument 'promt'; it takes prompt, n. Did you mean 'prompt'?"
    )
    assert right == ([], 1)


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_a_body_is_held_against_the_signature(check_requests: CheckRequests, body: str, message: str):
    assert said(check_requests(HEAD + f"requests.post(OUTPUTS, json={body})")) == [message]


@pytest.mark.parametrize(("code", "message"), OTHERS)
def test_what_is_asked_of_the_platform_is_checked_or_named(
    check_requests: CheckRequests, code: str, message: str | None
):
    assert said(check_requests(HEAD + code)) == ([message] if message else [])
