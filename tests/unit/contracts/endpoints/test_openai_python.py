"""Calls of OpenAI's client are held against the models: each is checked, or named as not checked."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

HEAD = """\
import functools, os
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
BASE = "https://api.clarifai.com/v2/ext/openai/v1"
MESSAGES = [{"role": "user", "content": "Hello"}]
client = OpenAI(base_url=BASE, api_key=os.environ["CLARIFAI_PAT"])
"""
HOW = (
    "`model` must be a model's URL, as https://clarifai.com/USER/APP/models/MODEL, or USER/APP/models/MODEL, with "
    "/versions/VERSION behind it for a certain version; a hosted model's id alone will do."
)
CREATE = "chat.completions.create()"
MODEL_NAMES = [
    ("client.chat.completions.create(model='me/demo/openai', messages=MESSAGES)",
     f"wrong-url: {CREATE}: {HOW} Got 'me/demo/openai'. Did you mean 'me/demo/models/openai'?"),
    ("client.chat.completions.create(model='openai', messages=MESSAGES)",
     f"wrong-url: {CREATE}: {HOW} Got 'openai'. Did you mean 'me/demo/models/openai'?"),
    ("client.chat.completions.create(model=3, messages=MESSAGES)", f"wrong-url: {CREATE}: {HOW} Got int."),
    ("client.chat.completions.create(messages=MESSAGES)", f"wrong-url: {CREATE} names no model. {HOW}"),
    ("client.chat.completions.create(model='me/demo/models/opnai', messages=MESSAGES)",
     f"model-not-given: {CREATE}: no --model was given for me/demo/models/opnai, so it is not checked. Did you mean 'me/demo/models/openai'?"),
    ("client.chat.completions.create(model='gpt-4o', messages=MESSAGES)",
     f"model-not-given: {CREATE}: no --model was given for 'gpt-4o', which may be a model that Clarifai hosts."),
    ("client.chat.completions.create(model=os.environ['MODEL'], messages=MESSAGES)",
     f"unknown-model: {CREATE}: which model it is, cannot be seen: it is only known when the program runs."),
    ("client.chat.completions.create(model=f\"me/demo/models/{os.environ['M']}\", messages=MESSAGES)",
     f"unknown-model: {CREATE}: which model 'me/demo/models/…' is, is only known when it runs."),
    ("client.chat.completions.create(**os.environ)", f"unknown-model: {CREATE}: which model it is, cannot be seen: its arguments are unpacked."),
    ("for each in ['me/demo/models/openai', 'me/demo/openai']:\n    client.chat.completions.create(model=each, messages=MESSAGES)",
     f"wrong-url: {CREATE}: {HOW} Got 'me/demo/openai'. Did you mean 'me/demo/models/openai'?"),
]  # fmt: skip
ENDPOINTS = [
    ("client.chat.completions.create(model='me/demo/models/hello', messages=MESSAGES)",
     "no-openai: Model 'hello' has no method openai_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    ("client.completions.create(model='me/demo/models/openai', prompt='Hello')",
     "unknown-endpoint: There is no /v2/ext/openai/v1/completions: models here have chat completions. Let the client use these: "
     "OpenAILike(…, is_chat_model=True) in llama-index, ChatOpenAI in LangChain, the prefix openai/ in LiteLLM, client.chat.completions in OpenAI's own."),
    ("client.audio.speech.create(model='me/demo/models/openai', input='Hello', voice='alloy')",
     "unknown-endpoint: There is no /v2/ext/openai/v1/audio/speech. There are /chat/completions, /responses, /embeddings, /images/generations, /models."),
    ("client.embeddings.create(model='me/demo/models/openai', input='Hello', stream=True)",
     "no-stream: /embeddings has no streaming answer; leave out `stream`."),
    ("OpenAI(base_url='https://api.clarifai.com/v2/ext/openai').responses.create(model='me/demo/models/openai', input='Hello')",
     "wrong-base-url: There is no /v2/ext/openai/responses. OpenAI's API is at /v2/ext/openai/v1: give the client base_url='https://api.clarifai.com/v2/ext/openai/v1'."),
    ("OpenAI(base_url=BASE + '/chat/completions').chat.completions.create(model='me/demo/models/openai', messages=MESSAGES)",
     "wrong-base-url: There is no /v2/ext/openai/v1/chat/completions/chat/completions. OpenAI's API is at /v2/ext/openai/v1: give the client "
     "base_url='https://api.clarifai.com/v2/ext/openai/v1'."),
]  # fmt: skip
PARAMETERS = [
    ("client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, temperatur=0.2)",
     f"unknown-argument: {CREATE}: there is no argument 'temperatur'. Did you mean 'temperature'?"),
    ("client.chat.completions.create(model='me/demo/models/openai')", f"missing-argument: {CREATE}: 'messages' is required and not given."),
    ("client.chat.completions.create(model='me/demo/models/openai', messages='Hello')",
     f"wrong-type: {CREATE}: argument 'messages' is 'Hello' (str), and a list is expected."),
    ("client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, stream='yes')",
     f"wrong-type: {CREATE}: argument 'stream' is 'yes' (str), and a bool is expected."),
    ("client.chat.completions.create(model='me/demo/models/proxy', messages=MESSAGES, extra_body={'guided_json': {}})",
     f"unknown-argument: {CREATE}: the code of model 'proxy' does not take 'guided_json': it hands it on to the client of the openai package, which raises TypeError."),
    ("client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, extra_body={'guided_json': {}})",
     f"unknown-parameter: {CREATE}: whether model 'openai' takes 'guided_json' is not known."),
]  # fmt: skip
NAMED = [
    ("def ask(other): return other.responses.create(model='gpt-4o', input='Hello')",
     "unresolved-request: It is not known where responses.create() is sent to, so it is not checked."),
    ("client.chat.completion.create(model='me/demo/models/openai', messages=MESSAGES)",
     "unresolved-request: chat.completion.create() is no known call of OpenAI's client: it is not checked. "
     "Did you mean 'chat.completions.create'?"),
    ("def retry(call): call()\nretry(client.chat.completions.create)",
     f"passed-method: {CREATE} is passed on: what calls it, and with what, is not checked."),
    ("functools.partial(client.chat.completions.create, model='me/demo/openai')",
     f"wrong-url: {CREATE}: {HOW} Got 'me/demo/openai'. Did you mean 'me/demo/models/openai'?"),
]  # fmt: skip
WRONG = "model='me/demo/openai', messages=MESSAGES)"
# Each makes the client in another way; the wrong name shows that the call was understood.
WAYS = [
    "OpenAI(base_url=BASE).chat.completions.create(" + WRONG,
    "client.with_options(timeout=3).chat.completions.create(" + WRONG,
    "OpenAI().with_options(base_url=BASE).chat.completions.create(" + WRONG,
    "client.chat.completions.with_raw_response.create(" + WRONG,
    "client.beta.chat.completions.parse(" + WRONG,
    "chat = client.chat\nchat.completions.create(" + WRONG,
    "create = client.chat.completions.create\ncreate(" + WRONG,
    "OpenAI(base_url=os.environ.get('BASE_URL', BASE)).chat.completions.create(" + WRONG,
    "OpenAI(base_url=os.getenv('BASE_URL') or BASE).chat.completions.create(" + WRONG,
    "OpenAI(base_url=f\"{os.environ['HOST']}/v2/ext/openai/v1\").chat.completions.create(" + WRONG,
    "OpenAI(base_url='http://127.0.0.1:7878/v2/ext/openai/v1').chat.completions.create(" + WRONG,
    "OpenAI(base_url=os.environ['CLARIFAI_URL']).chat.completions.create(" + WRONG,
    "OpenAI(**{'base_url': BASE}).chat.completions.create(" + WRONG,
    "settings = dict(base_url=BASE)\nOpenAI(**settings).chat.completions.create(" + WRONG,
    "async def main():\n    async with AsyncOpenAI(base_url=BASE) as other:\n        await other.chat.completions.create(" + WRONG,
    "def made(): return OpenAI(base_url=BASE)\nmade().chat.completions.create(" + WRONG,
    "late = None\ndef made():\n    global late\n    late = OpenAI(base_url=BASE)\n    return late.chat.completions.create(" + WRONG,
    "class Bot:\n    def __init__(self):\n        self.ai = OpenAI(base_url=BASE)\n    def ask(self):\n        self.ai.chat.completions.create(" + WRONG,
    "class Bot:\n    def __init__(self, ai):\n        self.ai = ai\n    def ask(self):\n        self.ai.chat.completions.create(" + WRONG + "\nBot(client)",
    "class Bot:\n    @property\n    def ai(self): return OpenAI(base_url=BASE)\n    def ask(self):\n        self.ai.chat.completions.create(" + WRONG,
    "class Bot:\n    ai = OpenAI(base_url=BASE)\nBot.ai.chat.completions.create(" + WRONG,
    "def ask(ai): return ai.chat.completions.create(" + WRONG + "\nask(client)",
    "ai = client if os.environ.get('X') else None\nai.chat.completions.create(" + WRONG,
    "clients = {'a': client}\nclients[os.environ['X']].chat.completions.create(" + WRONG,
    "import instructor\ninstructor.from_openai(client).chat.completions.create(" + WRONG,
    "import openai\nopenai.OpenAI(base_url=BASE).chat.completions.create(" + WRONG,
    "import openai\nopenai.base_url = BASE\nopenai.chat.completions.create(" + WRONG,
    "import openai\nopenai.api_base = BASE\nopenai.ChatCompletion.create(" + WRONG,
    "os.environ['OPENAI_BASE_URL'] = BASE\nOpenAI().chat.completions.create(" + WRONG,
    "ask = lambda: client.chat.completions.create(" + WRONG,
    "from settings import shared\nshared.chat.completions.create(" + WRONG,
    "import settings\nsettings.shared.chat.completions.create(" + WRONG,
    "from settings import Settings\nOpenAI(base_url=Settings().url).chat.completions.create(" + WRONG,
    "from fastapi import Depends\ndef made(): return client\ndef ask(ai=Depends(made)): ai.chat.completions.create(" + WRONG,
]  # fmt: skip
SETTINGS = """\
from openai import OpenAI
class Settings:
    url: str = "https://api.clarifai.com/v2/ext/openai/v1"
shared = OpenAI(base_url=Settings.url)
"""
RIGHT = [
    "client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, stream=True, temperature=0)",
    "client.chat.completions.create(model='https://clarifai.com/me/demo/models/openai/versions/abc', messages=MESSAGES)",
    "client.chat.completions.create(model='me/demo/models/proxy', messages=MESSAGES, extra_body={'top_k': 5})",
    "client.responses.create(model='me/demo/models/openai', input='Hello', stream=True)",
    "client.embeddings.create(model='me/demo/models/openai', input=['Hello'])",
    "client.images.generate(model='me/demo/models/openai', prompt='Hello', n=1)",
    "client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, **{'n': 1})",
    "client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, temperature=float(os.environ['T']))",
    "client.chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, extra_headers={'x': 'y'}, timeout=3)",
    "import instructor\ninstructor.from_openai(client).chat.completions.create(model='me/demo/models/openai', messages=MESSAGES, response_model=dict)",
    "messages = []\nmessages.append({'role': 'user', 'content': 'Hello'})\nclient.chat.completions.create(model='me/demo/models/openai', messages=messages)",
    "client.models.list()",
    "client.with_options(timeout=3).models.list()",
]  # fmt: skip
ELSEWHERE = [
    "OpenAI().chat.completions.create(model='gpt-4o', messages=MESSAGES)",
    "OpenAI(base_url='http://localhost:8000/v1').chat.completions.create(model='served', messages=MESSAGES)",
    "AzureOpenAI(azure_endpoint='https://example.com').chat.completions.create(model='gpt-4o', messages=MESSAGES)",
    "import groq\ngroq.Groq().chat.completions.create(model='llama', messages=MESSAGES)",
    "import anthropic\nai = anthropic.Anthropic()\nai.completions.create(model='claude', prompt='Hello')",
    "def ask(client): return client.models.list()",
]  # fmt: skip


@pytest.mark.parametrize(("code", "message"), [*MODEL_NAMES, *ENDPOINTS, *PARAMETERS, *NAMED])
def test_what_is_wrong_or_not_checked_is_said(check_requests: CheckRequests, code: str, message: str):
    assert said(check_requests(HEAD + code + "\n")) == [message]


@pytest.mark.parametrize("code", WAYS)
def test_the_client_is_found_however_it_is_made(check_requests: CheckRequests, code: str):
    (finding,) = said(check_requests(HEAD + code + "\n", settings=SETTINGS))

    assert finding.startswith("wrong-url: ")
    assert "Got 'me/demo/openai'." in finding


@pytest.mark.parametrize("code", RIGHT)
def test_nothing_is_said_of_what_is_right(check_requests: CheckRequests, code: str):
    found = check_requests(HEAD + code + "\n")

    assert said(found) == []
    assert found[1] == (0 if "models.list" in code else 1)


@pytest.mark.parametrize("code", ELSEWHERE)
def test_calls_of_other_services_are_not_looked_at(check_requests: CheckRequests, code: str):
    assert check_requests(HEAD + code + "\n") == ([], 0)


def test_a_client_that_is_made_anew_is_the_latest_one(check_requests: CheckRequests):
    code = "client = OpenAI()\nclient.chat.completions.create(model='gpt-4o', messages=MESSAGES)\n"

    assert check_requests(HEAD + code) == ([], 0)


def test_a_finding_is_at_the_name_of_the_model(check_requests: CheckRequests):
    (finding,) = check_requests(HEAD + "client.chat.completions.create(" + WRONG)[0]

    assert finding.location is not None
    assert (finding.location.line, finding.location.column) == (6, 38)
    assert finding.hint == "Write 'me/demo/models/openai'."
