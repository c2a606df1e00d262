"""Models that a library on OpenAI's API is given are held against the models, too."""

# ruff: noqa: E501 - a message on one line reads better

from __future__ import annotations

import pytest

from unit.contracts.endpoints.conftest import CheckRequests, said

HEAD = 'import os\nBASE = "https://api.clarifai.com/v2/ext/openai/v1"\n'
# `NAME` stands for the model's name.
FORMS = [
    "import litellm\nlitellm.completion(model='openai/NAME', api_base=BASE, messages=[])",
    "from litellm import acompletion\nasync def f(): await acompletion('openai/NAME', [], api_base=BASE)",
    "import litellm\nlitellm.embedding(model='openai/NAME', api_base=BASE, input=['x'])",
    "import litellm\nlitellm.Router(model_list=[{'model_name': 'x', 'litellm_params': {'model': 'openai/NAME', 'api_base': BASE}}])",
    "from langchain_openai import ChatOpenAI\nChatOpenAI(base_url=BASE, model='NAME').invoke('x')",
    "from langchain_openai import ChatOpenAI as Chat\nChat(openai_api_base=BASE, model_name='NAME')",
    "from langchain_openai import OpenAIEmbeddings\nOpenAIEmbeddings(model='NAME', base_url=BASE)",
    "from langchain.chat_models import init_chat_model\ninit_chat_model('NAME', model_provider='openai', base_url=BASE)",
    "from llama_index.llms.openai_like import OpenAILike\nOpenAILike(model='NAME', api_base=BASE, is_chat_model=True)",
    "from crewai import LLM\nLLM(model='openai/NAME', base_url=BASE)",
    "from agno.models.openai.like import OpenAILike\nOpenAILike(id='NAME', base_url=BASE)",
    "from agno.models.openai import OpenAIChat\nOpenAIChat('NAME', base_url=BASE)",
    "from pydantic_ai.models.openai import OpenAIChatModel\nfrom pydantic_ai.providers.openai import OpenAIProvider\n"
    "OpenAIChatModel('NAME', provider=OpenAIProvider(base_url=BASE))",
    "from openai import AsyncOpenAI\nfrom pydantic_ai.models.openai import OpenAIModel\nfrom pydantic_ai.providers.openai import OpenAIProvider\n"
    "client = AsyncOpenAI(base_url=BASE)\nOpenAIModel('NAME', provider=OpenAIProvider(openai_client=client))",
    "from agents import OpenAIChatCompletionsModel\nfrom openai import AsyncOpenAI\nOpenAIChatCompletionsModel('NAME', AsyncOpenAI(base_url=BASE))",
    "from agents.extensions.models.litellm_model import LitellmModel\nLitellmModel(model='openai/NAME', base_url=BASE)",
    "from google.adk.models.lite_llm import LiteLlm\nLiteLlm(model='openai/NAME', base_url=BASE)",
    "from smolagents import OpenAIServerModel\nOpenAIServerModel(model_id='NAME', api_base=BASE)",
    "import dspy\ndspy.LM('openai/NAME', api_base=BASE)",
    "from autogen_ext.models.openai import OpenAIChatCompletionClient\nOpenAIChatCompletionClient(model='NAME', base_url=BASE)",
    "from strands.models.openai import OpenAIModel\nOpenAIModel(client_args={'base_url': BASE}, model_id='NAME')",
    "from haystack.components.generators.chat import OpenAIChatGenerator\nOpenAIChatGenerator(api_base_url=BASE, model='NAME')",
]  # fmt: skip
OTHERS = [
    ("import litellm\nlitellm.completion(model='clarifai/me/demo/models/openai', messages=[])",
     "wrong-url: completion(): LiteLLM takes 'clarifai/USER.APP.MODEL' apart at two dots, and cannot read 'clarifai/me/demo/models/openai'."),
    ("import litellm\nlitellm.completion(model='clarifai/me.demo.hello', messages=[])",
     "no-openai: Model 'hello' has no method openai_transport; it has predict, generate, stream. This endpoint needs a model whose class has that method."),
    ("from llama_index.llms.openai_like import OpenAILike\nOpenAILike(model='me/demo/models/openai', api_base=BASE)",
     "unknown-endpoint: There is no /v2/ext/openai/v1/completions: models here have chat completions. Let the client use these: "
     "OpenAILike(…, is_chat_model=True) in llama-index, ChatOpenAI in LangChain, the prefix openai/ in LiteLLM, client.chat.completions in OpenAI's own."),
    ("from langchain_openai import ChatOpenAI\nChatOpenAI(base_url=BASE, model=os.environ['M'])",
     "unknown-model: ChatOpenAI(): which model it is, cannot be seen: it is only known when the program runs."),
    ("from langchain_openai import ChatOpenAI\nChatOpenAI(base_url=BASE)",
     "unknown-model: ChatOpenAI(): which model it is, cannot be seen: it names none."),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_name_is_told_in_each_form_and_a_right_one_is_not(check_requests: CheckRequests, form: str):
    (wrong,) = said(check_requests(HEAD + form.replace("NAME", "me/demo/openai")))
    right = check_requests(HEAD + form.replace("NAME", "https://clarifai.com/me/demo/models/openai"))
    elsewhere = check_requests(HEAD + form.replace("NAME", "gpt-4o").replace("BASE", "'http://localhost/v1'"))

    assert wrong.startswith("wrong-url: ")
    assert wrong.endswith("Got 'me/demo/openai'. Did you mean 'me/demo/models/openai'?")
    assert right == ([], 1)
    assert elsewhere == ([], 0)


@pytest.mark.parametrize(("code", "message"), OTHERS)
def test_what_else_is_wrong_is_said(check_requests: CheckRequests, code: str, message: str):
    assert said(check_requests(HEAD + code)) == [message]


def test_litellm_names_a_model_of_clarifai_with_dots(check_requests: CheckRequests):
    code = "import litellm\nlitellm.completion(model='clarifai/me.demo.openai', messages=[], stream=True)"

    assert check_requests(HEAD + code) == ([], 1)
